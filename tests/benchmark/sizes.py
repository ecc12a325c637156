"""Sizes and speeds of every profile beside the peers', on the same stacks in one run.

    pip install -e ".[bench]"
    python tests/benchmark/sizes.py [--data ../shared/data] bf calcium beamline D:uint8 D:float32:576

A stack is brightfield, calcium, beamline, mouse, cockatoo (RGB), cockatoo-gray or D:DTYPE, with
:N for its first N frames. Speeds are of one run, in MB of raw frames a second.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import h5ffmpeg
import h5py
import hdf5plugin
import imagecodecs
import numpy as np

import h5vidstack
from h5vidstack.demo import generate
from h5vidstack.sources import open_source


def load(name, data):
    """The frames of a stack by its name on the command line."""
    name, *options = name.split(":")
    count = int(options[-1]) if options and options[-1].isdigit() else None
    if name == "D":
        scale = {"uint8": 255, "uint16": 65535}.get(options[0])
        z = generate((12, 12, 12), (201, 301))
        frames = [np.floor(scale * f) if scale else f for f in z]
        return np.stack(frames).astype(options[0])[:count]
    path = {
        "brightfield": "brightfield", "calcium": "calcium.tif", "mouse": "mouse.mp4",
        "beamline": "nexus-example.hdf5::/entry/data/frames", "cockatoo": "cockatoo.mp4",
        "cockatoo-gray": "cockatoo.mp4",
    }[name]  # fmt: skip
    source = open_source(data / path, gray=name in ("mouse", "cockatoo-gray"))
    batches, found = [], 0
    for batch in source.batches(64):
        batches.append(batch)
        found += len(batch)
        if count and found >= count:
            break
    return np.concatenate(batches)[:count]


def in_hdf5(frames, chunk_frames, **options):
    """Bytes of the chunks of a dataset."""
    chunk = (min(chunk_frames, len(frames)), *frames.shape[1:])
    with tempfile.TemporaryDirectory() as folder, h5py.File(f"{folder}/x.h5", "w") as file:
        dataset = file.create_dataset("d", data=frames, chunks=chunk, **options)
        file.flush()
        return dataset.id.get_storage_size()


def by_h5ffmpeg(frames):
    """Bytes of the chunks, and how far its finest is from exact."""
    chunk = (min(16, len(frames)), *frames.shape[1:])
    with tempfile.TemporaryDirectory() as folder, h5py.File(f"{folder}/x.h5", "w") as file:
        how = h5ffmpeg.x264(crf=0, preset="veryslow")
        dataset = file.create_dataset("d", data=frames, chunks=chunk, **how)
        apart = np.abs(dataset[()].astype(int) - frames).max()
        return dataset.id.get_storage_size(), f"off by up to {apart}" if apart else ""


def each(frames, encode):
    """Bytes of frames that are coded one by one, by two threads."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda frame: len(encode(np.ascontiguousarray(frame))), frames))


def video(frames, codec, pixel_format, **options):
    """Bytes of the packets of a plain video."""
    _n, height, width = frames.shape[:3]
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.thread_count = 2
    context.options = options
    size = 0
    for pts, pixels in enumerate(frames):
        frame = av.VideoFrame(width, height, pixel_format)
        planes = [pixels]
        if pixel_format == "gbrp":
            planes = [pixels[..., 1], pixels[..., 2], pixels[..., 0]]
        for plane, values in zip(frame.planes, planes):
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
            values = np.ascontiguousarray(values).view(np.uint8).reshape(height, -1)
            rows[:, : values.shape[1]] = values
        frame.pts = pts
        size += sum(packet.size for packet in context.encode(frame))
    return size + sum(packet.size for packet in context.encode(None))


