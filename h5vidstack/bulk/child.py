"""A process that works on one file after another, as `children` tells it by its standard input.

The parent sends tasks, and the child answers each. When its input ends, be it that the parent ends
the run or that it died, the work at hand is stopped, and what was begun is removed.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from .decisions import PlannedTask
from .one_file import Work, do
from .outcomes import FileResult

READY = b"h5vidstack"
"""The first message of a child that could import everything."""
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class TaskAnswer:
    """What a child answers.

    Attributes
    ----------
    result
        What came of the file.
    ends
        The child takes no more files. What went wrong may have left HDF5 in a bad state, and the
        next file is to have a sound one.
    """

    result: FileResult
    ends: bool


_OF_THE_SOURCE = frozenset({"FormatError", "SourceError", "UnsupportedError", "MetadataError"})
"""Failures after which a process works on: the source was refused, as was to be expected."""


def send(stream: BinaryIO, message: bytes) -> None:
    """Send a message."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Wait for a message; None if the other side has gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    message = stream.read(length)
    return message if len(message) == length else None


def serve() -> None:
    """Work until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed goes to standard error, and no library reads our input
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    work_at(asked, answers)


def work_at(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer tasks until there are no more."""
    tasks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    stop = threading.Event()

    def read() -> None:
        message: bytes | None = b""
        while message is not None:
            message = receive(asked)
            if message is None:
                stop.set()
            tasks.put(message)

    reader = threading.Thread(target=read, daemon=True, name="h5vidstack-tasks")
    reader.start()
    try:
        send(answers, READY)
        while (message := tasks.get()) is not None:
            answer = _answer(message, stop.is_set)
            send(answers, pickle.dumps(answer))
            if answer.ends:
                break
    except BrokenPipeError:  # the parent died, and nobody is interested
        return
    finally:
        if not sys.is_finalizing():
            reader.join()  # until the parent has closed our input


def _answer(message: bytes, stopped: Callable[[], bool]) -> TaskAnswer:
    work: Work
    planned: PlannedTask
    work, planned = pickle.loads(message)  # noqa: S301  # from the parent alone
    result = do(work, planned, stopped)
    return TaskAnswer(result, result.error is not None and result.error not in _OF_THE_SOURCE)
