"""Outputs that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import os
import secrets
import shutil
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import h5py

from ..errors import AccessError, Error, OutputError
from ..hdf5.failures import OF_WRITING, cure, error_number
from ..hdf5.opening import is_recording, open_hdf5
from ..shapes import LEAST_STRUCTURE
from .explanations import explain_file
from .names import BESIDE, is_stack
from .replacing import check_name, keep_others, make_way, refuse_others

try:
    import fcntl
except ImportError:  # Windows does not let a file be replaced while it is open
    fcntl = None  # type: ignore[assignment]


_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
"""Stands in temporary names for the machine whose process number follows."""


_NOT_SHARED = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
"""What systems say that cannot copy within the kernel, though they can read and write."""


@contextlib.contextmanager
def complete_or_absent(
    path: Path,
    *,
    overwrite: bool,
    folder: bool = False,
    start_from: Path | None = None,
    like: Path | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the body succeeds.

    Parameters
    ----------
    overwrite
        Replace what `path` holds; else an existing `path` is an error.
    folder
        Make a folder and give that; else the body makes a file.
    start_from
        A file to copy to the temporary path first.
    like
        A file whose mode and times it gets, as of ``cp -p``; else the mode of what it replaces.
    check
        Called right before the renaming, while no other of our programs renames there.

    Raises
    ------
    OutputError
        If `path` exists, its folder does not, or writing fails (disk full, no
        permission). The temporary path is removed then, and `path` is untouched.
    """
    _check_place(path, overwrite, folder)
    shown, path = path, path.resolve()  # a link stays, what it points to is replaced
    temporary, process = _temporary(path), os.getpid()
    try:
        with errors_of_writing(shown):
            temporary.touch()  # an error before the work, not after it
            temporary.unlink()
            remove_leftovers(path)
            if folder:
                temporary.mkdir()
            if start_from is not None:
                _copy(start_from, temporary)
            yield temporary
            flush_to_disk(temporary)
            with _alone_in(path.parent):
                check()
                if path.exists() and not overwrite:
                    raise OutputError(f"{shown} was made by another program meanwhile")
                if like is not None:
                    _make_like(like, temporary)
                elif path.exists():
                    shutil.copymode(path, temporary)
                if folder:
                    _swap_folders(temporary, path)
                else:
                    temporary.replace(path)
        # It has its name now, whatever the disk says of that: at worst a crash of the machine
        # brings back what was there before, complete.
        with contextlib.suppress(OSError):
            flush_to_disk(path.parent)
    finally:
        if os.getpid() != process:  # of a fork, whose file it is not
            pass
        elif temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # the next one for this output removes it
                temporary.unlink(missing_ok=True)


def _check_place(shown: Path, overwrite: bool, folder: bool) -> None:
    """See that an output may have a name."""
    path = shown.resolve()
    if path.exists() and not overwrite:
        raise OutputError(f"{shown} exists; use --overwrite (overwrite=True) to replace it")
    if path.exists() and not (path.is_dir() if folder else path.is_file()):
        kind = "a folder" if path.is_dir() else "a file" if path.is_file() else "a device"
        raise OutputError(f"{shown} is {kind}; give another name for the output")
    if not path.parent.is_dir():
        raise OutputError(f"no folder {shown.parent} to write {shown.name} in")


def _copy(given: Path, made: Path) -> None:
    """Copy a file; both share their bytes on the disk where the file system can (XFS, Btrfs)."""
    if hasattr(os, "copy_file_range"):
        with given.open("rb") as old, made.open("wb") as new:
            left = os.fstat(old.fileno()).st_size
            try:
                while left and (copied := os.copy_file_range(old.fileno(), new.fileno(), left)):
                    left -= copied
            except OSError as error:
                if error.errno not in _NOT_SHARED:
                    raise
        if not left:
            return
    shutil.copyfile(given, made)


def _make_like(given: Path, made: Path) -> None:
    """Give a file the mode and times of another, and its owner where that is allowed."""
    status = given.stat()
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(made, status.st_uid, status.st_gid)
    shutil.copystat(given, made)


