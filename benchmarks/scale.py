"""What N frames cost to write: python scale.py [--frame HxW] [N ...] [OPERATION ...].

Each operation runs in a process of its own: its seconds, those of all cores together, microseconds of
these a frame, peak memory, bytes of memory a frame more than with the N before, and bytes of the file. Frames are 32x32 of 8 bits, all
different: a film of slow motion, and for `groupvideo scenes` 2,048 images that recur at random.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import h5vidstack

STEP = 10_000
"""Frames that are generated at a time."""
SCENES = 2048
PARTS = 10


def generate(path, count, frame, scenes):
    """Write a stack of frames as a .npy file, a part at a time."""
    random = np.random.default_rng(0)
    height, width = frame
    y, x = np.mgrid[:height, :width] * (32 / height)
    still = 120 + 40 * np.sin(y / 5) * np.cos(x / 7)
    many = random.normal(0, 1, (SCENES, 6, 6)).repeat(-(-height // 6), 1).repeat(-(-width // 6), 2)
    film = np.lib.format.open_memmap(path, "w+", np.uint8, (count, height, width))
    step = max(1, STEP * 1024 // (height * width))
    for start in range(0, count, step):
        numbers = np.arange(start, min(start + step, count))
        noise = random.normal(0, 3, (len(numbers), height, width))
        if scenes:
            moving = 30 * many[random.integers(0, SCENES, len(numbers)), :height, :width]
        else:
            moving = 20 * np.sin(numbers / 50)[:, np.newaxis, np.newaxis]
        film[start : start + step] = (still + moving + noise).clip(0, 255).astype(np.uint8)


def films(folder, count, frame):
    """Return the two films of so many frames, and make them first if they are not there."""
    found = []
    for scenes in (False, True):
        path = Path(folder, f"{count}-{'scenes' * scenes or 'film'}.npy")
        if not path.exists():
            apart(lambda path=path, scenes=scenes: generate(path, count, frame, scenes))
        found.append(path)
    return found


def apart(work):
    """Do something in a process of its own, so that its memory does not count."""
    child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        sys.exit("a process failed")


def pack(film, **options):
    """Return what packs a film."""
    return lambda: h5vidstack.pack(film, "out.h5", overwrite=True, **options)


def record(film):
    """Record a film frame by frame."""

    def part(start):  # what stays mapped would count as memory
        return np.array(np.load(film, mmap_mode="r")[start : start + STEP])

    frames, start = part(0), 0
    with h5vidstack.create("out.h5", frames.shape[1:], frames.dtype, overwrite=True) as recorder:
        while len(frames):
            for frame in frames:
                recorder.write(frame)
            start += len(frames)
            frames = part(start)


def append(count, frame):
    """Append frames that are new to what `pack fast` made."""
    with h5vidstack.open("packed.h5") as stack:
        stack.append(np.random.default_rng(1).integers(0, 90, (count, *frame), np.uint8))


def link():
    """Link parts."""
    h5vidstack.link([f"part{number}.h5" for number in range(PARTS)], "out.h5", overwrite=True)


def prepare_parts(film):
    """Pack a film in parts, to be linked."""
    frames = np.load(film, mmap_mode="r")
    for number, part in enumerate(np.array_split(frames, PARTS)):
        h5vidstack.pack(part, f"part{number}.h5", overwrite=True, profile="fast")


def operations(film, scenes, frame):
    """Return each operation by its name: what is done before, and what is measured."""
    first = pack(film, profile="fast")

    def packed():
        first()
        os.replace("out.h5", "packed.h5")

    return {
        "pack fast": (None, first),
        "pack balanced": (None, pack(film)),
        "groupvideo": (None, pack(film, method="groupvideo")),
        "groupvideo scenes": (None, pack(scenes, method="groupvideo")),
        "auto scenes": (None, pack(scenes)),
        "record": (None, lambda: record(film)),
        "append 1": (packed, lambda: append(1, frame)),
        "append 1000": (packed, lambda: append(1000, frame)),
        "link": (lambda: prepare_parts(film), link),
    }


def measure(name, folder, count, frame):
    """Measure one operation in this process, and print what was found."""
    before, work = operations(*films(folder, count, frame), frame)[name]
    os.chdir(folder)
    if before is not None:
        apart(before)
    started, busy = time.perf_counter(), time.process_time()
    work()
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    path = Path("packed.h5" if name.startswith("append") else "out.h5")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([seconds, busy, peak, path.stat().st_size]))


def main():
    """Print a table."""
    words = sys.argv[1:]
    frame = (32, 32)
    if words[:1] == ["--frame"]:
        frame = tuple(map(int, words[1].split("x")))
        words = words[2:]
    if words[:1] == ["--measure"]:
        measure(words[1], words[2], int(words[3]), frame)
        return
    counts = [int(word) for word in words if word.isdigit()] or [10_000, 100_000]
    wanted = [word for word in words if not word.isdigit()]
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCALE_DIR")) as folder:
        names = wanted or list(operations(None, None, frame))
        print(f"{'operation':20}{'frames':>10}{'s':>9}{'CPU s':>9}{'us/frame':>10}{'MiB':>7}{'B/frame':>9}"
              f"{'file bytes':>14}", flush=True)  # fmt: skip
        for name in names:
            last = None
            for count in counts:
                films(folder, count, frame)
                size = "x".join(map(str, frame))
                command = [sys.executable, __file__, "--frame", size, "--measure", name, folder]
                done = subprocess.run([*command, str(count)], stdout=subprocess.PIPE, check=True)
                seconds, busy, peak, stored = json.loads(done.stdout)
                more = f"{(peak - last[1]) / (count - last[0]):.0f}" if last else ""
                last = count, peak
                print(f"{name:20}{count:10}{seconds:9.2f}{busy:9.2f}{busy / count * 1e6:10.1f}"
                      f"{peak >> 20:7}{more:>9}{stored:14}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
