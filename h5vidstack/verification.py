"""`verify`: check a packed stack, and compare it with what it was packed from."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from .reader import Stack
from .sources import SourceOptions, open_source
from .sources.second import second_source
from .workers import Progress


def verify(
    stack: Stack | str | os.PathLike[str],
    *,
    against: Any = None,
    gray: bool = False,
    stream: int | None = None,
    accept_damaged: bool = False,
    progress: Progress | None = None,
    notes: list[str] | None = None,
) -> list[str]:
    """Decode a whole stack and check every block, CRC and index.

    Parameters
    ----------
    stack
        A `Stack`, or where it is: ``file.h5`` or ``file.h5::/path``.
    against
        Anything that `pack` takes: every frame is compared with it bit for bit.
    gray, stream, accept_damaged
        How `against` was packed; see `pack`.
    progress
        Called with a `Step` as it goes: frames checked, and of all.
    notes
        A list to which sentences are added that say by what `against` was read. Images are read
        by decoders that `pack` does not use, where imagecodecs is installed.

    Returns
    -------
    list of str
        What is wrong, a sentence each; empty for a sound stack.

    Raises
    ------
    FormatError
        If there is no stack to check.
    SourceError
        If `against` cannot be read.
    """
    options = SourceOptions(gray, stream, accept_damaged)
    with contextlib.ExitStack() as cleanup:
        if not isinstance(stack, Stack):
            stack = cleanup.enter_context(Stack(stack, cache_bytes=0))
        if against is None:
            return stack.verify(progress=progress)
        source, said = second_source(open_source(against, options), options)
        cleanup.callback(source.close)
        problems = stack.verify(against=source, progress=progress)
        if notes is not None:
            notes += said()
        return problems
