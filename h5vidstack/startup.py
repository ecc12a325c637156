"""Ctrl-C while the command is starting or ending: exit code 130, and no traceback.

The package's first import: the others take a second, in which nothing is to be cleaned up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

INTERRUPTED = 128 + signal.SIGINT
"""Exit code, as a shell has it."""


def leave(_number: int, _frame: Any) -> None:
    """Handle SIGINT by ending at once."""
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt again while there is something to clean up."""
    ours = signal.getsignal(signal.SIGINT) is leave
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, leave)


def is_command(argv: list[str], original: list[str]) -> bool:
    """Whether Python runs ``h5vidstack`` or ``-m h5vidstack``, which imports us as ``-m``."""
    if not argv or argv[0] != "-m":
        return bool(argv) and os.path.basename(argv[0]) in ("h5vidstack", "h5vidstack.exe")
    return original[-len(argv)] in ("h5vidstack", "-mh5vidstack")


if (
    is_command(sys.argv, sys.orig_argv)
    and threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in the background
):
    signal.signal(signal.SIGINT, leave)
