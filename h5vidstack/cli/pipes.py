"""Pipes: what commands can write to standard output, and what they refuse."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

STDOUT = "-"


def _refusing(why: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that refuses ``-`` as the value of an argument or option."""

    def check(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        names = value if isinstance(value, tuple) else (value,)
        if STDOUT in map(str, names):
            raise click.BadParameter(why)
        return value

    return check


not_stdin = _refusing(
    "standard input is not read, since most files are needed at many places; "
    "name a file (./- is one of that name)"
)
not_stdout = _refusing(
    "this cannot go to standard output: HDF5 writes at many places of its file, and "
    "folders are no streams; give a name (./- is a file of that name)"
)


@contextlib.contextmanager
def binary_stdout() -> Iterator[BinaryIO]:
    """Give standard output for bytes, or raise a usage error if it is a terminal."""
    if sys.stdout is None:  # if the shell closed it: >&-
        raise click.ClickException("standard output is closed; use a pipe, or > and a file's name")
    if sys.stdout.isatty():
        raise click.UsageError(
            "the output is not text, which a terminal needs: use a pipe, or > and a file's name"
        )
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()  # so that an error is seen


@contextlib.contextmanager
def to_stdout(ending: str) -> Iterator[Path]:
    """Give the path of a temporary file, which goes to standard output when the body succeeds."""
    with binary_stdout() as stream, tempfile.TemporaryDirectory(prefix="h5vidstack-") as folder:
        path = Path(folder) / f"stdout{ending}"
        yield path
        with path.open("rb") as made:
            shutil.copyfileobj(made, stream)
