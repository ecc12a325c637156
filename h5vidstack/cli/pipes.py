"""Pipes: what can go to standard output, and what cannot."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

STDOUT = "-"


def _is_pipe(value: Any) -> bool:
    names = value if isinstance(value, tuple) else (value,)
    return STDOUT in map(str, names)


def not_stdin(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Refuse ``-`` as an input: a callback."""
    if _is_pipe(value):
        raise click.BadParameter(
            "standard input is not read, since most files are needed at many places; "
            "name a file (./- is one of that name)"
        )
    return value


def not_stdout(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Refuse ``-`` as an output: a callback."""
    if _is_pipe(value):
        raise click.BadParameter(
            "this cannot go to standard output: HDF5 writes at many places of its file, and "
            "folders are no streams; give a name (./- is a file of that name)"
        )
    return value


@contextlib.contextmanager
def binary_stdout() -> Iterator[BinaryIO]:
    """Standard output for bytes; a usage error where that is a terminal."""
    if sys.stdout.isatty():
        raise click.UsageError("that is no text for a terminal: use a pipe, or > and a file's name")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()  # so that what fails is seen


@contextlib.contextmanager
def to_stdout(ending: str) -> Iterator[Path]:
    """Give the path of a temporary file, which goes to standard output when the body succeeds."""
    with binary_stdout() as stream, tempfile.TemporaryDirectory(prefix="h5vidstack-") as folder:
        path = Path(folder) / f"stdout{ending}"
        yield path
        with path.open("rb") as made:
            shutil.copyfileobj(made, stream)
