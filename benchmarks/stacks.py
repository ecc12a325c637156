"""The stacks that the programs here measure: any source of `pack`, or the generated one of `demo`.

A stack is named ``PATH`` or ``PATH:COUNT`` for its first COUNT frames; the generated one is ``demo``,
``demo:DTYPE`` or ``demo:DTYPE:COUNT``.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from h5vidstack.cli.demonstration import generated
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import SourceOptions

BATCH = 64
"""Frames that are read at once."""


def add_stacks(parser: argparse.ArgumentParser, default: str = "demo") -> None:
    """Add the names of stacks to the arguments of a program."""
    parser.add_argument("stacks", nargs="*", default=[default], metavar="PATH[:COUNT]|demo[:DTYPE]")
    parser.add_argument("--gray", action="store_true", help="of colours their luma, as pack's")


def load(name: str, gray: bool = False) -> np.ndarray[Any, Any]:
    """Return the frames of a stack by its name."""
    path, _, last = name.rpartition(":")
    count = int(last) if path and last.isdigit() else None
    path = name if count is None else path
    if path.split(":")[0] == "demo":
        dtype = path.partition(":")[2] or "uint8"
        return np.stack(list(generated(dtype, (12, 12, 12), (201, 301))))[:count]
    with contextlib.closing(open_source(path, SourceOptions(gray=gray))) as source:
        batches = itertools.islice(source.batches(BATCH), -(-count // BATCH) if count else None)
        return np.concatenate(list(batches))[:count]


def loaded(arguments: argparse.Namespace) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield the name and the frames of each stack that was asked for."""
    for name in arguments.stacks:
        yield name, load(name, arguments.gray)