@contextlib.contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """Give a hidden name beside an output, for a file that is removed in the end."""
    temporary = _temporary(target.resolve())
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def errors_of_writing(shown: Path) -> Iterator[None]:
    """Turn the operating system's errors (disk full, no permission) into OutputError."""
    try:
        yield
    except (OSError, RuntimeError, Error) as error:
        refused = isinstance(error, AccessError) and error.errno in OF_WRITING
        if isinstance(error, Error) and not refused:  # an AccessError may name what was read
            raise
        number = error_number(error)
        if isinstance(error, RuntimeError) and number is None:
            raise
        helps = cure(number)
        ending = "" if helps is None else f"; {helps}"
        raise OutputError(f"cannot write {shown}: {_reason(error)}{ending}") from error


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other programs that do so, too, from renaming in a folder; a moment."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _swap_folders(new: Path, path: Path) -> None:
    """Put a folder in the place of another, which is removed only after that."""
    if not path.exists():
        new.rename(path)
        return
    if _exchanged(new, path):
        shutil.rmtree(new)
        return
    old = new.with_suffix(".old.tmp")  # never removed as a leftover: it is all there is
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two names were exchanged at one stroke, as Linux can on most file systems."""
    try:
        exchange = ctypes.CDLL(None).renameat2
    except (AttributeError, TypeError):  # another system, another C library
        return False
    here, exchanging = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of <fcntl.h> and <stdio.h>
    result: int = exchange(here, os.fsencode(one), here, os.fsencode(other), exchanging)
    return result == 0


def _reason(error: Exception) -> str:
    """Return the operating system's words, which HDF5 hides in a long message."""
    _, found, tail = str(error).partition("error message = '")
    return tail.partition("'")[0] if found else getattr(error, "strerror", None) or str(error)


def flush_to_disk(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def open_hdf5_output(
    target: Path,
    inner: str | None,
    overwrite: bool,
    structure: int = LEAST_STRUCTURE,
    *,
    kept: str | None = None,
    plain: bool = False,
) -> Iterator[h5py.File]:
    """Open a new HDF5 file, or a copy of an existing one to add `inner` to.

    The file gets its name when the body succeeds. `overwrite` replaces the stack that stands at
    `inner`, but for members and attributes of others; or the whole file where `inner` is None,
    if all in it is ours. `structure`: see `geometry.structure_bytes`.

    Parameters
    ----------
    kept
        Where `inner` is None: the stack to be made. What others put into the one that is there
        now goes into the new file.
    plain
        A dataset may be replaced, too.

    Raises
    ------
    OutputError
        As `complete_or_absent`, or if `inner` exists already, or what is there is not ours.
    """
    _check_names(target, inner)
    if inner is not None and target.exists():
        with edit_hdf5(target, structure) as file:
            _make_room(file, inner, overwrite, str(target), plain)
            yield file
        return
    with (
        new_or_ours(target, overwrite, kept) as temporary,
        closed_tidily(new_hdf5_file(temporary, structure)) as file,
    ):
        if not plain:
            explain_file(file)
        yield file
        if kept is not None:
            with open_hdf5(str(target)) as old:
                keep_others(old[kept], file[kept])


def _check_names(target: Path, inner: str | None) -> None:
    check_name(target)
    if inner == "/":
        raise OutputError(f"the root of {target} cannot be replaced; name a path in it")


def check_hdf5_output(target: Path, inner: str | None, overwrite: bool, kept: str | None) -> None:
    """Raise what `open_hdf5_output` would before anything is written, as far as a look tells."""
    _check_names(target, inner)
    if inner is not None and target.exists():
        with _guard(target), open_hdf5(str(target)) as file:
            _check_room(file, inner, overwrite, str(target))
        return
    if overwrite:
        refuse_others(target, kept)
    _check_place(target, overwrite, folder=False)


@contextlib.contextmanager
def new_or_ours(target: Path, overwrite: bool, kept: str | None = None) -> Iterator[Path]:
    """Give a temporary path as `complete_or_absent`; only files of ours are replaced."""

    def check() -> None:
        if overwrite:
            refuse_others(target, kept)

    check()
    with complete_or_absent(target, overwrite=overwrite, check=check) as temporary:
        yield temporary


def new_hdf5_file(path: Path, structure: int = LEAST_STRUCTURE) -> h5py.File:
    """Make a file that HDF5 1.10 (2016) reads; older formats index chunks in more bytes."""
    how = _how_to_write(structure)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_EXCL, fapl=how))


def like_hdf5_file(path: Path, other: h5py.File) -> h5py.File:
    """Make a file as `new_hdf5_file` does, with the user block and the root group of another.

    Chunks are not gathered either; see `_how_to_write`.
    """
    given, how = other["/"].id.get_create_plist(), h5py.h5p.create(h5py.h5p.FILE_CREATE)
    how.set_userblock(other.userblock_size)
    how.set_link_creation_order(given.get_link_creation_order())
    copy_object_creation(given, how)
    access = _how_to_write()
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_LATEST)  # what it has needs
    metadata, slots, _, weight = access.get_cache()
    access.set_cache(metadata, slots, 0, weight)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_EXCL, how, access))


def copy_object_creation(given: h5py.h5p.PropOCID, how: h5py.h5p.PropOCID) -> None:
    """Make an object keep its attributes and times as another does."""
    how.set_attr_creation_order(given.get_attr_creation_order())
    how.set_attr_phase_change(*given.get_attr_phase_change())
    how.set_obj_track_times(given.get_obj_track_times())


