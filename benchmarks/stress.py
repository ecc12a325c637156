"""Stacks stay open while their files change: python stress.py [MINUTES [SEED]].

At random a file is replaced, appended to, written over, moved away and back; stacks of it, here and
behind a server, are opened, read from several threads, copied, pickled, forked, given to dask,
interrupted, refreshed and closed. Whatever is read must be the pixels of what was opened, or
FileChangedError, and must come back. Prints how often each operation was tried, how many were
told of a change, how many were wrong and how many hung. The exit code is 1 if any was.
"""

import copy
import faulthandler
import os
import pickle
import random
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import numpy as np
from forking import holds_in_a_fork
from interrupting import comes_back, interrupted
from serving import serving

import h5vidstack

FRAME = (96, 128)
MOST = 90
STACKS = 10
CACHE = 4 * 6 * 96 * 128
PATIENCE = 60
METHODS = [{"method": "video"}, {"method": "groupvideo"}, {"method": "hdf5gz"}, {"codec": "raw"}]


class Stress:
    """The file as it is now, and the open stacks with the pixels that they must show."""

    def __init__(self, url, chance):
        self.url, self.chance = url, chance
        self.tried, self.told, self.wrong = Counter(), Counter(), []
        self.held, self.name = [], ""
        self.rng = np.random.default_rng(chance.randrange(1000))
        self.replace()

    def frames(self, count):
        """Frames of which no two are alike, also of two calls."""
        base = self.rng.integers(0, 200, FRAME)
        noise = self.rng.integers(0, 9, (count, *FRAME))
        return ((base + noise + np.arange(count)[:, None, None]) % 256).astype("u1")

    def pack(self, path):
        frames = self.frames(self.chance.randrange(20, 40))
        how = self.chance.choice(METHODS)
        h5vidstack.pack(frames, path, overwrite=True, hashes=False, chunk_frames=6, **how)
        return frames

    # --- what happens to the file

    def replace(self):
        self.now = self.pack("x.h5")

    def append(self):
        if len(self.now) > MOST:
            self.replace()
        more = self.frames(self.chance.randrange(1, 9))
        h5vidstack.pack(more, "x.h5", mode="a")
        self.now = np.concatenate([self.now, more])

    def write_over(self):
        """As cp does. Whatever has the file open must see it."""
        frames = self.pack("y.h5")
        time.sleep(0.01)  # the system's clock for files ticks so often
        shutil.copyfile("y.h5", "x.h5")
        self.now = frames

    def move(self):
        os.replace("x.h5", "away.h5")
        try:
            self.read()
        except h5vidstack.RemoteError:  # the server has it no more
            self.told[self.name] += 1
        finally:
            os.replace("away.h5", "x.h5")

    # --- what is done with stacks

    def open(self):
        remote = self.chance.random() < 0.3
        path = f"{self.url}/x.h5" if remote else "x.h5"
        stack = h5vidstack.open(path, cache_bytes=CACHE, workers=2)
        self.held.append((stack, self.now))
        if len(self.held) > STACKS:
            self.close()

    def close(self):
        if self.held:
            self.held.pop(self.chance.randrange(len(self.held)))[0].close()

    def any(self):
        if not self.held:
            self.open()
        return self.chance.choice(self.held)

    def key(self, frames):
        n = len(frames)
        return self.chance.choice([
            self.chance.randrange(-n, n),
            slice(*sorted(self.chance.choices(range(n + 1), k=2))),
            slice(None, None, self.chance.choice([1, 2, -1])),
            self.chance.choices(range(n), k=5),
            (slice(None), self.chance.randrange(96)),
        ])  # fmt: skip

    def holds(self, stack, frames):
        """Whether some reads are right, or are told that the file changed."""
        try:
            for _ in range(3):
                key = self.key(frames)
                if not np.array_equal(stack[key], frames[key]):
                    return False
            return (stack.shape, stack.dtype) == (frames.shape, frames.dtype)
        except h5vidstack.FileChangedError:
            self.told[self.name] += 1
            return True

    def check(self, stack, frames):
        if not self.holds(stack, frames):
            self.wrong.append(self.name)

    def read(self):
        self.check(*self.any())

    def iterate(self):
        stack, frames = self.any()
        for given, wanted in zip(stack, frames, strict=True):
            if not np.array_equal(given, wanted):
                self.wrong.append("iterate")

    def threads(self):
        stack, frames = self.any()
        threads = [threading.Thread(target=self.check, args=(stack, frames)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def fork(self):
        stack, frames = self.any()
        if not holds_in_a_fork(lambda: self.holds(stack, frames)):
            self.wrong.append("fork")

    def copy(self):
        stack, frames = self.any()
        with copy.copy(stack) as other:
            self.check(other, frames)

    def pickle(self):
        stack, frames = self.any()
        with pickle.loads(pickle.dumps(stack)) as other:
            self.check(other, frames)

    def dask(self):
        stack, frames = self.any()
        if not np.array_equal(stack.to_dask().compute(scheduler="threads"), frames):
            self.wrong.append("dask")

    def interrupt(self):
        stack, frames = self.any()
        key = self.key(frames)
        interrupted(lambda: stack[key], self.chance.random() ** 2 * 5e-3)
        if not comes_back(lambda: self.holds(stack, frames)):
            self.wrong.append("interrupt")

    def evict(self):
        """Read all, so that the cache has room for nothing else."""
        stack, frames = self.any()
        if not np.array_equal(stack[:], frames):
            self.wrong.append("evict")

    def refresh(self):
        number = self.chance.randrange(len(self.held)) if self.held else None
        if number is None:
            return
        stack, _ = self.held[number]
        stack.refresh()
        self.held[number] = stack, self.now
        self.check(*self.held[number])


OPERATIONS = {
    Stress.replace: 2, Stress.append: 4, Stress.write_over: 1, Stress.move: 2, Stress.open: 6,
    Stress.close: 1, Stress.read: 12, Stress.iterate: 3, Stress.threads: 3, Stress.fork: 2,
    Stress.copy: 3, Stress.pickle: 3, Stress.dask: 2, Stress.interrupt: 8, Stress.evict: 3,
    Stress.refresh: 3,
}  # fmt: skip


def run(minutes, chance, url):
    stress = Stress(url, chance)
    end = time.monotonic() + 60 * minutes
    names, weights = list(OPERATIONS), list(OPERATIONS.values())
    while time.monotonic() < end:
        operation = chance.choices(names, weights)[0]
        name = stress.name = operation.__name__
        stress.tried[name] += 1
        faulthandler.dump_traceback_later(PATIENCE, exit=True)  # a hang ends it, and is shown
        try:
            operation(stress)
        except h5vidstack.FileChangedError:
            stress.told[name] += 1
            stress.held = [one for one in stress.held if not outdated(*one)]
    faulthandler.cancel_dump_traceback_later()
    for stack, _ in stress.held:
        stack.close()
    print(f"{'operation':12}{'tried':>8}{'told':>8}")
    for name, count in sorted(stress.tried.items()):
        print(f"{name:12}{count:8}{stress.told[name]:8}")
    wrong = Counter(stress.wrong)
    print(
        f"{stress.tried.total()} operations in {minutes:g} minutes, wrong {wrong.total()} ", end=""
    )
    print(f"{dict(wrong) or ''}, hangs 0")  # a hang has ended it
    return 1 if wrong else 0


def outdated(stack, frames):
    """Whether a stack can tell only that its file changed; then it is of no more use."""
    try:
        return bool(stack[-1] is None)
    except h5vidstack.FileChangedError:
        stack.close()
        return True


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    warnings.filterwarnings("ignore", message=".*fork.*")
    home, folder = os.getcwd(), tempfile.mkdtemp()
    os.chdir(folder)
    try:
        with serving(folder) as server:
            return run(minutes, chance, server.url)
    finally:
        os.chdir(home)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
