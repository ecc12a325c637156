"""Threads and processes that read one file at random get the right pixels; memory stays flat.

python benchmarks/concurrency.py [SECONDS]

16 threads read one `Stack` while 8 processes read the same file: 4 forked from the process
that has the stack open and the threads running, and 4 spawned that get the pickled stack. The
cache holds a few blocks only. Then 100,000 random reads of small frames in a process of
its own, with its memory. The exit code is 1 if a pixel is wrong, a process dies or hangs, or
memory grows by over 5 % after warm-up.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from frames import moving

import h5vidstack

THREADS, FORKED, SPAWNED = 16, 4, 4
FRAMES, HEIGHT, WIDTH = SHAPE = (600, 36, 48)
CACHE = 5 * 16 * HEIGHT * WIDTH  # five blocks
READS, EVERY, ROWS = 100_000, 1000, 20
WARM = READS // 5
LIMIT = 0.05
PATIENCE = 60  # seconds after the end, for what hangs


def pixels():
    """Two scenes in turns, with frames that repeat: several piles, and an index."""
    scenes = [moving((FRAMES // 2, HEIGHT, WIDTH), seed) for seed in (0, 1)]
    cuts = range(0, FRAMES // 2, 30)
    frames = np.concatenate([scene[cut : cut + 30] for cut in cuts for scene in scenes])
    frames[::50] = frames[1]
    return frames


def a_key(chance):
    """A frame, a slice, frames in any order, or a region of some."""
    i, j = chance.randrange(FRAMES), chance.randrange(FRAMES)
    y, x = chance.randrange(HEIGHT), chance.randrange(WIDTH)
    return chance.choice([
        i,
        slice(i, i + chance.randrange(1, 40)),
        slice(j, None if i > j else i, -chance.randrange(1, 30)),
        [chance.randrange(-FRAMES, FRAMES) for _ in range(chance.randrange(8))],
        np.s_[i : i + 10, y:, :x],
        np.s_[[i, j], y],
    ])  # fmt: skip


def read(stack, frames, seed, end):
    """Read until `end`; how many reads, and what was wrong."""
    chance, reads, wrong = random.Random(seed), 0, []
    while time.time() < end:
        key = a_key(chance)
        reads += 1
        try:
            if not np.array_equal(stack[key], frames[key]):
                wrong.append(f"wrong pixels: {key}")
        except Exception as error:  # noqa: BLE001
            wrong.append(f"{error!r}: {key}")
    return reads, wrong


def in_process(stack, frames, seed, end, found):
    """What a process does; a spawned one makes its own pixels."""
    found.put((f"process {seed}", *read(stack, pixels() if frames is None else frames, seed, end)))


def together(path, frames, seconds):
    """Threads and processes at once; the number of things that are wrong."""
    end, results = time.time() + seconds, []
    with h5vidstack.open(path, cache_bytes=CACHE) as stack:

        def in_thread(seed):
            results.append((f"thread {seed}", *read(stack, frames, seed, end)))

        threads = [threading.Thread(target=in_thread, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        queues, children = [], []
        for n in range(FORKED + SPAWNED):
            fork = n < FORKED
            context = multiprocessing.get_context("fork" if fork else "spawn")
            queues.append(context.SimpleQueue())
            given = stack, frames if fork else None, THREADS + n, end, queues[-1]
            children.append(context.Process(target=in_process, args=given))
            children[-1].start()
        for child, queue in zip(children, queues, strict=True):
            child.join(max(0, end - time.time()) + PATIENCE)
            how = "hangs" if child.is_alive() else f"ended with {child.exitcode}"
            if child.exitcode == 0:
                results.append(queue.get())
            else:
                child.kill()
                results.append((child.name, 0, [how]))
        for thread in threads:
            thread.join()
    bad = 0
    for kind in ("thread", "process"):
        mine = [(reads, wrong) for name, reads, wrong in results if name.lower().startswith(kind)]
        wrong = [words for _, some in mine for words in some]
        done = [reads for reads, _ in mine]
        print(f"{len(mine):3} {kind:8} {sum(done):9,} reads ({min(done):,} to {max(done):,} each), "
              f"{len(wrong)} wrong")  # fmt: skip
        for words in wrong[:5]:
            print(f"    {words}")
        bad += len(wrong)
    return bad


def memory():
    """Resident memory of this process and its anonymous part, KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["VmRSS"].split()[0]), int(sizes["RssAnon"].split()[0])


def grow(path, found):
    """Read at random; memory after every so many reads, and reads that were wrong."""
    chance, frames, wrong, curve = random.Random(0), pixels(), 0, []
    with h5vidstack.open(path, cache_bytes=CACHE) as stack:
        for n in range(READS):
            if n % EVERY == 0:
                curve.append(memory())
            key = a_key(chance) if n % 20 == 0 else chance.randrange(FRAMES)
            wrong += not np.array_equal(stack[key], frames[key])
        curve.append(memory())
    found.put((wrong, np.array(curve)))


def show(curve):
    """Print the curve; the growth of both after warm-up."""
    warm = curve[WARM // EVERY]
    print("\n    reads    resident   anonymous  (MiB)")
    for n in np.linspace(0, len(curve) - 1, ROWS).round().astype(int):
        bar = "#" * round(40 * curve[n, 0] / curve[:, 0].max())
        print(f"{n * EVERY:9,}  {curve[n, 0] / 1024:10.2f}  {curve[n, 1] / 1024:10.2f}  {bar}")
    growth = curve[WARM // EVERY :].max(axis=0) / warm - 1
    print(f"largest after {WARM:,} reads over that at {WARM:,}: resident {growth[0]:+.2%}, "
          f"anonymous {growth[1]:+.2%}")  # fmt: skip
    return growth


def main():
    """Run both parts."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    if not os.path.exists("/proc/self/status"):
        sys.exit("memory is read from /proc, which is not here")
    frames = pixels()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.h5"
        h5vidstack.pack(frames, path, method="groupvideo", preset="x264-fast", tile=(20, 48))
        bad = together(path, frames, seconds)
        context = multiprocessing.get_context("spawn")
        queue = context.SimpleQueue()
        child = context.Process(target=grow, args=(path, queue))
        child.start()
        while queue.empty() and child.is_alive():
            time.sleep(0.1)
        if queue.empty():
            sys.exit(f"the process that reads {READS:,} times ended with {child.exitcode}")
        wrong, curve = queue.get()
        child.join()
        print(f"\n{READS:,} reads in one process, {wrong} wrong")
        growth = show(curve)
    sys.exit(1 if bad or wrong or growth.max() > LIMIT else 0)


if __name__ == "__main__":
    main()
