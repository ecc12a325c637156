"""References to a stack in kerchunk's format, by which Zarr reads the HDF5 file in place.

They are made here because kerchunk's own `SingleHdf5ToZarr` refuses this package's filter.
Sources: kerchunk's specification, version 1; Zarr's storage specification, version 2.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import h5py
import numpy as np
from h5py import h5z

from ..errors import FormatError, UnsupportedError, extra
from ..hdf5 import standard_filters
from ..hdf5.failures import damage_as_error
from ..hdf5.filter import FILTER_ID, pipeline, stored_coding
from ..layout import column_values, metadata_names, metadata_reading
from ..layout.stack_group import Layout
from ..metadata.coordinates import Coordinate
from ..metadata.description import NO_METADATA, Metadata
from ..reading.stack_file import StackFile, split_readable
from ..shapes import Pixels, Shape, is_consecutive, leading_chunk
from ..similar.fingerprints import HASHES
from ..text import json_text

INLINE_BYTES = 64 << 20
"""The most bytes of an array that the references may hold themselves.

They hold chunks that Zarr cannot read in place."""

_TABLES = ("index/group", "index/position", "index/crc32", *(f"hashes/{name}" for name in HASHES))
_GROUP = '{"zarr_format": 2}'
_SAID_BY_ARRAYS = (metadata_names.DIMS, metadata_names.COORDS, metadata_names.ATTRIBUTES)
"""Attributes of a stack that its arrays say in the way of Zarr and xarray."""

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
        order is the array ``frames``; if several axes count frames, and blocks fit them, it is also
        the array ``nd`` with all axes. Coordinates are arrays, and all arrays name their axes as
        xarray does. If no ``nd`` is there, what is along the axes that count frames has a value for
        each frame. In a reordered stack each pile is an array
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
    leading = opened.leading_shape
    outer = _outer_chunk(layout, leading) if layout.in_order else None
    metadata = _metadata(layout, leading)
    if outer is None:
        metadata = metadata.flat(leading)
        leading = opened.shape[:1]
    frame_axis, rest = metadata.frame_axis(leading), metadata.dims[len(leading) :]
    facts = {key: value for key, value in opened.attrs.items() if key not in _SAID_BY_ARRAYS}
    refs: Refs = {".zgroup": _GROUP, ".zattrs": _text(facts)}
    for number, pile in enumerate(layout.piles):
        name = "frames" if layout.in_order else f"groups/{number:06d}/video"
        axes, shape = [frame_axis if layout.in_order else _positions(number)], pile.shape
        if pile.data.ndim > len(shape):  # several axes count frames
            shape = pile.data.shape
            axes = [f"axis_{axis}" for axis in range(pile.data.ndim - len(pile.shape) + 1)]
        refs |= _array(name, pile.data, shape, (*axes, *rest), holes=opened.bare)
    if layout.in_order and layout.group is not None:
        _name_coordinates(refs, "frames", (frame_axis, *rest), metadata)
    if outer is not None:
        refs |= _nd(refs, leading, outer, metadata)
    if layout.group is not None and not layout.live:
        for name, coordinate in metadata.coords.items():
            refs |= _coordinate(layout.group, name, coordinate)
        for name, dim in _tables(layout, frame_axis).items():
            table = layout.group.get(name)
            if isinstance(table, h5py.Dataset) and table.shape:
                refs |= _array(name, table, table.shape, (dim,), holes=False)
    for name in list(refs):  # each part of a path must be a group
        for parent in list(PurePosixPath(name).parents)[1:-1]:
            refs.setdefault(f"{parent}/.zgroup", _GROUP)
    return refs


def _metadata(layout: Layout, leading: Shape) -> Metadata:
    """Return what a stack knows of its frames, with a name for each axis."""
    metadata = NO_METADATA
    if layout.group is not None and not layout.live:
        metadata = metadata_reading.read(layout.group, layout.attrs)
    return metadata.checked(leading, layout.shape[1:])


def _outer_chunk(layout: Layout, leading: Shape) -> Shape | None:
    """Return the chunk of the axes that count frames in which blocks lie; None if in no such one.

    One block may hold fewer frames than its chunk has room for.
    """
    data = layout.piles[0].data
    if len(leading) < 2 or data.chunks is None or data.ndim > len(layout.shape):
        return None
    frames = data.chunks[0]
    if frames >= math.prod(leading) and [code for code, *_ in pipeline(data)] == [FILTER_ID]:
        return leading
    outer = leading_chunk(leading, frames, frames)
    return outer if math.prod(outer) == frames and is_consecutive(leading, outer) else None


def _nd(refs: Refs, leading: Shape, outer: Shape, metadata: Metadata) -> Refs:
    """Return the references of the array with all axes, whose chunks are those of `frames`."""
    array = json.loads(refs["frames/.zarray"])
    frames, *rest = array["chunks"]
    array["shape"], array["chunks"] = [*leading, *array["shape"][1:]], [*outer, *rest]
    for codec in (array["compressor"], *(array["filters"] or ())):
        if codec and "shape" in codec:
            codec["shape"] = array["chunks"]
    found: Refs = {"nd/.zarray": _text(array)}
    found["nd/.zattrs"] = _text({"_ARRAY_DIMENSIONS": metadata.dims})
    _name_coordinates(found, "nd", metadata.dims, metadata)
    for key, reference in refs.items():
        if key.startswith("frames/") and key[len("frames/")].isdigit():
            number, *tile = key.removeprefix("frames/").split(".")
            first = np.unravel_index(int(number) * frames, leading)
            place = [int(at) // step for at, step in zip(first, outer, strict=True)]
            found[f"nd/{'.'.join([*map(str, place), *tile])}"] = reference
    return found


def _name_coordinates(refs: Refs, name: str, dims: Sequence[str], metadata: Metadata) -> None:
    """Name in the attributes of an array the coordinates that it has beside those of its axes."""
    others = [
        os.fsdecode(metadata_names.stored_name(other))
        for other, coordinate in metadata.coords.items()
        if coordinate.dims != (other,) and set(coordinate.dims) <= set(dims)
    ]
    named = [other for other in others if not any(letter.isspace() for letter in other)]
    if named:
        attrs = json.loads(refs[f"{name}/.zattrs"]) | {metadata_names.AUXILIARY: " ".join(named)}
        refs[f"{name}/.zattrs"] = _text(attrs)


def _coordinate(group: h5py.Group, name: str, coordinate: Coordinate) -> Refs:
    """Return the references of a coordinate, as Zarr and xarray have such values."""
    stored = metadata_names.stored_name(name)
    key, data = os.fsdecode(stored), group[stored]
    values, marks = column_values.encoded(coordinate.data, coordinate.attrs)
    attrs = {**coordinate.attrs, **marks}
    attrs.pop(metadata_names.STORED_AS, None)
    if values.dtype.kind != "S" and data.shape == coordinate.shape and values.dtype == data.dtype:
        refs = _array(key, data, data.shape, coordinate.dims, holes=False)
    else:  # Zarr has no UTF-8 of a fixed length, and columns for frames may be made of others
        refs = _inline_array(key, coordinate.values if values.dtype.kind == "S" else values)
    refs[f"{key}/.zattrs"] = _text({**attrs, "_ARRAY_DIMENSIONS": coordinate.dims})
    return refs


def _inline_array(name: str, values: Pixels) -> Refs:
    """Return an array of which the references hold all values."""
    little = np.asarray(values, values.dtype.newbyteorder("<"), order="C")
    array = {
        "zarr_format": 2, "shape": little.shape, "chunks": little.shape, "dtype": little.dtype.str,
        "compressor": {"id": "zlib", "level": 1}, "filters": None, "fill_value": None, "order": "C",
    }  # fmt: skip
    data = zlib.compress(little.tobytes())
    if len(data) > INLINE_BYTES:
        raise UnsupportedError(
            f"the coordinate {name} is too large for references: it has {len(data)} bytes"
        )
    key = ".".join("0" for _ in little.shape) or "0"
    return {f"{name}/.zarray": _text(array), f"{name}/{key}": _inline(data)}


def _positions(number: int) -> str:
    """Return the name of a pile's first axis; axes of one name must have one length."""
    return f"position_{number:06d}"


def _tables(layout: Layout, frame_axis: str) -> dict[str, str]:
    """Return the names of the tables, each with the name of its axis."""
    tables = dict.fromkeys(_TABLES, frame_axis) | {"original": "saved"}
    for number in range(len(layout.piles)):
        axis = frame_axis if layout.in_order else _positions(number)
        tables[f"groups/{number:06d}/members"] = axis
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
        key = ".".join("0" for _ in shape) or "0"
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
