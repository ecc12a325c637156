"""Outputs that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

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
