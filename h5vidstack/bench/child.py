"""One measurement in a process of its own: ``python -m h5vidstack.bench.child JOB``.

A fresh process is fair: no contestant finds the memory, threads or caches of another.
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
from .roster import roster

RANDOM_FRAMES = 40
FEWEST_RANDOM_FRAMES = 5
RANDOM_SECONDS = 3.0
"""After so long, single frames are few."""


@dataclass(frozen=True)
class Job:
    """What to measure: of whom, on which frames.

    Attributes
    ----------
    name
        Of the contestant.
    frames, shape, dtype
        A file of raw pixels.
    bound
        See `roster`.
    output
        The file to write and to read.
    write
        False: it is there already.
    seed
        Of the random frames.
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
class Run:
    """What was measured once; times in seconds, sizes in bytes.

    Attributes
    ----------
    file_bytes
        Size of the file.
    pack_seconds
        None: it was there already.
    read_seconds
        For all frames at once.
    frame_seconds
        For each of some random frames, the first that is read after opening.
    exact, max_error, psnr
        Of what was read back; PSNR in dB, None where nothing differs.
    anonymous_bytes
        Memory that the process held before it began to write; 0 where the system does not say.
    """

    file_bytes: int
    pack_seconds: float | None
    read_seconds: float
    frame_seconds: list[float]
    exact: bool
    max_error: float
    psnr: float | None
    anonymous_bytes: int


def measure(contestant: Contestant, job: Job, written: Callable[[], None] = lambda: None) -> Run:
    """Write the frames, read them all, read some at random, compare; say when it has written."""
    frames, path = job.open(), Path(job.output)
    for name in contestant.needs:
        importlib.import_module(name)
    before, pack_seconds = anonymous_bytes("self"), None
    if job.write:
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
    singles = _random_frames(contestant, path, len(frames), job.seed)
    return Run(
        path.stat().st_size, pack_seconds, read_seconds, singles, exact, max_error, psnr, before
    )


def anonymous_bytes(process: int | str) -> int:
    """Memory of a process that is of no file, as Linux tells it; elsewhere 0.

    Input frames are a mapped file, and do not count.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # another system, or the process has just ended
        return 0
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines.get("RssAnon", "0 kB").split()[0]) * 1024


def _error(frames: Pixels, got: Pixels) -> tuple[bool, float, float | None]:
    if (got.shape, got.dtype) != (frames.shape, frames.dtype):
        raise ValueError(f"gives back {got.shape} {got.dtype}, not {frames.shape} {frames.dtype}")
    step = window_frames(frames.shape[1:], frames.dtype.itemsize)
    windows = [slice(first, first + step) for first in range(0, len(frames), step)]
    if all(frames[window].tobytes() == got[window].tobytes() for window in windows):
        return True, 0.0, None
    found = loss.join([loss.measure(frames[window], got[window]) for window in windows])
    numbers = np.arange(len(frames))
    total = loss.total([found], 0 * numbers, numbers, frames.dtype)
    return False, total.max_error, total.psnr if math.isfinite(total.psnr) else None


def _random_frames(contestant: Contestant, path: Path, count: int, seed: int) -> list[float]:
    """Seconds that frames take when nothing of them is cached.

    A block, chunk or group of pictures that was decoded for one frame holds others, many or all
    of them where the stack is small; so each frame has a reader of its own. Opening, which
    somebody who wants many frames does once, is not counted.
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
    """Do the job of the command line; print ``written``, then the run as JSON."""
    facts: dict[str, Any] = json.loads(sys.argv[1])
    job = Job(**facts)
    (contestant,) = (one for one in roster(job.open(), job.bound) if one.name == job.name)
    run = measure(contestant, job, lambda: print("written", flush=True))
    print(json.dumps(dataclasses.asdict(run)), flush=True)


if __name__ == "__main__":
    main()
