"""Run hostile inputs in a child process that may crash, hang or take all memory."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
import time
from collections import Counter
from pathlib import Path

_STATE = struct.Struct("<qdq")  # number of the input, when it began, its length
_ROOM = 4 << 20


def status(field):
    """A number of kilobytes of /proc/self/status."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field))


class Watched:
    """Judge many inputs, each for a limited time and with limited memory.

    Parameters
    ----------
    folder
        Gets `outcomes.txt`, a line an input, and the inputs that are findings.
    make
        ``make(number) -> bytes or None`` (None: nothing to judge).
    judge
        ``judge(number, input) -> str``: the outcome. One that begins with "FINDING" is kept.
    seconds
        That an input may take.
    room, growth
        Bytes of address space that a child may add to its own, and of memory that one input
        may: more is a finding.
    """

    def __init__(self, folder, make, judge, seconds=5.0, room=512 << 20, growth=64 << 20):
        self.folder, self.make, self.judge = Path(folder), make, judge
        self.seconds, self.room, self.growth = seconds, room, growth
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "outcomes.txt").unlink(missing_ok=True)
        # A file: what was tried last can be read whatever becomes of the processes.
        with open(self.folder / "current.bin", "w+b") as file:
            file.truncate(_STATE.size + _ROOM)
            self._shared = mmap.mmap(file.fileno(), 0)

    def run(self, numbers):
        """Judge inputs of these numbers; give the lines (number, outcome, ms, KB) of all."""
        numbers, at = list(numbers), 0
        while at < len(numbers):
            self._shared[: _STATE.size] = _STATE.pack(-1, time.monotonic() + 60, 0)
            child = os.fork()
            if not child:
                try:
                    self._child(numbers[at:])
                    os._exit(0)
                except BaseException as error:  # noqa: BLE001
                    os.write(2, f"the harness failed: {error!r}\n".encode())
                    os._exit(3)
            why = self._wait(child)
            if why is None:
                break
            number, began, length = _STATE.unpack_from(self._shared)
            if number < 0:
                raise RuntimeError(f"a child died before its first input: {why}")
            self._keep(number, self._shared[_STATE.size : _STATE.size + length], why)
            self._log(number, f"FINDING {why}", 1000 * (time.monotonic() - began), 0)
            at = numbers.index(number, at) + 1
        return self.lines()

    def lines(self):
        """What became of each input."""
        rows = (self.folder / "outcomes.txt").read_text().splitlines()
        fields = (row.split("\t") for row in rows)
        return [(int(number), what, float(ms), int(kb)) for number, ms, kb, what in fields]

    def _log(self, number, outcome, milliseconds, kilobytes):
        text = f"{number}\t{milliseconds:.2f}\t{kilobytes}\t{' '.join(outcome.split())}\n"
        with open(self.folder / "outcomes.txt", "a") as file:
            file.write(text)

    def _keep(self, number, data, why):
        (self.folder / f"finding-{number}.bin").write_bytes(data)
        (self.folder / f"finding-{number}.txt").write_text(why + "\n")

    def _wait(self, child):
        while True:
            time.sleep(0.05)
            done, code = os.waitpid(child, os.WNOHANG)
            if done:
                if os.WIFSIGNALED(code):
                    return f"crash: {signal.Signals(os.WTERMSIG(code)).name}"
                return f"crash: exit code {os.WEXITSTATUS(code)}" if code else None
            if time.monotonic() - _STATE.unpack_from(self._shared)[1] > self.seconds:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return f"hang: over {self.seconds} s"

    def _child(self, numbers):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = status("VmSize") * 1024 + self.room
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for number in numbers:
            data = self.make(number)
            if data is None:
                continue
            self._shared[_STATE.size : _STATE.size + len(data)] = data
            began = time.monotonic()
            self._shared[: _STATE.size] = _STATE.pack(number, began, len(data))
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak of memory is what is used now
            before = status("VmHWM")
            outcome = self.judge(number, data)
            grown = status("VmHWM") - before
            spent = time.monotonic() - began
            if grown << 10 > self.growth and not outcome.startswith("FINDING"):
                outcome = f"FINDING {grown} KB of memory; {outcome}"
            if outcome.startswith("FINDING"):
                self._keep(number, data, outcome)
            self._log(number, outcome, 1000 * spent, grown)
            self._shared[: _STATE.size] = _STATE.pack(number, time.monotonic(), len(data))


def summary(lines):
    """Outcomes by how often, the slowest input, and that which took most memory."""
    rows = [f"{count:8}  {what}" for what, count in Counter(row[1] for row in lines).most_common()]
    slow, large = max(lines, key=lambda row: row[2]), max(lines, key=lambda row: row[3])
    rows.append(f"{len(lines)} inputs")
    rows.append(f"slowest: {slow[2]:.0f} ms, input {slow[0]} ({slow[1]})")
    rows.append(f"most memory: {large[3]} KB, input {large[0]} ({large[1]})")
    return "\n".join(rows)
