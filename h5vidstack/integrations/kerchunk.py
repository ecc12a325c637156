"""References to a stack in kerchunk's format, by which Zarr reads the HDF5 file in place.

They are made here because kerchunk's own `SingleHdf5ToZarr` refuses this package's filter.
Sources: kerchunk's specification, version 1; Zarr's storage specification, version 2.
"""

from __future__ import annotations

import base64
import contextlib
import math
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import h5py
import numpy as np
from h5py import h5z

from ..errors import FormatError, UnsupportedError, extra
from ..hdf5 import standard_filters
from ..hdf5.failures import damage_as_error
from ..hdf5.filter import FILTER_ID, pipeline, stored_coding
from ..layout.stack_group import Layout
from ..reading.stack_file import StackFile, split_readable
from ..shapes import Shape
from ..similar.fingerprints import HASHES
from ..text import json_text

DIMS = ("frame", "y", "x", "channel")
INLINE_BYTES = 64 << 20
"""The most bytes of an array that the references may hold themselves.

They hold chunks that Zarr cannot read in place."""

_TABLES = ("index/group", "index/position", "index/crc32", *(f"hashes/{name}" for name in HASHES))
_GROUP = '{"zarr_format": 2}'

Refs = dict[str, Any]


def references(
    path: str | os.PathLike[str],
    *,
    url: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a stack for fsspec's reference file system, so that Zarr reads it in place.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``, or such a URL.
    url
        Where readers will find the file; None means at `path`.
    storage_options
        Options of fsspec's file system, if `path` is a URL.

    Returns
    -------
    dict
        References of kerchunk's version 1, ready for JSON, to a Zarr group of format 2. A stack in
        order is the array ``frames``. In a reordered stack each pile is an array
        ``groups/000000/video``, and frame i is entry ``index/position[i]`` of pile
        ``index/group[i]``. The index, the CRCs, the members of piles and the hashes are arrays with
        the names that they have in the file.

    Raises
    ------
    FormatError
        If there is no such stack, or it is damaged.
    UnsupportedError
        If Zarr cannot express the stack: a PCA, differences to a mean, linked parts, or other
        filters.
    """
    file, inner = split_readable(path)
    target = url or file
    if "{{" in target:
        raise UnsupportedError(
            f"{target}: kerchunk takes {{{{ in a name for a template; rename the file"
        )
    opened = StackFile(file, inner, storage_options)
    with contextlib.closing(opened), damage_as_error(opened.name):
        refs = opened.ask(lambda layout: _stack(layout, opened))
    # By no template, since VirtualiZarr knows none.
    placed = {key: ref if isinstance(ref, str) else [target, *ref] for key, ref in refs.items()}
    return {"version": 1, "refs": placed}


def _stack(layout: Layout, opened: StackFile) -> Refs:
    if not all(pile.plain for pile in layout.piles):
        raise UnsupportedError(
            f"{opened.name}: its frames are made of a mean and differences to it, or of principal "
            "components, which Zarr cannot compute; pack it again with --method video"
        )
    if layout.linked:
        raise UnsupportedError(
            f"{opened.name} links parts in other files; make references to each part instead"
        )
    refs: Refs = {".zgroup": _GROUP, ".zattrs": _text(opened.attrs)}
    for number, pile in enumerate(layout.piles):
        name = "frames" if layout.in_order else f"groups/{number:06d}/video"
        axes, shape = [_positions(layout, number)], pile.shape
        if pile.data.ndim > len(shape):  # several axes count frames
            shape = pile.data.shape
            axes = [f"axis_{axis}" for axis in range(pile.data.ndim - len(pile.shape) + 1)]
        dims = (*axes, *DIMS[1 : len(pile.shape)])
        refs |= _array(name, pile.data, shape, dims, holes=opened.bare)
    if layout.group is not None and not layout.live:
        for name, dim in _tables(layout).items():
            table = layout.group.get(name)
            if isinstance(table, h5py.Dataset) and table.shape:
                refs |= _array(name, table, table.shape, (dim,), holes=False)
    for name in list(refs):  # each part of a path must be a group
        for parent in list(PurePosixPath(name).parents)[1:-1]:
            refs.setdefault(f"{parent}/.zgroup", _GROUP)
    return refs


def _positions(layout: Layout, number: int) -> str:
    """Return the name of a pile's first axis; axes of one name must have one length."""
    return "frame" if layout.in_order else f"position_{number:06d}"


def _tables(layout: Layout) -> dict[str, str]:
    """Return the names of the tables, each with the name of its axis."""
    tables = dict.fromkeys(_TABLES, "frame") | {"original": "saved"}
    for number in range(len(layout.piles)):
        tables[f"groups/{number:06d}/members"] = _positions(layout, number)
    return tables


def _array(
    name: str, dataset: h5py.Dataset, shape: Shape, dims: tuple[str, ...], *, holes: bool
) -> Refs:
    """Return the references of one array of a Zarr group: texts, or offset and size in the file.

    Parameters
    ----------
    shape
        The shape of the part of the dataset to show.
    dims
        The names of the axes.
    holes
        Whether chunks that were never written hold the fill value. If not, they are an error.
    """
    chunks = dataset.chunks or tuple(max(1, edge) for edge in shape)
    filters = [_filter(dataset, *entry[::2]) for entry in pipeline(dataset)]
    array = {
        "zarr_format": 2,
        "shape": shape,
        "chunks": chunks,
        "dtype": dataset.dtype.str,
        "compressor": None,  # VirtualiZarr 2 fails at any; the last filter is the same to Zarr
        "filters": filters or None,
        "fill_value": None,  # xarray would take a value for missing pixels
        "order": "C",
    }
    refs: Refs = {f"{name}/.zarray": _text(array)}
    refs[f"{name}/.zattrs"] = _text({"_ARRAY_DIMENSIONS": dims})
    if not math.prod(shape):
        return refs
    if dataset.chunks is None:
        key = ".".join("0" for _ in shape)
        refs[f"{name}/{key}"] = _unchunked(dataset)
        return refs
    counts = [-(-edge // step) for edge, step in zip(shape, chunks, strict=True)]
    found = 0
    for info in _chunk_infos(dataset):
        place = [o // c for o, c in zip(info.chunk_offset, chunks, strict=True)]
        if any(number >= count for number, count in zip(place, counts, strict=True)):
            continue
        reference: Any = [info.byte_offset, info.size]
        if info.filter_mask:
            reference = _inline(_encoded(dataset, info.chunk_offset, filters))
        refs[f"{name}/{'.'.join(map(str, place))}"] = reference
        found += 1
    if found < math.prod(counts):
        if not holes:
            raise FormatError(f"{dataset.name}: {math.prod(counts) - found} chunks are missing")
        refs[f"{name}/.zarray"] = _text(array | {"fill_value": _fill(dataset)})
    if sum(len(ref) for ref in refs.values() if isinstance(ref, str)) > INLINE_BYTES:
        raise UnsupportedError(
            f"{dataset.name} has too many chunks that are stored without its filters, which Zarr "
            "cannot read in place; pack it again"
        )
    return refs


def _chunk_infos(dataset: h5py.Dataset) -> list[Any]:
    infos: list[Any] = []
    dataset.id.chunk_iter(infos.append)
    return [info for info in infos if info.byte_offset is not None]


def _filter(dataset: h5py.Dataset, code: int, values: tuple[int, ...]) -> dict[str, Any]:
    """Return the codec of numcodecs for a filter of HDF5."""
    if code == FILTER_ID:
        coding = stored_coding(dataset)
        preset = {} if coding is None or not coding.lossless else {"preset": coding.preset}
        shape = list(dataset.chunks)
        return {"id": "h5vidstack", "shape": shape, "dtype": dataset.dtype.str} | preset
    if code == h5z.FILTER_DEFLATE:
        return {"id": "zlib", "level": values[0]}
    if code == h5z.FILTER_SHUFFLE:
        return {"id": "shuffle", "elementsize": dataset.dtype.itemsize}
    if code == h5z.FILTER_FLETCHER32:
        return {"id": "fletcher32"}
    raise UnsupportedError(
        f"{dataset.name} has the HDF5 filter {code}, for which h5vidstack knows no codec of Zarr; "
        "pack it again"
    )


def _encoded(dataset: h5py.Dataset, offset: Shape, filters: list[dict[str, Any]]) -> bytes:
    """Return a chunk with all its filters applied, where HDF5 left some out."""
    with extra("zarr"):
        import numcodecs  # inside, because it is optional and few files have such chunks
    mask, data = dataset.id.read_direct_chunk(offset)
    if filters[0]["id"] == "h5vidstack" and mask & 1:
        pixels: Any = np.frombuffer(data, dataset.dtype).reshape(dataset.chunks)
    elif len(filters) == 1:
        return bytes(data)
    else:
        pixels = standard_filters.unpacked(
            (mask, data), pipeline(dataset), dataset.dtype, dataset.chunks
        )
    for config in filters:
        pixels = numcodecs.get_codec(dict(config)).encode(np.ascontiguousarray(pixels))
    return bytes(pixels)


def _unchunked(dataset: h5py.Dataset) -> Any:
    """Return the reference of a dataset that is stored in one piece: a text, or offset and size."""
    start = dataset.id.get_offset()
    if start is None:  # a compact dataset is stored in its header
        return _inline(np.ascontiguousarray(dataset[()]).tobytes())
    return [start, dataset.id.get_storage_size()]


def _fill(dataset: h5py.Dataset) -> Any:
    value = dataset.fillvalue.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _inline(data: bytes) -> str:
    return "base64:" + base64.b64encode(data).decode()


def _text(facts: Mapping[str, Any]) -> str:
    return json_text(dict(facts))
