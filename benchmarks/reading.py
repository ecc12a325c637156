"""`stack[:]` of each profile beside bare PyAV on the same packets, with the same numpy steps.

python benchmarks/reading.py [--gray] [PATH[:COUNT] | demo[:DTYPE] ...]

The bare loop has everything in memory: packets, and what the headers say. It decodes them in
as many threads, undoes the steps with the package's own functions, and checks nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import av
import h5py
import numpy as np
from stacks import add_stacks, loaded

import h5vidstack
from h5vidstack.codecs import av_engine, value_map
from h5vidstack.codecs.block_format import parse
from h5vidstack.codecs.transforms import Colour, container, from_components, unpredict
from h5vidstack.shapes import stack_shape

ENGINES = {"x264": av_engine.X264, "ffv1": av_engine.FFV1}


def plane(stream, shape):
    """Values of a stream."""
    out = np.empty(shape, container(stream.depth))
    engine = ENGINES.get(stream.codec.name)
    if engine is None:  # zlib, lzma, or bytes as they are: nothing to be slow in
        stream.codec.decode(stream.packets, stream.extradata, stream.depth, out)
        return out
    context = av.CodecContext.create(engine.decoder, "r")
    context.thread_count = 1
    if engine.told:
        context.width, context.height = shape[2], shape[1]
        context.pix_fmt = engine.formats[stream.depth]
    if stream.extradata:
        context.extradata = stream.extradata
    done = 0
    for packet in [*map(av.Packet, stream.packets), None]:
        for frame in context.decode(packet):
            first = frame.planes[0]
            rows = np.frombuffer(first, out.dtype).reshape(first.height, -1)
            out[done] = rows[: shape[1], : shape[2]]
            done += 1
    return out


def bare(block, dtype, out):
    """Pixels of a parsed block."""
    shape, bits = (block.frames, block.height, block.width), block.mapping.bits
    if not bits:
        components = [np.zeros(shape, np.uint8)] * block.channels
    else:
        components = []
        for number in range(block.channels):
            parts = [stream for stream in block.streams if stream.component == number]
            values = np.zeros(shape, container(bits)) if len(parts) != 1 else None
            for stream in parts:
                found = plane(stream, shape).astype(container(bits), copy=False)
                if stream.low:
                    found <<= stream.low
                values = found if values is None else np.bitwise_or(values, found, out=values)
            components.append(unpredict(values, bits, block.predictor))
    values = components[0]
    if block.channels > 1:
        values = np.empty((*shape, block.channels), components[0].dtype)
        from_components(components, bits, block.colour, values)
    trivial = block.mapping.trivial and block.colour == Colour.NONE
    if trivial and values.dtype == dtype:
        out[...] = values
    elif out.flags.c_contiguous:
        value_map.to_pixels(block.mapping, values, dtype, out)
    else:
        made = np.empty(out.shape, dtype)
        value_map.to_pixels(block.mapping, values, dtype, made)
        out[...] = made


def blocks(path):
    """Every block of a stack, parsed, with its pixels' dtype and where they belong."""
    found = []
    with h5py.File(path) as file:
        for name in sorted(file["stack/groups"]):
            dataset = file[f"stack/groups/{name}/video"]
            for number in range(dataset.id.get_num_chunks()):
                offset = dataset.id.get_chunk_info(number).chunk_offset
                _, data = dataset.id.read_direct_chunk(offset)
                block = parse(data, stack_shape(dataset.chunks), dataset.dtype)
                shape = (block.frames, block.height, block.width)
                where = tuple(slice(o, o + e) for o, e in zip(offset, shape))
                found.append((block, dataset.dtype, where))
    return found


def seconds(work):
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main():
    """Print a ratio for each stack and profile."""
    parser = argparse.ArgumentParser()
    add_stacks(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profiles", nargs="*", default=["fast", "balanced", "small"])
    arguments = parser.parse_args()
    pool = ThreadPoolExecutor(2)
    for name, frames in loaded(arguments):
        for profile in arguments.profiles:
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/x.h5"
                coding = h5vidstack.pack(frames, path, profile=profile, method="video").codings[0]
                parsed = blocks(path)

                def decode_all(parsed=parsed):
                    whole = np.empty(frames.shape, frames.dtype)

                    def one(number):
                        block, dtype, where = parsed[number]
                        bare(block, dtype, whole[where])

                    list(pool.map(one, range(len(parsed))))
                    return whole

                stack = h5vidstack.open(path, workers=2, cache_bytes=0)

                def read(stack=stack):
                    return stack[:]

                read()
                if decode_all().tobytes() != frames.tobytes():
                    raise SystemExit("the bare loop is wrong")
                pairs = [(seconds(read), seconds(decode_all)) for _ in range(arguments.rounds)]
                ours, theirs = (statistics.median(column) for column in zip(*pairs))
                stack.close()
                print(f"{name} {profile}: {theirs / ours:.2f} of bare PyAV's speed, "
                      f"{frames.nbytes / 1e6 / ours:.0f} MB/s ({coding})", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
