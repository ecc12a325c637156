"""A stack as references in kerchunk's format, by which Zarr reads the HDF5 file in place.

Kerchunk's own `SingleHdf5ToZarr` refuses filters that it does not know, as this package's is.
Source: kerchunk's specification, version 1; Zarr's storage specification, version 2.
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
from ..layout.names import DEFAULT_STACK
from ..layout.stack_group import Layout
from ..reading.stack_file import StackFile, split_readable
from ..shapes import Shape
from ..similar.fingerprints import HASHES
from ..text import json_text

DIMS = ("frame", "y", "x", "channel")
INLINE_BYTES = 64 << 20
"""Chunks that Zarr cannot read in place are put into the references, up to so many bytes."""

_TABLES = ("index/group", "index/position", "index/crc32", *(f"hashes/{name}" for name in HASHES))
_GROUP = '{"zarr_format": 2}'
_HERE = "f"  # the template that stands for the file

Refs = dict[str, Any]


def references(
    path: str | os.PathLike[str],
    *,
    url: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a stack for `fsspec`'s reference file system, so that Zarr reads it in place.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``, or such a URL.
    url
        Where readers will find the file; None: at `path`.
    storage_options
        Of fsspec's file system, if `path` is a URL.

    Returns
    -------
    dict
        Of kerchunk's version 1, JSON-ready: a Zarr group of format 2. A stack in order is its
        array ``frames``; of another, each pile is an array ``groups/000000/video``, and frame i
        is entry ``index/position[i]`` of pile ``index/group[i]``. The index, the CRCs, the
        members of piles and the hashes are arrays of the names they have in the file.

    Raises
    ------
    FormatError
        If there is no such stack, or it is damaged.
    UnsupportedError
        If Zarr has no words for it: a PCA, differences to a mean, parts, filters of others.
    """
    file, inner = split_readable(path)
    target = url or file
    if "{{" in target:
        raise UnsupportedError(f"{target}: kerchunk takes {{{{ in a name for a template; rename it")
    opened = StackFile(file, inner or DEFAULT_STACK, storage_options)
    with contextlib.closing(opened), damage_as_error(opened.name):
        refs = opened.ask(lambda layout: _stack(layout, opened))
    return {"version": 1, "templates": {_HERE: target}, "refs": refs}


def _stack(layout: Layout, opened: StackFile) -> Refs:
    if not all(pile.plain for pile in layout.piles):
        raise UnsupportedError(
            f"{opened.name}: its frames are made of a mean and differences to it, or of principal "
            "components, which Zarr cannot do; pack it anew by --method video"
        )
    if layout.linked:
        raise UnsupportedError(
            f"{opened.name} links parts in other files: make the references of each part"
        )
    refs: Refs = {".zgroup": _GROUP, ".zattrs": _text(opened.attrs)}
    for number, pile in enumerate(layout.piles):
        name = "frames" if layout.in_order else f"groups/{number:06d}/video"
        axes, shape = [_positions(layout, number)], pile.shape
        if pile.data.ndim > len(shape):  # several count frames
            shape = pile.data.shape
            axes = [f"axis_{axis}" for axis in range(pile.data.ndim - len(pile.shape) + 1)]
        dims = (*axes, *DIMS[1 : len(pile.shape)])
        refs |= _array(name, pile.data, shape, dims, holes=opened.bare)
    if layout.group is not None and not layout.live:
        for name, dim in _tables(layout).items():
            table = layout.group.get(name)
            if isinstance(table, h5py.Dataset) and table.shape:
                refs |= _array(name, table, table.shape, (dim,), holes=False)
    for name in list(refs):  # every part of a path is a group
        for parent in list(PurePosixPath(name).parents)[1:-1]:
            refs.setdefault(f"{parent}/.zgroup", _GROUP)
    return refs


def _positions(layout: Layout, number: int) -> str:
    """What the first axis of a pile counts; arrays with axes of one name have one length."""
    return "frame" if layout.in_order else f"position_{number:06d}"


def _tables(layout: Layout) -> dict[str, str]:
    """Names of the tables, and what they count."""
    tables = dict.fromkeys(_TABLES, "frame") | {"original": "saved"}
    for number in range(len(layout.piles)):
        tables[f"groups/{number:06d}/members"] = _positions(layout, number)
    return tables


def _array(
    name: str, dataset: h5py.Dataset, shape: Shape, dims: tuple[str, ...], *, holes: bool
) -> Refs:
    """References of one array of a Zarr group.

    Parameters
    ----------
    shape
        Of the part of the dataset to show.
    dims
        Names of the axes.
    holes
        Chunks that were never written hold the fill value; else they are missed.
    """
    chunks = dataset.chunks or tuple(max(1, edge) for edge in shape)
    filters = [_filter(dataset, *entry[::2]) for entry in pipeline(dataset)]
    array = {
        "zarr_format": 2,
        "shape": shape,
        "chunks": chunks,
        "dtype": dataset.dtype.str,
        "compressor": filters[-1] if filters else None,
        "filters": filters[:-1] or None,
        "fill_value": None,  # a value is what xarray would take for missing pixels
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
        reference: Any = [f"{{{{{_HERE}}}}}", info.byte_offset, info.size]
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
            "cannot read in place; pack it anew"
        )
    return refs


def _chunk_infos(dataset: h5py.Dataset) -> list[Any]:
    infos: list[Any] = []
    dataset.id.chunk_iter(infos.append)
    return [info for info in infos if info.byte_offset is not None]


def _filter(dataset: h5py.Dataset, code: int, values: tuple[int, ...]) -> dict[str, Any]:
    """A filter of HDF5 as a codec of numcodecs."""
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
        "pack it anew"
    )


def _encoded(dataset: h5py.Dataset, offset: Shape, filters: list[dict[str, Any]]) -> bytes:
    """A chunk that some filters were left out of, with all of them."""
    with extra("zarr"):
        import numcodecs
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
    """A dataset that is stored in one piece."""
    start = dataset.id.get_offset()
    if start is None:  # beside its name
        return _inline(np.ascontiguousarray(dataset[()]).tobytes())
    return [f"{{{{{_HERE}}}}}", start, dataset.id.get_storage_size()]


def _fill(dataset: h5py.Dataset) -> Any:
    value = dataset.fillvalue.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _inline(data: bytes) -> str:
    return "base64:" + base64.b64encode(data).decode()


def _text(facts: Mapping[str, Any]) -> str:
    return json_text(dict(facts))
