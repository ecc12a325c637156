"""Which files are to be worked on, and what each output is called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py

from ..errors import OutputError, SourceError
from ..hdf5.opening import is_url
from ..layout.names import SEPARATOR
from ..sources.file_names import find_named, natural_order
from ..sources.zarr_arrays import is_zarr_folder
from .outcomes import FileResult, FileState, FileTask


@dataclass(frozen=True)
class Found:
    """What there is to do.

    Attributes
    ----------
    tasks
        Sources with their outputs.
    others
        What is left out or cannot be read, as results.
    """

    tasks: tuple[FileTask, ...]
    others: tuple[FileResult, ...]


def state_of(path: str | os.PathLike[str]) -> FileState | None:
    """Return the state of a file, or of all files in a folder; None if nothing is there."""
    try:
        status = os.stat(path)
        if not os.path.isdir(path):
            return FileState(status.st_size, status.st_mtime_ns)
        every = [
            os.stat(os.path.join(folder, name))
            for folder, _, names in os.walk(path)
            for name in names
        ]
    except OSError:
        return None
    newest = max((one.st_mtime_ns for one in [*every, status]), default=0)
    return FileState(sum(one.st_size for one in every), newest, len(every))


def hdf5_files(folder: Path, out: Path, but: Path | None = None) -> Found:
    """Find the HDF5 files below a folder, whatever their names.

    Links are followed, and each folder is entered once. What is in `out` is left out, and so are
    names that begin with a dot; they are listed.

    Parameters
    ----------
    folder
        Where to look.
    out
        The folder of the outputs, which have the same relative paths.
    but
        A file that is left out, the log.

    Raises
    ------
    SourceError
        If `folder` is no folder.
    OutputError
        If `out` is `folder`, or is no folder; or an output would be a source.
    """
    if not folder.is_dir():
        kind = "a file; --recursive (repack_many) takes a folder" if folder.exists() else "missing"
        raise SourceError(f"{folder} is {kind}")
    _check_out(out)
    if out.resolve() == folder.resolve():
        raise OutputError(f"{out} is the folder of the sources; name another for the outputs")
    tasks, others = [], []
    for path, why in _walk(folder, out, but):
        name = str(path.relative_to(folder))
        source = os.path.abspath(path)
        reason = why or _why_not(path)
        if reason is None:
            state = state_of(path)
            target = os.path.abspath(out / name)
            tasks.append(FileTask(name=name, source=source, target=target, state=state))
            continue
        failed = reason.startswith(_FAILED)
        others.append(
            FileResult(
                name=name, source=source, status="failed" if failed else "skipped", what=reason,
                error="SourceError" if failed else None,
            )
        )  # fmt: skip
    _check_targets(tasks)
    return Found(tuple(tasks), tuple(others))


_FAILED = "cannot be read"
"""How reasons begin that are failures: what cannot be read may be an HDF5 file."""


def _walk(folder: Path, out: Path, but: Path | None) -> Iterator[tuple[Path, str | None]]:
    """Yield files below a folder, with the reason why one is left out, if there is one.

    Folders are walked before links to folders, so that a folder is entered by its own name.
    """
    entered = {out.resolve()}
    folders, links = [folder], list[Path]()
    while folders or links:
        here = folders.pop() if folders else links.pop(0)
        real = here.resolve()
        if real in entered:
            if real != out.resolve() or here.is_symlink():
                yield here, "a link to a folder that is walked already, or to that of the outputs"
            continue
        entered.add(real)
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield here, f"{_FAILED}: {error.strerror}"
            continue
        below: list[Path] = []
        for entry in entries:
            path = Path(entry.path)
            try:
                is_folder = entry.is_dir()
            except OSError as error:  # a link that leads to itself
                yield path, f"{_FAILED}: {error.strerror}"
                continue
            if entry.name.startswith("."):
                yield path, "its name begins with a dot"
            elif is_folder:
                (links if entry.is_symlink() else below).append(path)
            elif but is None or not _same(path, but):
                yield path, None
        folders += reversed(below)


def _same(one: Path, other: Path) -> bool:
    """Return whether two paths are of one file, of which the second need not exist."""
    return one.name == other.name and one.resolve() == other.resolve()


def _why_not(path: Path) -> str | None:
    """Return why a file is not worked on, or None if it is an HDF5 file."""
    if path.is_symlink() and not path.exists():
        return f"{_FAILED}: it is a link to a missing file, {os.readlink(path)}"
    if not path.is_file():
        return "it is a pipe or a device"
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{_FAILED}: {error.strerror}"
    return None if h5py.is_hdf5(path) else "not HDF5"


def sources_of_their_own(names: Sequence[str], out: Path) -> Found:
    """Find the sources that `pack` would take by these names, each of which gets a file.

    A pattern stands for all files that match it. An output is called as its source, below the
    folder that all sources have in common, with the ending ``.h5``.

    Raises
    ------
    SourceError
        If nothing has one of the names.
    OutputError
        If two outputs would have one name, one would be a source, or `out` is no folder.
    """
    _check_out(out)
    places = [place for name in names for place in _places(name)]
    parents = [str(place.path.parent) for place in places if place.path.is_absolute()]
    common = Path(os.path.commonpath(parents)) if parents else Path()
    tasks = [
        FileTask(
            name=place.shown,
            source=place.opened,
            target=os.path.abspath(out / place.output(common)),
            state=state_of(place.path) if place.path.is_absolute() else None,
        )
        for place in places
    ]
    _check_targets(tasks)
    return Found(tuple(tasks), ())


@dataclass(frozen=True)
class _Place:
    """A source that `pack` takes.

    Attributes
    ----------
    opened, shown
        Its name, independent of the working folder, and as it was given.
    path
        The absolute path of the file or folder; of a URL only a name.
    inner
        The place inside the file, or nothing.
    """

    opened: str
    shown: str
    path: Path
    inner: str = ""

    def output(self, common: Path) -> Path:
        """Return the relative path of its output, as ``run1/scan-entry-data.h5``."""
        path = self.path.relative_to(common) if self.path.is_absolute() else self.path
        whole = self.path.is_dir() and not is_zarr_folder(self.path)
        name = (path.name if whole else path.stem) + self.inner.rstrip("/").replace("/", "-")
        return path.with_name(f"{name}.h5")


def _places(name: str) -> Iterator[_Place]:
    """Yield the sources that a name stands for.

    Raises
    ------
    SourceError
        If nothing has this name.
    """
    if is_url(name):
        inner = ""
        if SEPARATOR in name.partition("://")[2]:
            inner = "/" + name.rpartition(SEPARATOR)[2].strip("/")
        address = name.removesuffix(SEPARATOR + inner)
        tail = re.split("[?#]", address)[0].rstrip("/").rpartition("/")[2]
        yield _Place(name, name, Path(tail or "stack"), inner)
        return
    named = find_named(name)
    inner = named.inner or ""
    suffix = f"{SEPARATOR}{inner}" if inner else ""
    for path in natural_order(named.matches)[0] if named.matches else [named.path]:
        full = Path(os.path.abspath(path))
        yield _Place(f"{full}{suffix}", f"{path}{suffix}", full, inner)


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; the outputs of many files go into a folder")


def _check_targets(tasks: Sequence[FileTask]) -> None:
    """Raise OutputError if two outputs would have one name, or one would replace a source.

    Names that differ only in case are one on some file systems.
    """
    sources = {os.path.realpath(task.source): task.name for task in tasks}
    taken: dict[str, FileTask] = {}
    for task in tasks:
        place = os.path.realpath(task.target)
        if place in sources:
            raise OutputError(
                f"the output of {task.name} would be {task.target}, which is the source "
                f"{sources[place]}: name another folder for the outputs"
            )
        other = taken.setdefault(place.casefold(), task)
        if other.source == task.source and other is not task:
            raise OutputError(f"{task.name} is given twice")
        if other is not task:
            raise OutputError(
                f"{other.name} and {task.name} would both become {task.target} (names that differ "
                "only in case count as one): rename one, or give them in two runs to two folders"
            )
