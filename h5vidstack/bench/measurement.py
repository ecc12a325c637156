"""One measurement of one contestant: ``python -m h5vidstack.bench.measurement TASK``.

Each runs in a process of its own, so that no contestant finds the memory, threads or caches of
another one.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs import loss
from ..shapes import window_frames
from .contestants import Contestant, Pixels
from .roster import all_contestants

RANDOM_FRAMES = 40
"""How many random frames are read, if that takes no longer than `RANDOM_SECONDS`."""
RANDOM_SECONDS = 3.0
FEWEST_RANDOM_FRAMES = 5
"""So many are always read."""


@dataclass(frozen=True)
class BenchTask:
    """What one process measures.

    Attributes
    ----------
    name
        The name of the contestant.
    frames, shape, dtype
        A file of raw pixels, and what they are.
    bound
        The largest error that is allowed; see `all_contestants`.
    output
        The file to write and to read.
    write
        Whether to write the file; False if it exists already.
    seed
        The seed of the random frame numbers.
    source
        What the frames are called.
    """

    name: str
    frames: str
    shape: tuple[int, ...]
    dtype: str
    bound: float | None
    output: str
    write: bool
    seed: int
    source: str = "frames"

    def open(self) -> Pixels:
        """Map the pixels into memory."""
        mapped = np.memmap(self.frames, self.dtype, "r", shape=tuple(self.shape))
        return np.asarray(mapped)


@dataclass(frozen=True)
class Measurement:
    """What was measured once, with times in seconds and sizes in bytes.

    Attributes
    ----------
    file_bytes
        The size of the file.
    pack_seconds
        The time to write the file, or None if it existed already.
    read_seconds
        The time to read all frames at once.
    frame_seconds
        The time for each of some random frames, each the first one after opening.
    exact, max_error, psnr
        How exactly the frames were read back. PSNR is in dB, and None where nothing differs.
    anonymous_bytes
        The memory that the process held before it began to write; 0 where the system does not tell.
    """

    file_bytes: int
    pack_seconds: float | None
    read_seconds: float
    frame_seconds: list[float]
    exact: bool
    max_error: float
    psnr: float | None
    anonymous_bytes: int


def measure(
    contestant: Contestant, task: BenchTask, written: Callable[[], None] = lambda: None
) -> Measurement:
    """Write the frames, read all of them, read some at random, and compare.

    Parameters
    ----------
    written
        Called when the file was written.
    """
    frames, path = task.open(), Path(task.output)
    for name in contestant.needs:
        importlib.import_module(name)
    before, pack_seconds = anonymous_bytes("self"), None
    if task.write:
        started = time.perf_counter()
        contestant.write(frames, path)
        pack_seconds = time.perf_counter() - started
    written()
    started = time.perf_counter()
    with contestant.read(path) as reader:
        got = np.asarray(reader[:])
    read_seconds = time.perf_counter() - started
    exact, max_error, psnr = _error(frames, got)
    del got
    singles = _random_frames(contestant, path, len(frames), task.seed)
    return Measurement(
        path.stat().st_size, pack_seconds, read_seconds, singles, exact, max_error, psnr, before
    )


def anonymous_bytes(process: int | str) -> int:
    """Return the memory of a process without mapped files, or 0 where the system is not Linux.

    The input frames do not count, because they are a mapped file.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # not Linux, or the process has just ended
        return 0
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines.get("RssAnon", "0 kB").split()[0]) * 1024


def _error(frames: Pixels, got: Pixels) -> tuple[bool, float, float | None]:
    if (got.shape, got.dtype) != (frames.shape, frames.dtype):
        raise ValueError(
            f"it gives back {got.shape} {got.dtype}, not {frames.shape} {frames.dtype}"
        )
    step = window_frames(frames.shape[1:], frames.dtype.itemsize)
    windows = [slice(first, first + step) for first in range(0, len(frames), step)]
    if all(frames[window].tobytes() == got[window].tobytes() for window in windows):
        return True, 0.0, None
    found = loss.join([loss.measure(frames[window], got[window]) for window in windows])
    numbers = np.arange(len(frames))
    total = loss.total([found], 0 * numbers, numbers, frames.dtype)
    return False, total.max_error, total.psnr if math.isfinite(total.psnr) else None


def _random_frames(contestant: Contestant, path: Path, count: int, seed: int) -> list[float]:
    """Return the seconds that single frames take when nothing is cached.

    Each frame is read by a new reader, because decoding one frame also decodes others of its block.
    Opening is not counted, because a user who wants many frames opens a file once.
    """
    numbers = np.random.default_rng(seed).permutation(count)[:RANDOM_FRAMES]
    seconds: list[float] = []
    began = time.perf_counter()
    for number in map(int, numbers):
        with contestant.read(path) as reader:
            started = time.perf_counter()
            np.asarray(reader[number])
            seconds.append(time.perf_counter() - started)
        if len(seconds) >= FEWEST_RANDOM_FRAMES and time.perf_counter() - began > RANDOM_SECONDS:
            break
    return seconds


def main() -> None:
    """Do the task of the command line; print ``written``, then the measurement as JSON."""
    facts: dict[str, Any] = json.loads(sys.argv[1])
    task = BenchTask(**facts)
    able = all_contestants(task.open(), task.bound)
    (contestant,) = (one for one in able if one.name == task.name)
    found = measure(contestant, task, lambda: print("written", flush=True))
    print(json.dumps(dataclasses.asdict(found)), flush=True)


if __name__ == "__main__":
    main()
