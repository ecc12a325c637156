"""How fast frames are recorded, while another process reads: python recorder.py [SECONDS].

512x512 pixels of 8 bits, profile fast: first as fast as it goes, then 100 frames/s, where it counts
how many frames were handed over late because the recorder still had the one before.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import h5vidstack

READER = """
import sys, time, h5vidstack
seen = 0
while True:
    try:
        with h5vidstack.open("run.h5") as stack:
            if len(stack):
                assert (stack[len(stack) - 1][0, :8] == (len(stack) - 1) % 251).all()
                seen = len(stack)
    except h5vidstack.FormatError as error:
        pass  # it is not there yet
    if sys.argv[1:] and seen >= int(sys.argv[1]):
        print(seen)
        break
    time.sleep(0.05)
"""


def record(frames, count, rate):
    """Frames a second, and how many were late by more than one interval."""
    reader = subprocess.Popen([sys.executable, "-c", READER, str(count)], stdout=subprocess.PIPE)
    late, started = 0, time.perf_counter()
    with h5vidstack.create("run.h5", (512, 512), "u1", overwrite=True) as recorder:
        for number in range(count):
            if rate:
                due = started + number / rate
                late += time.perf_counter() > due + 1 / rate
                time.sleep(max(0, due - time.perf_counter()))
            frame = frames[number % len(frames)]
            frame[0, :8] = number % 251
            recorder.write(frame)
    seconds = time.perf_counter() - started
    reader.communicate()
    with h5vidstack.open("run.h5") as stack:
        sound = stack.verify() == [] and len(stack) == count
        size = Path("run.h5").stat().st_size / stack.nbytes
    what = f"{rate} frames/s wanted" if rate else "as fast as it goes"
    print(
        f"{what}: {count / seconds:.0f} frames/s, {late} of {count} late, {size:.2f} of the raw size, "
        f"reader {'right' if not reader.returncode else 'WRONG'}, {'sound' if sound else 'WRONG'}"
    )


if __name__ == "__main__":
    seconds = int(sys.argv[1]) if sys.argv[1:] else 20
    random = np.random.default_rng(0)
    still = random.normal(100, 30, (512, 512)).cumsum(0).cumsum(1)
    still = 60 + 130 * (still - still.min()) / np.ptp(still)
    film = (still + random.normal(0, 3, (64, 512, 512))).clip(0, 255).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        record(film, 600, 0)
        record(film, 100 * seconds, 100)
        os.chdir("/")