def peers(frames):
    """Yield the name of each peer that takes these frames, and what gives its size."""
    blosc, dtype, colour = hdf5plugin.Blosc2, frames.dtype, frames.ndim == 4
    yield "gzip 9 + shuffle", lambda: in_hdf5(frames, 1, compression=9, shuffle=True)
    for shuffle, filters in (("shuffle", blosc.SHUFFLE), ("bitshuffle", blosc.BITSHUFFLE)):
        options = blosc(cname="zstd", clevel=9, filters=filters)
        yield f"Blosc2 {shuffle}, 16", lambda options=options: in_hdf5(frames, 16, **options)
    zstd = hdf5plugin.Zstd(clevel=19)
    yield "zstd 19, 16", lambda: in_hdf5(frames, 16, **zstd)
    if dtype.kind == "u" and dtype.itemsize <= 2:
        yield "JPEG-LS", lambda: each(frames, imagecodecs.jpegls_encode)
        yield (
            "JPEG 2000",
            lambda: each(frames, lambda f: imagecodecs.jpeg2k_encode(f, level=0, reversible=True)),
        )
    if dtype in (np.uint8, np.uint16, np.float32):
        yield (
            "JPEG XL 7",
            lambda: each(frames, lambda f: imagecodecs.jpegxl_encode(f, lossless=True, effort=7)),
        )
    if dtype == np.uint8:
        x264 = ("libx264rgb", "rgb24") if colour else ("libx264", "gray")
        yield "x264 veryslow", lambda: video(frames, *x264, preset="veryslow", qp="0")
        x265 = {"x265-params": "lossless=1:log-level=none"}
        form = "gbrp" if colour else "gray"
        yield "x265", lambda: video(frames, "libx265", form, preset="medium", **x265)
    if dtype == np.uint8 and not colour:
        yield "h5ffmpeg x264 crf 0", lambda: by_h5ffmpeg(frames)
    if dtype == np.uint8 or (dtype == np.uint16 and not colour):
        padded = np.concatenate([frames[..., ::-1], frames[..., :1] * 0], -1) if colour else frames
        form = "bgr0" if colour else {1: "gray", 2: "gray16le"}[dtype.itemsize]
        yield "FFV1", lambda: video(padded, "ffv1", form, level="3", context="1")


def ours(frames, profile):
    """Pack and read with a profile; print its line, and give its size."""
    with tempfile.TemporaryDirectory() as folder:
        report = h5vidstack.pack(frames, f"{folder}/x.h5", profile=profile)
        with h5vidstack.open(f"{folder}/x.h5") as stack:
            started = time.perf_counter()
            whole = stack[:]
            seconds = time.perf_counter() - started
        if whole.tobytes() != frames.tobytes():
            raise SystemExit(f"{profile} is not exact")
        megabytes = frames.nbytes / 1e6
        print(f"  h5vidstack {profile:<10} {report.stored_bytes / 1000:12,.1f} KB "
              f"{megabytes / report.seconds:7.1f} MB/s, reads {megabytes / seconds:6.0f}   "
              f"{'; '.join(dict.fromkeys(report.codings))[:90]}", flush=True)  # fmt: skip
        return report.stored_bytes


def main():
    """Print a table for each stack."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stacks", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.stacks:
        frames = load(name, arguments.data)
        print(f"{name}: {frames.shape} {frames.dtype}, {frames.nbytes / 1000:,.0f} KB", flush=True)
        sizes = {profile: ours(frames, profile) for profile in ("fast", "balanced", "small")}
        best = None
        for peer, size_of in peers(frames) if not arguments.no_peers else ():
            started = time.perf_counter()
            size = size_of()
            size, remark = size if isinstance(size, tuple) else (size, "")
            speed = frames.nbytes / 1e6 / (time.perf_counter() - started)
            print(f"  {peer:<21} {size / 1000:12,.1f} KB {speed:7.1f} MB/s  {remark}", flush=True)
            if not remark:
                best = min(best or size, size)
        if best:
            print(f"  small / best peer: {sizes['small'] / best:.3f}", flush=True)


if __name__ == "__main__":
    main()
