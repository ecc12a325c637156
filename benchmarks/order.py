"""What the order of frames is worth, and how long it takes to find one.

python benchmarks/order.py [--gray] [--greedy] [PATH[:COUNT] | demo ...]

For each source, shuffled with seed 0: the packed size (whole file) of the original order,
of the shuffled frames as they are, sorted by their phash, and by `groupvideo`, and of
`auto` on the unshuffled frames; then the time to order more and more frames.
"""

import argparse
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from stacks import add_stacks, loaded

import h5vidstack
from h5vidstack.cli import demonstration
from h5vidstack.hdf5 import virtual
from h5vidstack.reading import search
from h5vidstack.similar import fingerprints, ordering


def packed(frames, method, folder):
    path = Path(folder) / "x.h5"
    report = h5vidstack.pack(frames, path, method=method, preset="x264-interm", overwrite=True)
    return path.stat().st_size, report


def compare(name, frames, folder):
    shuffled = frames[np.random.default_rng(0).permutation(len(frames))]
    original, _ = packed(frames, "video", folder)
    as_is, _ = packed(shuffled, "video", folder)
    by_hash = shuffled[np.argsort(fingerprints.hash_images(shuffled)[0], kind="stable")]
    sorted_by_hash, _ = packed(by_hash, "video", folder)
    ours, report = packed(shuffled, "groupvideo", folder)
    auto, automatic = packed(frames, "auto", folder)
    sizes = {
        "shuffled": as_is,
        "sorted by hash": sorted_by_hash,
        "groupvideo": ours,
        "auto, unshuffled": auto,
    }
    print(f"{name} {frames.shape}: original order {original / 1000:.0f} KB; times that:")
    for label, size in sizes.items():
        print(f"  {label:18} {size / original:.4f}")
    print(f"  groupvideo: {report.order}\n  auto: {automatic.order}", flush=True)


def mixture(one, two, folder):
    """Two scenes interleaved at random, against each packed apart."""
    from PIL import Image

    size = one.shape[2], one.shape[1]
    two = np.stack([np.asarray(Image.fromarray(frame).resize(size)) for frame in two])
    apart = sum(packed(part, "video", folder)[0] for part in (one, two))
    together = np.concatenate([one, two])
    scene = np.repeat([0, 1], [len(one), len(two)])
    order = np.random.default_rng(0).permutation(len(together))
    size, report = packed(together[order], "groupvideo", folder)
    with h5vidstack.open(Path(folder) / "x.h5") as stack:
        pure = all(len(set(scene[order][pile.frames])) == 1 for pile in stack.groups)
    print(
        f"mixture: {size / apart:.4f} of the sum packed apart; {report.piles} piles, "
        f"each of one scene: {pure}",
        flush=True,
    )


def timing(counts):
    edge = round(max(counts) ** (1 / 3)) + 1
    sweep = demonstration.generate((edge, edge, edge), (16, 24))
    random = np.random.default_rng(0)
    frames = np.stack([np.floor(255 * frame).astype(np.uint8) for frame in sweep])
    features = fingerprints.block_means(frames[random.permutation(len(frames))])
    for count in counts:
        started = time.perf_counter()
        order = ordering.chain(features[:count])
        seconds = time.perf_counter() - started
        steps = np.linalg.norm(np.diff(features[order], axis=0), axis=1).sum()
        print(f"ordering {count:,} frames: {seconds:.2f} s, chain length {steps:.0f}", flush=True)


def greedy(features):
    """The plain nearest-neighbour chain, every step over all points that are left."""
    numbers, points = np.arange(len(features)), features
    squares = np.einsum("nd,nd->n", points, points)
    free = np.ones(len(points), bool)
    order, here = [0], features[0]
    free[0] = False
    while len(order) < len(features):
        distance = squares - 2 * (points @ here)
        distance[~free] = np.inf
        nearest = int(np.argmin(distance))
        free[nearest] = False
        here = points[nearest]
        order.append(int(numbers[nearest]))
        if len(order) % 2000 == 0:
            numbers, points, squares = numbers[free], points[free], squares[free]
            free = np.ones(len(points), bool)
    return np.array(order)


def against_greedy(count, folder):
    """Packed size along our chain over that along the plain greedy one."""
    edge = round(count ** (1 / 3))
    sweep = demonstration.generate_uint8((edge, edge, edge), (64, 96))
    frames = sweep[np.random.default_rng(0).permutation(len(sweep))]
    features = fingerprints.block_means(frames)
    sizes = []
    for work in (ordering.chain, greedy):
        started = time.perf_counter()
        order = work(features)
        seconds = time.perf_counter() - started
        path = Path(folder) / "x.h5"
        report = h5vidstack.pack(
            frames[order], path, method="video", preset="x264-fast", overwrite=True
        )
        sizes.append(report.stored_bytes)
        print(f"{work.__name__} of {len(frames):,} frames: {seconds:.1f} s, {sizes[-1]:,} bytes")
    print(f"  ratio {sizes[0] / sizes[1]:.4f}", flush=True)


def virtual_timing(count, folder):
    position = np.random.default_rng(0).permutation(count)
    with h5py.File(Path(folder) / "v.h5", "w", libver=("v110", "v110")) as file:
        video = file.create_dataset("video", (count, 64, 96), np.uint8, chunks=(16, 64, 96))
        started = time.perf_counter()
        runs = virtual.runs(np.zeros(count, int), position)
        source = virtual.MappedDataset(".", video.name, video.shape)
        virtual.create(file["/"], "frames", video.shape, video.dtype, runs, [source])
    seconds = time.perf_counter() - started
    print(f"virtual dataset of {count:,} shuffled frames, {len(runs):,} mappings: {seconds:.1f} s")


def search_timing(count):
    random = np.random.default_rng(0)
    table = random.integers(0, 2**64, count, dtype=np.uint64)
    started = time.perf_counter()
    search.hamming(table, 12345)
    print(f"Hamming distance to {count:,} hashes: {time.perf_counter() - started:.3f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_stacks(parser)
    parser.add_argument(
        "--greedy", action="store_true", help="also the plain greedy chain: minutes"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stacks = {}
        for name, frames in loaded(options):
            stacks[name] = frames
            compare(name, frames, folder)
        if len(stacks) > 1 and all(stack.ndim == 3 for stack in stacks.values()):
            scenes = [stack for name, stack in stacks.items() if not name.startswith("demo")]
            if len(scenes) > 1:
                mixture(scenes[0], scenes[1], folder)
        timing([1_000, 10_000, 100_000])
        virtual_timing(100_000, folder)
        search_timing(10_000_000)
        if options.greedy:  # ten minutes
            against_greedy(100_000, folder)


if __name__ == "__main__":
    main()
