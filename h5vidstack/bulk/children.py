"""Processes that work on files, each on one at a time, so that one that is killed harms no other.

A pool of `concurrent.futures` is of no use here: if one of its processes is killed, all that it was
given is lost. Here a process that ended is replaced, and only its file has failed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import WorkerError
from ..layout.output import remove_leftovers
from .child import READY, TaskAnswer, receive, send
from .decisions import PlannedTask
from .one_file import Work, failed, without_result
from .outcomes import FileResult

_PROGRAM = "from h5vidstack.bulk.child import serve; serve()"
_ATTEMPTS = 3
"""How often a process is started that ends before it is ready."""
PATIENCE = 10.0
"""Seconds that a process gets to end by itself."""


class Child:
    """A process that was started, and is ready.

    Raises
    ------
    WorkerError
        If it ends before it is ready.
    """

    def __init__(self) -> None:
        here = [place or os.getcwd() for place in sys.path]
        own_group = {"process_group": 0} if os.name == "posix" else {}
        self._process = subprocess.Popen(  # noqa: S603  # Python itself
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(here)},
            **own_group,  # type: ignore[call-overload]  # so that a terminal's Ctrl-C is not its
        )  # fmt: skip
        self._asked = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        self._closing = threading.Lock()
        if receive(self._answers) != READY:
            self.end()
            raise WorkerError(
                f"a process that was to do the work ended before it was ready ({self._ended()}): "
                "use --threads (threads=True), which needs none"
            )

    def call(self, work: Work, planned: PlannedTask) -> TaskAnswer | None:
        """Have the process work on a file; None if the process ended meanwhile."""
        with contextlib.suppress(OSError, ValueError):  # it ended, or its input was closed
            send(self._asked, pickle.dumps((work, planned)))
            message = receive(self._answers)
            if message is not None:
                answer: TaskAnswer = pickle.loads(message)  # noqa: S301  # of our own process
                return answer
        return None

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Tell the process to stop what it does, and to end."""
        with self._closing, contextlib.suppress(OSError):
            self._asked.close()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self) -> str:
        """Wait until the process has ended, if need be by force; say in words how it did."""
        self.stop()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._answers.close()
        return self._ended()

    def _ended(self) -> str:
        code = self._process.returncode
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


class Children:
    """Processes that are started as they are needed; `call` may be called by several threads."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._changing = threading.Lock()
        self._stopped = False
        self._timer: threading.Timer | None = None

    def call(self, work: Work, planned: PlannedTask) -> FileResult:
        """Have a process work on a file, and wait for it.

        Raises
        ------
        WorkerError
            If no process can be started.
        """
        task = planned.task
        child = self._take()
        if child is None:
            return without_result(task, "stopped", "not begun")
        answer = child.call(work, planned)
        with self._changing:
            self._busy.discard(child)
            again = answer is not None and not answer.ends and not self._stopped
            if again:
                self._idle.append(child)
        if answer is not None:
            if not again:
                child.end()
            return answer.result
        how = child.end()
        remove_leftovers(Path(task.target).resolve())
        if self._stopped:
            return without_result(task, "stopped", "ended before it was finished")
        return failed(
            task,
            WorkerError(
                f"its process ended ({how}) while it worked on this file, and was replaced. "
                "Was there too little memory? Then try again with a smaller --jobs (jobs)"
            ),
            "killed",
        )

    def _take(self) -> Child | None:
        """Return a process that has nothing to do; None if the run is stopped."""
        with self._changing:
            if self._stopped:
                return None
            while self._idle:
                child = self._idle.pop()
                if child.lives:  # nobody killed it while it had nothing to do
                    self._busy.add(child)
                    return child
                child.end()
        child = self._started()
        with self._changing:
            self._busy.add(child)
            if self._stopped:
                child.stop()
        return child

    def _started(self) -> Child:
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(WorkerError):
                return Child()
        return Child()

    def stop(self) -> None:
        """Have all processes stop what they do; those that do not are killed after a while."""
        with self._changing:
            self._stopped = True
            busy = list(self._busy)
        for child in busy:
            child.stop()

        def kill() -> None:
            for child in busy:
                child.kill()

        self._timer = threading.Timer(PATIENCE, kill)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """End the processes that have nothing to do."""
        with self._changing:
            self._stopped = True
            idle, self._idle = self._idle, []
        if self._timer is not None:
            self._timer.cancel()
        for child in idle:
            child.stop()  # all at once
        for child in idle:
            child.end()
