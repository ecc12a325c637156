"""What may be replaced: files that hold nothing but stacks, and of a stack what is its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from ..errors import FormatError, OutputError
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from . import metadata_reading, metadata_writing
from .names import BESIDE, HOW_TO_READ, STACK_ATTRIBUTES, find_stacks, is_member, is_stack

_SUFFIXES = {
    "an image": "png apng jpg jpeg jpe jfif jp2 j2k jpx jxl jxr tif tiff btf tf8 gif bmp dib webp "
    "avif heic heif ppm pgm pbm pnm tga exr hdr psd ico svg dng nef cr2 cr3 arw lsm stk czi nd2 "
    "lif scn svs ndpi dcm fits fit fts mrc mrcs",
    "a video": "mp4 m4v mkv webm avi mov mpg mpeg ts m2ts mts flv wmv asf ogv mxf nut y4m h264 264 "
    "h265 265 hevc ivf dv cine seq",
    "an array": "npy npz zarr nii nrrd mha mhd raw bin pkl",
    "an archive or a table": "zip gz bz2 xz zst 7z tar tgz csv tsv txt json parquet xlsx",
}
"""Endings of the names of files of other kinds."""
_KINDS = {f".{ending}": kind for kind, endings in _SUFFIXES.items() for ending in endings.split()}

_SHOWN = 5


def check_name(path: Path) -> None:
    """Raise OutputError if an output that is to be HDF5 has the name of something else.

    If the user forgot to name the output, the last input stands in its place.
    """
    kind = kind_of_name(path)
    if kind is not None:
        raise OutputError(
            f"the output {path} has the name of {kind} ({path.suffix}), but what is written is "
            "HDF5: name the output if it was forgotten; else give it another ending, as out.h5"
        )


def kind_of_name(name: str | os.PathLike[str]) -> str | None:
    """Return what a file of this name is, if not HDF5: "an image", "a video", ..."""
    return _KINDS.get(os.path.splitext(os.fspath(name))[1].lower())


def refuse_others(path: Path, kept: str | None = None) -> None:
    """See that a file can be replaced, since all that is in it is ours.

    Parameters
    ----------
    kept
        A stack in it of which members and attributes of others go into the new file.

    Raises
    ------
    OutputError
        If the file exists, and holds something else, or is no HDF5 file.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    if not h5py.is_hdf5(path):
        raise OutputError(f"{path} is no HDF5 file, and is not replaced: remove it, if it may go")
    try:
        with open_hdf5(str(path)) as file, damage_as_error(str(path)):
            found = list(_others(file, "", kept))
            if file.userblock_size:
                found.append(f"{file.userblock_size} bytes before its beginning (a user block)")
            stacks = find_stacks(file)
    except FormatError as error:
        raise OutputError(
            f"{path} is not replaced, because what is in it cannot be read ({error}): remove it, "
            "if it may go"
        ) from error
    if found:
        place = stacks[0] if stacks else "/stack"
        raise OutputError(
            f"{path} is not replaced, because it holds what is not of h5vidstack: "
            f"{_listed(found)}; name a place in it, as {path}::{place}, or remove "
            "the file, if it may go"
        )


def _others(group: h5py.Group, path: str, kept: str | None) -> Iterator[str]:
    """Yield paths of what is in a group and not ours; attributes have an @ before the name."""
    stack = is_stack(group)
    if stack and path == kept:
        return
    yield from (f"{path or '/'}@{name}" for name in attributes_of_others(group))
    for name in members_of_others(group):
        there = f"{path}/{name}"
        # What is in a group of others within a stack is theirs, too.
        hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
        node = group[name] if hard else None
        empty = isinstance(node, h5py.Group) and not len(node) and there != BESIDE
        if isinstance(node, h5py.Group) and not stack and not empty:
            yield from _others(node, there, kept)
        else:
            yield there


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def attributes_of_others(group: h5py.Group) -> list[str]:
    """Return the names of a group's attributes that a stack does not have of itself."""
    own = (*STACK_ATTRIBUTES, *metadata_reading.attribute_names(group)) if is_stack(group) else ()
    return [name for name in group.attrs if name not in (*own, HOW_TO_READ)]


def members_of_others(group: h5py.Group) -> list[str]:
    """Return the names in a group that a stack does not have of itself."""
    if not is_stack(group):
        return list(group)
    own = metadata_reading.member_names(group)
    return [name for name in group if not is_member(name) and name not in own]


def make_way(file: h5py.File, place: str, plain: bool) -> bool:
    """Remove a stack from its group; say whether something of others is left in it.

    Parameters
    ----------
    place
        Of the stack, or of what is to be removed then.
    plain
        It may be a dataset. One with a stack beside it, and without attributes, may be in any case.

    Raises
    ------
    OutputError
        If it is none of these.
    """
    name = f"{place} in {file.filename}"
    if not isinstance(file.get(place, getlink=True), h5py.HardLink):
        raise OutputError(f"{name} is a link, and is not replaced: remove it, if it may go")
    node = file[place]
    if not isinstance(node, h5py.Group):
        coded = is_stack(file.get(BESIDE + "/" + place.strip("/")))  # a stack, as `open` takes it
        if isinstance(node, h5py.Dataset) and (plain or (coded and not len(node.attrs))):
            return False
        raise OutputError(f"{name} is not a stack, and is not replaced: give another place")
    if not is_stack(node):
        found = list(_others(node, place.rstrip("/"), None))
        if found:
            raise OutputError(
                f"{name} is not replaced, because it holds {_listed(found)}: give another place"
            )
        return False
    others = bool(attributes_of_others(node) or members_of_others(node))
    metadata_writing.clear(node)
    for own in filter(is_member, list(node)):
        del node[own]
    for own in filter(node.attrs.__contains__, STACK_ATTRIBUTES):
        del node.attrs[own]
    return others


def keep_others(old: h5py.Group, new: h5py.Group) -> None:
    """Copy members and attributes of others from a stack to the one that takes its place.

    Raises
    ------
    OutputError
        If something is bound to its file.
    """
    for name in attributes_of_others(old):
        value, dtype = old.attrs[name], old.attrs.get_id(name).dtype
        if h5py.check_ref_dtype(dtype) is not None:
            raise OutputError(
                f"the attribute {name} of {old.name} refers to objects of its file, and cannot be "
                f"copied: name the place of the stack, {old.file.filename}::{old.name}"
            )
        new.attrs.create(name, value, dtype=None if isinstance(value, h5py.Empty) else dtype)
    for name in members_of_others(old):
        link = old.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            old.copy(name, new)
        else:
            new[name] = link
