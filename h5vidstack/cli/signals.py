"""Signals that stop a command: exit code 128 + number, nothing half-written, no traceback.

A command that only reads ends at once. One that writes is asked to stop: its loops look at an
event each time they tell their progress, and what was begun is removed. A second signal ends
that command at once, too; what it leaves is hidden, and the next command that writes the same
output removes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

LOOK = 0.2
"""Seconds after which a command that waits looks whether it is to stop."""

_stop = threading.Event()
"""Set where a signal has asked the command to stop."""
_number = 0
"""The signal that has."""


def end_at_once(number: int, _frame: Any) -> None:
    """Handle a signal by ending the process."""
    if number == signal.SIGINT:
        with contextlib.suppress(OSError):  # standard error is closed
            os.write(2, b"\nAborted!\n")
    os._exit(128 + number)


def ask(number: int, frame: Any) -> None:
    """Handle the first signal by asking the command to stop, and a second one by ending it."""
    global _number
    if _number:  # not the event, whose lock the first signal may hold
        end_at_once(number, frame)
    _number = number
    _stop.set()


def check() -> None:
    """Raise SystemExit if a signal has asked the command to stop."""
    if _stop.is_set():
        raise SystemExit(128 + _number)


def end_tidily() -> None:
    """Let signals ask the command to stop, so that its temporary files are removed.

    Commands that only read do not call this: they must end at once, even where HDF5 does not
    come back from a damaged file.
    """
    if threading.current_thread() is threading.main_thread():  # others get no signals
        signal.signal(signal.SIGTERM, ask)
        if signal.getsignal(signal.SIGINT) is end_at_once:
            signal.signal(signal.SIGINT, ask)


def wait_for_interrupt() -> None:
    """Return at Ctrl-C, which is how a command that serves ends; other signals stop it as usual.

    `end_tidily` must have been called before the command said that it serves.
    """
    global _number
    while not _stop.wait(LOOK):
        pass
    if _number == signal.SIGINT:
        _number = 0
        _stop.clear()
    check()


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Handle signals while a command runs, and turn one that came into the exit code."""
    global _number
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if before[signal.SIGINT] is signal.default_int_handler:  # a shell's background jobs ignore it
        signal.signal(signal.SIGINT, end_at_once)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # as is one that is not Python's
                signal.signal(number, handler)
        asked, _number = _number, 0
        _stop.clear()
        if asked:
            # Also if the command fails for another reason, or is done: the signal came first.
            if asked == signal.SIGINT:
                print("\nAborted!", file=sys.stderr)
            raise SystemExit(128 + asked)
