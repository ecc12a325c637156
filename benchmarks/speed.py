"""Speed and memory of packing and reading, each beside bare PyAV in the same run.

    python benchmarks/speed.py [--mouse ../shared/data/mouse.mp4] [--rounds 5]

Every round times ours and the bare loop one after the other, so that a noisy machine
hits both; the ratio printed is of the medians, and below it the ratio of each round.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

import h5vidstack
from h5vidstack.cli.demonstration import generate_uint8
from h5vidstack.sources.base import SourceOptions
from h5vidstack.sources.kinds import open_source

WORKERS = 2
CHUNK = 16


def bare_encode(frames):
    """What a PyAV user would write: the same settings, nothing else."""
    n, height, width = frames.shape
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "gray"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.thread_count, context.gop_size = 1, n
    context.options = {"preset": "medium", "qp": "0", "bf": "0", "sc_threshold": "0"}
    packets = []
    for pixels in frames:
        frame = av.VideoFrame(width, height, "gray")
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)
        rows[:, :width] = pixels
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets + [bytes(packet) for packet in context.encode(None)]


def bare_decode(packets, shape, count=None):
    """Decode into an array, as far as `count` frames."""
    _, height, width = shape
    count = count or len(packets)
    out = np.empty((count, height, width), np.uint8)
    context = av.CodecContext.create("h264", "r")
    context.thread_count = 1
    done = 0
    for packet in packets:
        for frame in context.decode(av.Packet(packet)):
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            out[done] = rows[:height, :width]
            done += 1
        if done >= count:
            return out
    for frame in context.decode(None):
        plane = frame.planes[0]
        out[done] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]
        done += 1
    return out


def clock(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(title, ours, bare, rounds, want):
    """Interleaved rounds; ratio of speeds, ours over bare."""
    pairs = []
    for number in range(rounds):
        both = [(ours, 0), (bare, 1)]
        times = [0.0, 0.0]
        for work, place in both if number % 2 else reversed(both):
            times[place] = clock(work)
        pairs.append(times)
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    each = " ".join(f"{b / a:.2f}" for a, b in pairs)
    print(f"{title:44} {theirs / mine:5.2f}  (want >= {want:.2f}; rounds {each})", flush=True)


def measure(name, frames, folder, rounds):
    print(f"\n{name}: {frames.shape}")
    blocks = [frames[i : i + CHUNK] for i in range(0, len(frames), CHUNK)]
    path = Path(folder) / "x.h5"
    with ThreadPoolExecutor(WORKERS) as pool:
        coded = list(pool.map(bare_encode, blocks))

        def bare_pack():
            list(pool.map(bare_encode, blocks))

        def bare_read():
            list(pool.map(bare_decode, coded, [b.shape for b in blocks]))

        def pack(verify, hashes=False, method="video"):
            h5vidstack.pack(
                frames,
                path,
                method=method,
                preset="x264-interm",
                workers=WORKERS,
                verify=verify,
                hashes=hashes,
                overwrite=True,
            )

        compare("pack, no verify / bare encoding", lambda: pack(False), bare_pack, rounds, 0.85)
        compare("pack, verify / bare encoding", lambda: pack(True), bare_pack, rounds, 0.65)
        for method in ("auto", "video"):
            compare(
                f"{method} with hashes / video without (speed)",
                lambda method=method: pack(True, True, method),
                lambda: pack(True),
                rounds,
                0.75 if method == "video" else 0,
            )

        def read():
            with h5vidstack.open(path, workers=WORKERS) as stack:
                stack[:]

        compare("stack[:] / bare decoding", read, bare_read, rounds, 0.90)
    random_frames(frames, coded, path)


def random_frames(frames, coded, path):
    numbers = np.random.default_rng(0).integers(0, len(frames), 200)
    cold, bare, warm = [], [], []
    shape = (CHUNK, *frames.shape[1:])
    with h5vidstack.open(path, cache_bytes=0, workers=WORKERS) as stack:
        for number in map(int, numbers):
            cold.append(clock(lambda number=number: stack[number]))
            packets, place = coded[number // CHUNK], number % CHUNK
            bare.append(clock(lambda p=packets, k=place: bare_decode(p[: k + 1], shape, k + 1)))
    ratio = statistics.median(cold) / statistics.median(bare)
    print(
        f"{'random frame, cold / bare decoding (time)':44} {ratio:5.2f}  (want <= 1.30; "
        f"median {statistics.median(cold) * 1e3:.2f} ms, bare {statistics.median(bare) * 1e3:.2f})"
    )
    with h5vidstack.open(path, workers=WORKERS) as stack:
        stack[:CHUNK]
        for number in range(500):
            warm.append(clock(lambda number=number: stack[number % CHUNK]))
    print(f"{'random frame, warm':44} {statistics.median(warm) * 1e3:5.3f} ms (want < 0.2)")


GENERATOR = """
import sys, tempfile, numpy as np, h5vidstack
def frames(n):
    base = np.random.default_rng(0).integers(0, 255, (424, 640), dtype=np.uint8) // 16 * 16
    for i in range(n):
        yield np.roll(base, i, axis=1)
with tempfile.TemporaryDirectory() as folder:
    h5vidstack.pack(
        frames(int(sys.argv[1])), folder + "/x.h5", workers=2, preset="x264-fast", method=sys.argv[2]
    )
# ru_maxrss survives exec and would show the parent's peak; VmHWM does not.
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(int(status['VmHWM'].split()[0]) / 1024)
"""


def memory(counts):
    print("\nmemory: peak MiB of packing 424x640 frames from a generator (want <= 400, equal)")
    for count, method in itertools.product(counts, ("video", "auto")):
        out = subprocess.run(
            [sys.executable, "-c", GENERATOR, str(count), method],
            check=True,
            capture_output=True,
            text=True,
        )
        print(f"  {count:6} frames, {method}: {float(out.stdout):.0f} MiB", flush=True)


def startup():
    def median(*command):
        return statistics.median(
            clock(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
            for _ in range(9)
        )

    base = median(sys.executable, "-c", "import h5py, numpy, av")
    ours = median(sys.executable, "-c", "import h5py, numpy, av, h5vidstack")
    print(f"\nimport h5vidstack beyond h5py, numpy, av: {ours - base:.3f} s (want <= 0.35)")
    print(
        f"h5vidstack --help: {median(sys.executable, '-m', 'h5vidstack', '--help'):.3f} s (<= 0.6)"
    )


def load(name, count=None):
    """Frames of the generated stack "D", or of a source as gray; at most `count`."""
    if name == "D":
        return generate_uint8((12, 12, 12), (201, 301))[:count]
    with contextlib.closing(open_source(name, SourceOptions(gray=True))) as source:
        batches = itertools.islice(source.batches(16), -(-count // 16) if count else None)
        return np.concatenate(list(batches))[:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mouse", default="../shared/data/mouse.mp4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=640, help="of mouse")
    parser.add_argument("--memory", type=int, nargs="*", default=[5000, 20000])
    options = parser.parse_args()
    startup()
    with tempfile.TemporaryDirectory() as folder:
        measure("D", load("D"), folder, options.rounds)
        if Path(options.mouse).exists():
            measure("mouse, gray", load(options.mouse, options.frames), folder, options.rounds)
    memory(options.memory)
    print(f"\npeak of this script: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
