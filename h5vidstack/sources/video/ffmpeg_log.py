"""The errors that FFmpeg reports only to its log, collected for one thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from av import logging

HARMLESS = (
    "unable to decode APP fields",  # a camera's own data in JPEG
    "Unknown or unsupported tag",  # a further field in TIFF
)
"""How messages begin that FFmpeg calls errors, though no pixel depends on them."""

GRAVE = ("End mismatch",)  # JPEG 2000
"""How messages begin that FFmpeg calls warnings, though they mean that data are damaged."""


class _Switch:
    """The switch that turns FFmpeg's log on for as long as any thread listens.

    The whole process has one level of the log. It is set back when the last listener leaves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners = 0
        self._before: tuple[int | None, bool] = None, True
        self._swallow: Any = None
        self._others: list[Any] = []

    def on(self) -> None:
        with self._lock:
            self._listeners += 1
            if self._listeners > 1:
                return
            level = logging.get_level()
            self._before = level, logging.get_skip_repeated()
            if level is None or level < logging.WARNING:
                # Messages of other threads must not appear meanwhile, because they did not before.
                self._swallow = logging.Capture(local=False)
                self._others = self._swallow.__enter__()
                logging.set_level(logging.WARNING)
            # PyAV drops a message that equals the last one, even if that is of another file.
            logging.set_skip_repeated(False)

    def off(self) -> None:
        with self._lock:
            self._listeners -= 1
            if self._listeners:
                return
            level, repeated = self._before
            logging.set_skip_repeated(repeated)
            if self._swallow is None:
                return
            # PyAV fails if a thread is about to log while the level becomes None, so wait for it.
            logging.set_level(logging.PANIC)
            time.sleep(0.001)
            logging.set_level(level)
            self._swallow.__exit__(None, None, None)
            self._swallow = None

    def forget(self) -> None:
        """Forget the messages of other threads."""
        self._others.clear()


_switch = _Switch()


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Keep FFmpeg's log on, so that `logged_errors` need not turn it on and off each time."""
    _switch.on()
    try:
        yield
    finally:
        _switch.off()


@contextlib.contextmanager
def logged_errors() -> Iterator[list[str]]:
    """Collect what FFmpeg logs as an error in this thread.

    FFmpeg must not use threads of its own meanwhile, because their messages cannot be told apart.

    Yields
    ------
    list of str
        It is filled with the messages when the block ends, without those that are `HARMLESS`.
    """
    messages: list[str] = []
    with listening(), logging.Capture() as logs:
        try:
            yield messages
        finally:
            messages += [
                f"{name}: {message.strip()}"
                for level, name, message in logs
                if message.startswith(GRAVE)
                or (level <= logging.ERROR and not message.startswith(HARMLESS))
            ]
            _switch.forget()
