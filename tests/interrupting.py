"""Interrupts of what a main thread does: at random moments, and at each instruction.

Ctrl-C is SIGINT. A timer of the system sends SIGALRM, which Python handles in the same way.
"""

import dis
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

PATIENCE = 20
"""Seconds after which something hangs."""


class HangError(Exception):
    """Something does not come back."""


def comes_back(work: Callable[[], Any]) -> Any:
    """Return what some work returns, done by another thread; raise HangError if it does not."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if not results:
        raise HangError
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def interrupted(work: Callable[[], Any], seconds: float) -> None:
    """Do some work again and again, until a KeyboardInterrupt comes after a while."""
    armed = False

    def handle(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handle)
    try:
        try:
            armed = True
            # Again and again, since Python drops what is raised in a destructor.
            signal.setitimer(signal.ITIMER_REAL, max(1e-5, seconds), 0.02)
            while True:
                work()
        finally:
            armed = False
    except KeyboardInterrupt:
        armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def moments(chance: random.Random, longest: float) -> Iterator[float]:
    """Yield when to interrupt: most often soon, at times late."""
    while True:
        yield max(1e-6, longest * chance.random() ** 2)


_CHECKED = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "RESUME"}
"""After these instructions Python handles signals, and after no others."""


def instructions(work: Callable[[], Any], module: str = "h5vidstack") -> int:
    """Count the instructions at which some work in this thread can be interrupted."""
    return _trace(work, module, 0)[0]


def interrupted_at(work: Callable[[], Any], number: int, module: str = "h5vidstack") -> bool:
    """Raise KeyboardInterrupt before an instruction, and say whether it came to that."""
    return _trace(work, module, number)[1]


def _trace(work: Callable[[], Any], module: str, last: int) -> tuple[int, bool]:
    count = 0
    previous: dict[int, str] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] not in (module, "threading", "queue"):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            can_be = previous.get(id(frame)) in _CHECKED
            previous[id(frame)] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            count += can_be
            if not can_be:
                return trace
            if count == last:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    try:
        sys.settrace(trace)
        work()
    except KeyboardInterrupt:
        return count, True
    finally:
        sys.settrace(None)
    return count, False
