"""Outputs that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py

from .errors import OutputError


@contextlib.contextmanager
def complete_or_absent(
    path: Path, *, overwrite: bool, folder: bool = False, start_from: Path | None = None
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

    Raises
    ------
    OutputError
        If `path` exists, its folder does not, or writing fails (disk full, no
        permission). The temporary path is removed then, and `path` is untouched.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; use --overwrite (overwrite=True) to replace it")
    if path.exists() and path.is_dir() != folder:
        kind = "a folder" if path.is_dir() else "a file"
        raise OutputError(f"{path} is {kind}; give another name for the output")
    if not path.parent.is_dir():
        raise OutputError(f"no folder {path.parent} to write {path.name} in")
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        if folder:
            temporary.mkdir()
        if start_from is not None:
            shutil.copyfile(start_from, temporary)
        yield temporary
        _flush(temporary)
        if folder and path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    """The operating system's words; HDF5 hides them in a long message."""
    _, found, tail = str(error).partition("error message = '")
    return tail.partition("'")[0] if found else error.strerror or str(error)


def _flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def open_hdf5_output(target: Path, inner: str | None, overwrite: bool) -> Iterator[h5py.File]:
    """Open a new HDF5 file, or a copy of an existing one to add `inner` to.

    The file gets its name when the body succeeds. `overwrite` replaces what stands at
    `inner`, or the whole file where `inner` is None.

    Raises
    ------
    OutputError
        As `complete_or_absent`, or if `inner` exists already.
    """
    adding = inner is not None and target.exists()
    if adding and not h5py.is_hdf5(target):
        raise OutputError(f"{target} is not an HDF5 file; nothing can be added to it")
    start_from = target if adding else None
    with complete_or_absent(
        target, overwrite=overwrite or adding, start_from=start_from
    ) as temporary:
        # HDF5 1.10 (2016) reads it; older formats index chunks in more bytes.
        file = h5py.File(temporary, "r+" if adding else "w-", libver=("v110", "v110"))
        try:
            if inner is not None and inner in file:
                if not overwrite:
                    raise OutputError(
                        f"{inner} exists in {target}; use --overwrite (overwrite=True) "
                        "to replace it"
                    )
                del file[inner]
            yield file
        except BaseException:
            # The file is thrown away; that it cannot be closed tidily is no news.
            with contextlib.suppress(OSError, RuntimeError):
                file.close()
            raise
        try:
            file.close()
        except RuntimeError as error:  # h5py's word for a failed write while closing
            raise OSError(str(error)) from error
