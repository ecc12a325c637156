"""The check that no output overwrites a file that its frames come from."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from ..errors import FormatError, MissingError, OutputError, SourceError
from ..hdf5.opening import is_url, open_hdf5
from ..layout.names import DEFAULT_STACK, is_stack, split_target
from ..layout.piles import Part
from ..layout.stack_list import usual_stack
from ..reading.stack_file import StackFile
from .file_names import find_named
from .images.image_source import list_images
from .tiff.tiff_source import TiffFrames, is_tiff


def refuse_source(output: str | os.PathLike[str], source: Any, *, repack: bool = False) -> bool:
    """See that writing `output` does not destroy what is read.

    Parameters
    ----------
    output
        A file, which is replaced, or ``file.h5::/path``, of which only that path is replaced.
    source
        Anything that `pack` takes. Only paths can be recognized, also through links.
    repack
        A stack may be packed into its own place, because the new one holds the same frames.

    Returns
    -------
    bool
        Whether a stack is packed into its own place.

    Raises
    ------
    OutputError
        If `output` is one of the source's files, or a place in such a file that holds the source.
    """
    path, replaced = split_target(output)
    try:
        there = path.stat()
    except OSError:  # nothing is there to be lost, or writing will say why it fails
        return False
    in_place = False
    for file, inner in _with_parts_of_tiff(path, _files(source)):
        place = _place(file, inner)
        for part in _parts(file, place):
            with contextlib.suppress(OSError):
                inside = replaced is None or f"{part.stack}/".startswith(f"{replaced}/")
                if inside and os.path.samestat(there, os.stat(part.path)):
                    raise OutputError(
                        f"{output} holds frames of the source {file}; give the output another name"
                    )
        with contextlib.suppress(OSError):
            if not os.path.samestat(there, file.stat()):
                continue
            if replaced and not f"{place}/".startswith(f"{replaced}/"):
                continue
            if repack and _is_stack(file, place, replaced):
                in_place = True
                continue
            raise OutputError(f"the output is the source: {output}; give it another name")
    return in_place


def _files(source: Any) -> Iterator[tuple[Path, str | None]]:
    """Yield the files that a source names, and the places in them."""
    if isinstance(source, (list, tuple)):
        for item in source:
            yield from _files(item)
    elif isinstance(source, (str, bytes, os.PathLike)):
        if is_url(os.fsdecode(source)):
            return
        try:
            named = find_named(os.fsdecode(source))
            images = list_images(named.path)[0] if named.path.is_dir() else []
        except SourceError:  # reading it will say why
            return
        yield from ((image, None) for image in images)
        if not images:
            yield from ((file, named.inner) for file in named.matches or (named.path,))


def _with_parts_of_tiff(
    output: Path, files: Iterator[tuple[Path, str | None]]
) -> Iterator[tuple[Path, str | None]]:
    """Yield files, and if the output is a TIFF also the files that hold further pages of theirs."""
    may_be = _begins_as_tiff(output)
    for file, inner in files:
        yield file, inner
        if may_be and _begins_as_tiff(file):
            with (
                contextlib.suppress(SourceError, MissingError),  # reading it will say why
                contextlib.closing(TiffFrames(file, inner)) as frames,
            ):
                yield from ((Path(part), inner) for part in frames.files)


def _begins_as_tiff(path: Path) -> bool:
    if not path.is_file():  # opening a pipe would wait for its other end
        return False
    with contextlib.suppress(OSError), path.open("rb") as file:
        return is_tiff(file.read(8))
    return False


def _place(file: Path, inner: str | None) -> str:
    """Return the place of a source in its file; where none is named, that of the usual stack."""
    if inner is None and h5py.is_hdf5(file):
        with contextlib.suppress(FormatError), open_hdf5(str(file)) as opened:
            return usual_stack(opened)
    return inner or DEFAULT_STACK


def _parts(file: Path, inner: str) -> list[Part]:
    """Return the parts of a stack that are in other files."""
    if not h5py.is_hdf5(file):
        return []
    try:
        opened = StackFile(str(file), inner)
    except FormatError:  # reading it will say why
        return []
    with contextlib.closing(opened):
        return [pile.part for pile in opened.layout.piles if pile.part is not None]


def _is_stack(file: Path, inner: str, replaced: str | None) -> bool:
    if (replaced or DEFAULT_STACK) != inner or not h5py.is_hdf5(file):
        return False
    with h5py.File(file) as opened:
        return inner in opened and is_stack(opened[inner])
