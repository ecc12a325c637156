"""The HDF5 filter: blocks as a compression of plain HDF5 datasets.

Importing this module registers the filter with the HDF5 library inside h5py, so
that h5py reads and writes blocks in ordinary datasets. Chunks of lpc and raw ones are coded by
the C core, without Python; the others by a callback through ctypes. Normative: spec/format.md,
section "HDF5 filter".
"""

from __future__ import annotations

import atexit
import ctypes
import math
import os
import threading
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from h5py._objects import phil

from ..codecs import block, lpc
from ..codecs.block_format import VERSION
from ..codecs.recipe import Recipe
from ..codecs.registry import PRESETS_BY_ID, Coding
from ..errors import BlockError, Error, FormatError, UnsupportedError
from ..shapes import MAX_EDGE, stack_shape

FILTER_ID = 47113
"""From the range for unregistered use; to be replaced once The HDF Group assigns one."""

NAME = b"h5vidstack: frames as losslessly coded video"

_FLAG_REVERSE = 0x0100  # H5Z_FLAG_REVERSE: HDF5 is reading
_FLAG_MANDATORY = 0  # H5Z_FLAG_MANDATORY
_CHOSEN, _STORED = 3, 8  # parameters that the user chooses, and with those of the dataset

_hid_t, _hsize_t = ctypes.c_int64, ctypes.c_uint64
_uints, _voids = ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_void_p)
_SetLocal = ctypes.CFUNCTYPE(ctypes.c_int, _hid_t, _hid_t, _hid_t)
_Filter = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.c_uint,
    ctypes.c_size_t,
    _uints,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_size_t),
    _voids,
)


class Video(h5py.filters.FilterRefBase):  # type: ignore[misc]
    """Options for ``h5py.Group.create_dataset``: store its chunks as coded video.

    Use it as hdf5plugin's classes: ``f.create_dataset("d", data=a,
    chunks=(16, H, W), **h5vidstack.Video())``. The dataset is of bool, integers or
    floats, and its chunk ``(G, H, W)`` or ``(G, H, W, 3|4)``; further leading axes count
    as frames. All is lossless: chunks of more bits than the codec holds are coded by
    FFV1 or, beyond 16 bits, by LZMA.

    Parameters
    ----------
    codec, preset
        Names of the tables in `h5vidstack.codecs.registry`: ``Video("ffv1")``,
        ``Video(preset="x264-slow")``. By default lpc-fast.
    verify
        Decode each chunk and compare it before it is written.

    Raises
    ------
    UnsupportedError
        If there is no such codec or preset, or it is lossy.
    """

    filter_id = FILTER_ID

    def __init__(
        self, codec: str | None = None, preset: str | None = None, *, verify: bool = True
    ) -> None:
        coding = Coding.of("lpc" if codec is None and preset is None else codec, preset)
        if not coding.lossless:
            raise UnsupportedError(
                f"{coding} is lossy, and a plain dataset has no place to say by how much: "
                "use h5vidstack.pack"
            )
        self.filter_options = (VERSION, coding.row.id, int(verify))


def _decode_chunk(data: bytes, chunk: tuple[int, int, int, int], dtype: np.dtype[Any]) -> bytes:
    frames = block.decode(data, chunk, dtype.newbyteorder("="))
    return block.padded(frames, chunk[: frames.ndim]).astype(dtype, copy=False).tobytes()


def _encode_chunk(
    data: bytes, chunk: tuple[int, int, int, int], dtype: np.dtype[Any], coding: Coding, v: bool
) -> bytes:
    size = math.prod(chunk) * dtype.itemsize
    if len(data) != size:
        raise UnsupportedError(
            f"the filter was given {len(data)} bytes for a chunk of {size}: "
            "it must be the first filter that changes the size of a chunk"
        )
    frames = np.frombuffer(data, dtype).reshape(chunk if chunk[3] > 1 else chunk[:3])
    return block.encode(frames, Recipe(coding), verify=v)


