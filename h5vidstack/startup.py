"""Signals that stop the command: exit code 128 + number, nothing half-written, no traceback.

The package's first import: the others take a second, in which nothing is to be cleaned up.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

_under_way = False
"""Whether a command runs that has something to clean up."""

_asked = 0
"""The signal that has asked it to stop."""

_DELICATE = ("threading", "weakref", "contextlib", "importlib._bootstrap", __name__)
"""Modules in whose code an exception would leave a lock locked for ever, or be lost."""

_WAITS = ("wait", "join", "_wait_for_tstate_lock")
"""Functions of theirs that wait, and that an exception ends well."""


def leave(_number: int, _frame: Any) -> None:
    """Handle SIGINT by ending at once."""
    os._exit(128 + signal.SIGINT)


def _stop(number: int, frame: FrameType | None) -> None:
    """Handle a signal by an exception: what was begun is cleaned up on its way."""
    global _asked
    if not _under_way:
        os._exit(128 + number)
    _asked = number
    if (
        frame
        and frame.f_globals.get("__name__") in _DELICATE
        and frame.f_code.co_name not in _WAITS
    ):
        _thread.start_new_thread(_ask_again, ())  # a threading.Thread takes such locks
        return
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def asked_to_stop() -> bool:
    """Whether a signal has come: what goes wrong from then on does so for that."""
    return bool(_asked)


def _ask_again() -> None:
    time.sleep(0.001)
    if _under_way:
        os.kill(os.getpid(), _asked)


def _dropped(lost: sys.UnraisableHookArgs) -> None:
    """Repeat a signal that came where Python drops exceptions, as where an object is deleted."""
    if _asked and issubclass(lost.exc_type, KeyboardInterrupt | SystemExit):
        _thread.start_new_thread(_ask_again, ())
    else:
        sys.__unraisablehook__(lost)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be an exception while there is something to clean up."""
    global _asked, _under_way
    if threading.current_thread() is not threading.main_thread():  # it gets no signals
        yield
        return
    _asked, _under_way = 0, True
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if before[signal.SIGINT] in (leave, signal.default_int_handler):  # not in the background
        signal.signal(signal.SIGINT, _stop)
    hook, sys.unraisablehook = sys.unraisablehook, _dropped
    try:
        yield
    except BaseException as error:
        if not _asked:
            raise
        # Whatever has become of the signal: another error, or it was too late.
        if _asked == signal.SIGINT and not (isinstance(error, SystemExit) and error.code):
            print("\nAborted!", file=sys.stderr)  # else click has; the line has a ^C
        raise SystemExit(128 + _asked) from error
    finally:
        _asked, _under_way = 0, False
        sys.unraisablehook = hook
        for number, handler in before.items():
            if handler is not None:  # as is one that is not Python's
                signal.signal(number, handler)


def end_tidily() -> None:
    """Let a polite kill end like Ctrl-C: temporary files are removed.

    Only for commands that write: those that read are to die at once, even where HDF5
    does not come back from a damaged file.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)


def is_command(argv: list[str], original: list[str]) -> bool:
    """Whether Python runs ``h5vidstack`` or ``-m h5vidstack``, which imports us as ``-m``."""
    if not argv or argv[0] != "-m":
        return bool(argv) and os.path.basename(argv[0]) in ("h5vidstack", "h5vidstack.exe")
    return original[-len(argv)] in ("h5vidstack", "-mh5vidstack")


if (
    is_command(sys.argv, sys.orig_argv)
    and threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, leave)