def _how_to_write(structure: int = LEAST_STRUCTURE) -> h5py.h5p.PropFAID:
    """Return how files are written: as HDF5 1.10 does, and every pixel at once.

    Then an error is seen where it happens. Otherwise HDF5 gathers small writes, and crashes if it
    cannot write them when the dataset is closed. HDF5 takes `structure` bytes of the file at a
    time for what is not pixels, because a reader of a remote file makes a request for each place.
    """
    how = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    how.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    how.set_sieve_buf_size(0)
    how.set_meta_block_size(structure)
    return how


@contextlib.contextmanager
def edit_hdf5(target: Path, structure: int = LEAST_STRUCTURE) -> Iterator[h5py.File]:
    """Open a copy of an existing HDF5 file, that takes its place when the body succeeds.

    Raises
    ------
    OutputError
        As `complete_or_absent`, or if another program writes the file meanwhile.
    """
    with (
        _guard(target) as unchanged,
        complete_or_absent(target, overwrite=True, start_from=target, check=unchanged) as temporary,
    ):
        handle = h5py.h5f.open(
            os.fsencode(temporary), h5py.h5f.ACC_RDWR, fapl=_how_to_write(structure)
        )
        with closed_tidily(h5py.File(handle)) as file:
            yield file


@contextlib.contextmanager
def closed_tidily(file: h5py.File) -> Iterator[h5py.File]:
    """Close a file in the end; raise OSError if something cannot be written then."""
    try:
        yield file
    except BaseException:
        # The file is removed, so it does not matter that closing it fails, too.
        with contextlib.suppress(OSError, RuntimeError):
            file.close()
        raise
    try:
        file.close()
    except RuntimeError as error:  # h5py's word for a failed write while closing
        raise OSError(str(error)) from error


def _make_room(file: h5py.File, inner: str, overwrite: bool, name: str, plain: bool) -> None:
    """Check that something can be made at `inner`; remove what is there if asked to."""
    _check_room(file, inner, overwrite, name)
    if inner not in file or make_way(file, inner, plain):
        return
    del file[inner]
    if f"{BESIDE}/{inner.strip('/')}" in file:  # the stack of what was there
        del file[f"{BESIDE}/{inner.strip('/')}"]


def _check_room(file: h5py.File, inner: str, overwrite: bool, name: str) -> None:
    parts = inner.strip("/").split("/")
    for depth in range(1, len(parts)):
        parent = "/".join(parts[:depth])
        if parent in file and not isinstance(file[parent], h5py.Group):
            raise OutputError(f"/{parent} is a dataset; nothing can be made in it")
        if parent in file and is_stack(file[parent]):
            raise OutputError(f"/{parent} is a stack; what is in it is its own")
    if inner in file and not overwrite:
        raise OutputError(
            f"{inner} exists in {name}; use --overwrite (overwrite=True) to replace it"
        )


@contextlib.contextmanager
def _guard(target: Path) -> Iterator[Callable[[], None]]:
    """Keep other writers from a file while it is being added to.

    HDF5 locks (flock) a file that it writes, so a shared lock keeps it out. A second
    program that adds to the same file replaces it: the function that this gives, to be
    called before our own replacing, raises OutputError then.
    """
    if not h5py.is_hdf5(target):
        raise OutputError(f"{target} is not an HDF5 file; nothing can be added to it")

    if is_recording(str(target)):
        raise OutputError(
            f"{target} is being recorded, or its recording was not closed; "
            "then 'h5vidstack recover' makes a complete stack of it"
        )

    def identity() -> tuple[int, int, int]:
        found = target.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def unchanged() -> None:
        if identity() != before:
            raise OutputError(f"{target} was changed by another program; try again")

    with target.open("rb") as held:
        lock(held, target, shared=True)
        before = identity()
        yield unchanged


def lock(file: BinaryIO, path: Path, *, shared: bool = False) -> None:
    """Lock an open file as HDF5 does; OutputError if another program has.

    Some network file systems have no locks; HDF5 goes on without them, too.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"{path} is open for writing elsewhere; close it there first") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise OutputError(f"cannot lock {path}: {error.strerror}") from error


def _temporary(path: Path) -> Path:
    """Return a hidden name beside an output, which says whose it is."""
    return path.parent / f".{path.name[:100]}.{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def remove_leftovers(path: Path) -> None:
    """Remove what killed programs of this machine left of the same output."""
    for found in path.parent.glob(f".{glob.escape(path.name[:100])}.*.tmp"):
        host, _, rest = found.name.removesuffix(".tmp").rpartition(".")[2].partition("-")
        process = rest.partition("-")[0]
        if host == _HOST and process.isdigit() and not _runs(int(process)):
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True