def _run_filter(reading: bool, values: list[int], data: bytes) -> bytes:
    if len(values) != _STORED:
        raise BlockError(f"the filter has {len(values)} parameters in this file, not {_STORED}")
    _version, preset_id, verify, n, height, width, channels, pixel = values
    chunk, dtype = (n, height, width, channels), _unpack_dtype(pixel)
    if reading:
        return _decode_chunk(data, chunk, dtype)
    preset = PRESETS_BY_ID.get(preset_id)
    if preset is None:
        raise UnsupportedError(f"the file asks for preset {preset_id}, unknown here")
    # What is appended to a lossy pile is lossless: there is no place to say by how much not.
    coding = Coding(preset=preset.name) if preset.lossless else Coding()
    return _encode_chunk(data, chunk, dtype, coding, bool(verify))


def _pack_dtype(dtype: np.dtype[Any]) -> int:
    """Return a dtype as a filter parameter: item size, kind, 1 for big-endian, a byte each."""
    big = dtype.newbyteorder("<") != dtype
    return dtype.itemsize | ord(dtype.kind) << 8 | big << 16


def _unpack_dtype(number: int) -> np.dtype[Any]:
    size, kind, big = number & 255, chr(number >> 8 & 255), number >> 16
    if size not in block.KINDS.get(kind, ()) or big > 1:
        raise BlockError(f"the file asks for pixels of kind {kind!r}{size}, unknown here")
    return np.dtype(f"{'>' if big else '<'}{kind}{size}")


def pipeline(dataset: h5py.Dataset) -> list[tuple[int, int, tuple[int, ...], bytes]]:
    """Return the filters of a dataset in order: id, flags, parameters and name of each."""
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(number) for number in range(plist.get_nfilters())]


def check_chunks(dataset: h5py.Dataset) -> None:
    """Raise FormatError if the filter's parameters contradict the dataset's chunks.

    HDF5 does not tell a filter how much it expects, and reads on beyond what that gives it.
    """
    for code, _, values, _ in pipeline(dataset):
        if code != FILTER_ID:
            continue
        *chunk, pixel = values[_CHOSEN:] or (0,)
        given = math.prod(chunk) * (pixel & 255)
        if len(values) != _STORED or given != math.prod(dataset.chunks) * dataset.dtype.itemsize:
            raise FormatError(
                f"{dataset.name} has chunks of {dataset.chunks} {dataset.dtype}, but its filter "
                f"was told {values[_CHOSEN:]}: it is damaged"
            )


def stored_coding(dataset: h5py.Dataset) -> Coding | None:
    """Return the coding that a dataset's filter parameters name; None without the filter."""
    for code, _, values, _ in pipeline(dataset):
        if code == FILTER_ID and len(values) > 1 and values[1] in PRESETS_BY_ID:
            return Coding(preset=PRESETS_BY_ID[values[1]].name)
    return None


