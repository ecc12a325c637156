"""Chunks as HDF5's own filters make them: shuffle, deflate, fletcher32.

They are made and undone here, so that all cores take part, and because HDF5 2.0 trusts a damaged
chunk. If one inflates to less than a chunk, HDF5 reads memory behind it; if to more, HDF5 takes
memory without limit. Source: HDF5 File Format Specification,
"Filter pipeline".
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5z

from ..shapes import Shape
from .failures import DamageError
from .filter import pipeline

_MOST = 1100
"""No deflate stream inflates to more than 1032 times its bytes."""
_RUN = 4096
_WEIGHTS = np.stack([np.ones(_RUN), np.arange(_RUN, 0, -1.0)], axis=1)


def fletcher32(data: bytes | memoryview) -> bytes:
    """Return HDF5's checksum (H5_checksum_fletcher32), as it stands behind a chunk.

    Two sums of big-endian words modulo 65535: of them, and of the sums so far.
    """
    words = np.frombuffer(data, ">u2", len(data) // 2)
    if len(data) % 2:
        words = np.append(words, data[-1] << 8)
    missing = -len(words) % _RUN
    rows = np.concatenate([words, np.zeros(missing)]) if missing else words.astype(np.float64)
    # In each run: its sum, and the sum of its sums so far. All numbers are whole, below 2^53.
    sums, partial = (rows.reshape(-1, _RUN) @ _WEIGHTS).astype(np.int64).T
    runs_behind = np.arange(len(sums) - 1, -1, -1)
    one = int(sums.sum())
    two = int(partial.sum()) + int((sums % 65535 * runs_behind).sum()) * _RUN - one * missing
    # HDF5 folds instead of dividing: of what is not 0 it makes 65535, not 0.
    low, high = ((value - 1) % 65535 + 1 if one else 0 for value in (one, two))
    return (high << 16 | low).to_bytes(4, "little")


def shuffled(values: npt.NDArray[Any]) -> bytes:
    """Return C-contiguous values as HDF5's shuffle puts them: all first bytes first."""
    return values.reshape(-1, 1).view(np.uint8).T.tobytes()


def unshuffled(data: memoryview, itemsize: int) -> bytes:
    """Undo `shuffled`."""
    return np.frombuffer(data, np.uint8).reshape(itemsize, -1).T.tobytes()


def is_plain(dataset: h5py.Dataset) -> bool:
    """Whether `read_chunk` can read a dataset: it has chunks, and no other filters than these."""
    known = {h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32}
    return dataset.chunks is not None and {code for code, *_ in pipeline(dataset)} <= known


def read_chunk(dataset: h5py.Dataset, offset: Shape) -> npt.NDArray[Any]:
    """Return all of the chunk that begins at an offset.

    Raises
    ------
    DamageError
        If it is missing, damaged, or not of a chunk's size.
    """
    if dataset.id.get_chunk_info_by_coord(offset).byte_offset is None:
        raise DamageError(f"the chunk at {offset} is missing")
    stored = dataset.id.read_direct_chunk(offset)
    return unpacked(stored, pipeline(dataset), dataset.dtype, dataset.chunks)


def unpacked(
    stored: tuple[int, bytes],
    filters: Sequence[tuple[int, int, tuple[int, ...], bytes]],
    dtype: np.dtype[Any],
    shape: Shape,
) -> npt.NDArray[Any]:
    """Return the pixels of a chunk from its filter mask and its bytes, or raise DamageError."""
    mask, data = stored[0], memoryview(stored[1])
    size = math.prod(shape) * dtype.itemsize
    for number, (code, *_) in reversed(list(enumerate(filters))):
        if mask >> number & 1:  # HDF5's word for "without this filter"
            continue
        if code == h5z.FILTER_FLETCHER32:
            data, given = data[:-4], data[-4:]
            if fletcher32(data) != given:
                raise DamageError("its checksum (fletcher32) is wrong")
        elif code == h5z.FILTER_DEFLATE:
            data = memoryview(_inflated(data, size))
        elif len(data) == size:
            data = memoryview(unshuffled(data, dtype.itemsize))
    if len(data) != size:
        raise DamageError(f"a chunk of {size} bytes has {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)


def _inflated(data: memoryview, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, size + 5)  # a checksum may be inside
    except zlib.error as error:
        raise DamageError(f"its deflate stream is damaged: {error}") from error
    if not stream.eof:
        raise DamageError("its deflate stream is cut or too long")
    return found


def read(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    """Return all of a dataset.

    Raises
    ------
    DamageError
        If a chunk is missing, damaged, or not of a chunk's size, or if the dataset claims
        more than its chunks can hold.
    """
    if not is_plain(dataset):
        return np.asarray(dataset[()])
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    if size > _MOST * (dataset.id.get_storage_size() + 64):
        raise DamageError(f"{dataset.name} claims {size} bytes, more than its chunks can hold")
    try:
        values = np.empty(dataset.shape, dataset.dtype)
    except MemoryError as error:
        raise DamageError(
            f"{dataset.name} claims {size} bytes, for which there is no memory"
        ) from error
    steps = [range(0, edge, step) for edge, step in zip(dataset.shape, dataset.chunks, strict=True)]
    for offset in itertools.product(*steps):
        place = tuple(slice(o, o + c) for o, c in zip(offset, dataset.chunks, strict=True))
        target = values[place]
        target[...] = read_chunk(dataset, offset)[tuple(map(slice, target.shape))]
    return values
