"""Write TIFFs tag by tag, as no library does: what is to be wrong in them is wrong."""

import struct
from pathlib import Path

import numpy as np

from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import Access, SourceOptions

SHORT, LONG = 3, 4


def pack_bits(samples, bits):
    """Pack rows ``(H, W * samples)`` of unsigned values; each row begins at a whole byte."""
    shifts = np.arange(bits - 1, -1, -1)
    ones = (samples[..., None].astype(np.uint32) >> shifts) & 1
    return np.packbits(ones.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def write_tiff(path, pages, order="<"):
    """Write pages ``(tags, strips)``: tags as ``{code: (type, values)}``, strips as bytes."""
    mark = b"II" if order == "<" else b"MM"
    out = bytearray(mark + struct.pack(order + "HI", 42, 0))
    link = 4
    for tags, strips in pages:
        offsets = []
        for strip in strips:
            offsets.append(len(out) if strip else 0)
            out += strip
        tags = {
            273: (LONG, offsets),
            279: (LONG, [len(strip) for strip in strips]),
            **tags,
        }
        out += b"\0" * (len(out) % 2)
        entries = bytearray()
        behind = bytearray()
        base = len(out) + 2 + 12 * len(tags) + 4
        for code in sorted(tags):
            kind, values = tags[code]
            if kind == 2:
                count, data = len(values), bytes(values)
            else:
                count = len(values)
                data = struct.pack(f"{order}{count}{'H' if kind == SHORT else 'I'}", *values)
            entries += struct.pack(order + "HHI", code, kind, count)
            if len(data) <= 4:
                entries += data.ljust(4, b"\0")
            else:
                entries += struct.pack(order + "I", base + len(behind))
                behind += data + b"\0" * (len(data) % 2)
        struct.pack_into(order + "I", out, link, len(out))
        out += struct.pack(order + "H", len(tags)) + entries
        link = len(out)
        out += struct.pack(order + "I", 0) + behind
    Path(path).write_bytes(out)


def gray_tags(height, width, bits, samples=1, photometric=1, **more):
    """Tags of an uncompressed page of one strip."""
    tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * samples),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        277: (SHORT, [samples]),
        278: (LONG, [height]),
    }
    return tags | {int(code[1:]): value for code, value in more.items()}


RANDOM = np.random.default_rng(7)


def values(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return RANDOM.integers(0, 2, shape).astype(bool)
    if dtype.kind == "f":
        return (RANDOM.standard_normal(shape) * 100).astype(dtype)
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def read(name, **options):
    """Frames with their leading axes, and what is said of them; any frame can be had alone."""
    source = open_source(name, SourceOptions(**options))
    try:
        frames = np.concatenate(list(source.batches(3)))
        assert source.count == len(frames)
        if source.access >= Access.RANDOM:
            backwards = np.arange(len(frames))[::-1]
            np.testing.assert_array_equal(source.take(backwards), frames[::-1])
        leading = source.leading_shape or (len(frames),)
        return frames.reshape(*leading, *source.frame), source
    finally:
        source.close()


def same(name, want):
    found, source = read(name)
    np.testing.assert_array_equal(found, want, strict=True)
    return source