def parameters(values: list[int], shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[int]:
    """Return the filter parameters of a dataset of `dtype` with chunks of `shape`.

    Parameters
    ----------
    values
        What the user gave: block version, preset id, verify; missing ones get the
        defaults, and parameters of a dataset that are already there are replaced.

    Raises
    ------
    UnsupportedError
        If such chunks cannot be coded, or no such preset exists.
    """
    block.check_dtype(dtype)
    chosen = [*values[:_CHOSEN], *Video().filter_options[len(values) :]]
    preset = PRESETS_BY_ID.get(chosen[1])
    if chosen[0] != VERSION or preset is None:
        raise UnsupportedError(f"filter parameters {tuple(values)}: make them with Video(...)")
    n, height, width, channels = stack_shape(shape)
    if max(height, width) > MAX_EDGE:
        raise UnsupportedError(f"a chunk of {shape}: no edge may be over {MAX_EDGE} pixels")
    return [VERSION, *chosen[1:], n, height, width, channels, _pack_dtype(dtype)]


_errors = threading.local()


def last_error() -> BaseException | None:
    """Return the error with which the filter last failed in this thread, or None.

    HDF5 2 lets h5py say no more than "filter returned failure during read"; this
    is the reason behind it.
    """
    return getattr(_errors, "last", None)


class _Hdf5:
    """The few functions of h5py's own libhdf5 that a filter calls."""

    def __init__(self) -> None:
        library = ctypes.CDLL(h5py.defs.__file__)
        self.allocate = _function(
            library.H5allocate_memory, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_bool
        )
        self.free = _function(library.H5free_memory, ctypes.c_int, ctypes.c_void_p)
        self.get_chunk = _function(
            library.H5Pget_chunk, ctypes.c_int, _hid_t, ctypes.c_int, ctypes.POINTER(_hsize_t)
        )
        self.get_filter = _function(
            library.H5Pget_filter_by_id2, ctypes.c_int, _hid_t, ctypes.c_int, _uints,
            ctypes.POINTER(ctypes.c_size_t), _uints, ctypes.c_size_t, ctypes.c_char_p, _uints,
        )  # fmt: skip
        self.modify_filter = _function(
            library.H5Pmodify_filter, ctypes.c_int, _hid_t, ctypes.c_int, ctypes.c_uint,
            ctypes.c_size_t, _uints,
        )  # fmt: skip
        self.push_error = _function(
            library.H5Epush2, ctypes.c_int, _hid_t, ctypes.c_char_p, ctypes.c_char_p,
            ctypes.c_uint, _hid_t, _hid_t, _hid_t, ctypes.c_char_p,
        )  # fmt: skip
        self.type_class = _function(library.H5Tget_class, ctypes.c_int, _hid_t)
        self.type_size = _function(library.H5Tget_size, ctypes.c_size_t, _hid_t)
        self.type_sign = _function(library.H5Tget_sign, ctypes.c_int, _hid_t)
        self.type_order = _function(library.H5Tget_order, ctypes.c_int, _hid_t)
        names = ("H5E_ERR_CLS_g", "H5E_PLINE_g", "H5E_CANTFILTER_g")
        self.error_ids = [_hid_t.in_dll(library, name) for name in names]

    def report(self, error: BaseException) -> None:
        """Put an error on HDF5's stack, from where h5py quotes it in its exception.

        HDF5 2 discards what a filter pushes while it runs, so `last_error` keeps it too.
        """
        _errors.last = error
        text = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        message = f"h5vidstack: {text}".replace("%", "%%").encode()
        self.push_error(0, b"h5vidstack/filter.py", b"h5vidstack", 0, *self.error_ids, message)


def _function(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


_hdf5 = _Hdf5()


def _dtype_of(type_id: int) -> np.dtype[Any]:
    """Return the dtype of an HDF5 integer, float or enumeration (h5py's bool is one)."""
    type_class, size = _hdf5.type_class(type_id), _hdf5.type_size(type_id)
    order = ">" if _hdf5.type_order(type_id) == 1 else "<"  # H5T_ORDER_BE
    if type_class in (0, 8):  # H5T_INTEGER, H5T_ENUM; sign 0 is H5T_SGN_NONE
        signed = type_class == 0 and _hdf5.type_sign(type_id)
        return np.dtype(f"{order}{'i' if signed else 'u'}{size}")
    if type_class == 1:  # H5T_FLOAT
        return np.dtype(f"{order}f{size}")
    name = {3: "string", 6: "compound", 9: "variable-length"}.get(type_class, str(type_class))
    raise UnsupportedError(f"HDF5's {name} type is no pixel: use integers, floats or bool")


# HDF5 cannot carry a Python exception: the callbacks below turn every one, even an
# interrupt, into HDF5's own error, which h5py raises.


def _set_local(dcpl: int, type_id: int, space: int) -> int:
    """Check dtype and chunk of a dataset that is created, and store its filter parameters."""
    try:
        dtype = _dtype_of(type_id)
        shape = (_hsize_t * 32)()
        rank = _hdf5.get_chunk(dcpl, len(shape), shape)
        count, values = ctypes.c_size_t(_STORED), (ctypes.c_uint * _STORED)()
        flags, config = ctypes.c_uint(), ctypes.c_uint()
        if rank < 1 or _hdf5.get_filter(dcpl, FILTER_ID, flags, count, values, 0, None, config) < 0:
            raise UnsupportedError("HDF5 gives no chunk shape or filter parameters")
        given = list(values[: min(count.value, _STORED)])
        stored = (ctypes.c_uint * _STORED)(*parameters(given, tuple(shape[:rank]), dtype))
        # h5py marks filters optional, and HDF5 would store raw what an optional one refuses.
        return _hdf5.modify_filter(dcpl, FILTER_ID, _FLAG_MANDATORY, _STORED, stored)  # type: ignore[no-any-return]
    except BaseException as error:  # noqa: BLE001
        _hdf5.report(error)
        return -1


def _filter(flags: int, count: int, values: Any, nbytes: int, allocated: Any, buffer: Any) -> int:
    """Decode or encode one chunk, and swap HDF5's buffer for one with the result."""
    try:
        data = ctypes.string_at(buffer[0], nbytes)
        result = _run_filter(bool(flags & _FLAG_REVERSE), values[:count], data)
        fresh = _hdf5.allocate(len(result), False)
        if not fresh:
            raise MemoryError(f"no memory for a chunk of {len(result)} bytes")
        ctypes.memmove(fresh, result, len(result))
        _hdf5.free(buffer[0])
        buffer[0], allocated[0] = fresh, len(result)
        return len(result)
    except BaseException as error:  # noqa: BLE001
        _hdf5.report(error)
        return 0


class _H5ZClass2(ctypes.Structure):
    """HDF5's ``H5Z_class2_t`` (H5Zdevelop.h)."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("id", ctypes.c_int),
        ("encoder_present", ctypes.c_uint),
        ("decoder_present", ctypes.c_uint),
        ("name", ctypes.c_char_p),
        ("can_apply", ctypes.c_void_p),
        ("set_local", _SetLocal),
        ("filter", _Filter),
    )


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _fastest(otherwise: Any) -> Any:
    """Return the core's filter, which codes lpc and raw blocks without Python.

    It hands on to `otherwise` what else comes, and blocks with which something is wrong. Where
    there is no core, `otherwise` is the filter.
    """
    if lpc.CORE is None:
        return otherwise
    places = (_hdf5.allocate, _hdf5.free, otherwise)
    return _Filter(lpc.CORE.filter_install(*map(_address, places)))


# Module globals, since HDF5 calls the callbacks for as long as the process lives.
_in_python = _Filter(_filter)
_class = _H5ZClass2(1, FILTER_ID, 1, 1, NAME, None, _SetLocal(_set_local), _fastest(_in_python))
h5py.h5z.register_filter(ctypes.addressof(_class))


@atexit.register
def _flush_what_is_open() -> None:
    """Code what HDF5 still caches while Python can run the callbacks.

    HDF5 itself flushes what was never closed only after Python is gone. From here on no other
    thread is in HDF5: Python ends daemons wherever they are, h5py's lock in their hands.

    Files are found by what is open in them. HDF5 keeps the identifier of a file whose closing
    failed (because the disk was full), but not what it stands for, and crashes when it is used.

    Raises
    ------
    ExceptionGroup
        If something cannot be written; all else is, then.
    """
    phil.acquire()
    found = [one for kind in _IN_FILES for one in h5py.h5f.get_obj_ids(types=kind)]
    # Datasets first: they fill the files.
    open_in = [(one, h5py.h5i.get_file_id(one)) for one in found]
    failed = _flushed(open_in)
    for file, _ in failed:
        _write_nowhere(file)
    _flushed([(one, file) for one, file in open_in if any(file == bad for bad, _ in failed)])
    if failed:
        raise ExceptionGroup("what was not closed cannot be written", [why for _, why in failed])


_IN_FILES = (h5py.h5f.OBJ_DATASET, h5py.h5f.OBJ_GROUP, h5py.h5f.OBJ_ATTR)


def _flushed(open_in: list[tuple[Any, Any]]) -> list[tuple[Any, Exception]]:
    """Flush datasets, then the files of all; return those files that cannot be, and why."""
    failed: dict[int, tuple[Any, Exception]] = {}
    datasets = [one for one in open_in if isinstance(one[0], h5py.h5d.DatasetID)]
    files = {hash(file): (file, file) for _, file in open_in}
    for one, file in (*datasets, *files.values()):
        try:
            one.flush() if one is not file else h5py.h5f.flush(file)
        except Exception as error:  # noqa: BLE001  # the next may be on another disk
            failed.setdefault(hash(file), (file, error))
    return list(failed.values())


def _write_nowhere(file: h5py.h5f.FileID) -> None:
    """Let a file be closed that cannot be written: HDF5 crashes if it cannot write then."""
    if hasattr(os, "memfd_create"):
        os.dup2(os.memfd_create("h5vidstack"), file.get_vfd_handle())
