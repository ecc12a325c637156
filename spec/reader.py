"""An independent reader of the h5vidstack format 1.0, written from format.md alone.

It imports h5py, numpy and av, never h5vidstack, and does not need the HDF5 filter:
it fetches the raw chunks and decodes them itself.

    python spec/reader.py FILE [STACK]     verifies every frame against index/crc32
"""

import itertools
import lzma
import struct
import sys
import zlib

import av
import h5py
import numpy as np

FILTER_ID = 47113
# Section 3, "Codecs": FFmpeg's decoder, and whether it must be told size and pixel format.
CODECS = {2: ("h264", False), 3: ("ffv1", True), 4: ("mpeg4", False)}
RAW, MPEG4, DEFLATE, LZMA = 0, 4, 5, 6
DEPTHS = {0: range(1, 65), 2: (8, 10), 3: (8, 10, 12, 16), 4: (8,)}
DEPTHS |= dict.fromkeys((DEFLATE, LZMA), range(8, 65, 8))
GRAY = {
    8: ("gray", "yuv420p", "yuvj420p"), 10: ("gray10le", "yuv420p10le"), 12: ("gray12le",),
    16: ("gray16le",),
}  # fmt: skip


class FormatError(Exception):
    """The file does not follow format.md."""


def require(condition, message):
    if not condition:
        raise FormatError(message)


def stack_shape(shape):
    """(frames, height, width, channels) of an array, by the rule of section 2."""
    if len(shape) >= 4 and shape[-1] in (3, 4):
        return (int(np.prod(shape[:-3])), *shape[-3:])
    return (int(np.prod(shape[:-2])), *shape[-2:], 1)


def parse_block(data, chunk, dtype):
    """Section 3: the block's shape, its steps, its mapping, its streams by component."""
    require(len(data) >= 32 and data[:4] == b"H5VB", "bad magic")
    crc, version, flags, kind, itemsize, length, n, height, width, channels, count = (
        struct.unpack_from("<IBBcBIIIIHH", data, 4)
    )
    require(length == len(data), "bad length")
    require(zlib.crc32(data[8:]) == crc, "bad CRC")
    require(version == 1 and flags == 0, "unknown version")
    require((kind, itemsize) == (dtype.kind.encode(), dtype.itemsize), "not the dataset's dtype")
    shape = (n, height, width, channels)
    require(all(1 <= a <= b for a, b in zip(shape, chunk)), "block does not fit its chunk")
    require(channels == chunk[3], "wrong number of channels")
    colour, predictor, zero, kind, bits, zeros, low, step, colours, patches, size = (
        struct.unpack_from("<BBHBBH8s8sIII", data, 32)
    )
    require(colour <= (channels > 2) and predictor <= 3, "unknown step")
    require((zero, zeros) == (0, 0), "unknown step")
    at = 68 + size
    require(kind <= 2 and bits <= 8 * itemsize and at <= length, "bad mapping")
    table = zlib.decompress(data[68:at]) if size else b""
    require(len(table) == (colours + patches) * itemsize + 4 * patches, "bad table")
    mapping = (kind, bits, low, step, colours, patches, table)
    streams = [[] for _ in range(channels)]
    for _ in range(count):
        require(at + 16 <= length, "stream header outside the block")
        codec, depth, component, low, bits, zero, zeros, packets, extra = struct.unpack_from(
            "<BBBBBBHII", data, at
        )
        require((zero, zeros) == (0, 0) and codec in DEPTHS, "unknown codec")
        require(1 <= bits <= depth and depth in DEPTHS[codec], "bits that the codec has not")
        require(component < channels and low + bits <= mapping[1], "bits outside the values")
        require(packets == (1 if codec == LZMA else n), "not one packet a frame")
        at += 16 + 4 * packets + extra
        require(at <= length, "packet table outside the block")
        sizes = struct.unpack_from(f"<{packets}I", data, at - extra - 4 * packets)
        ends = list(itertools.accumulate(sizes, initial=at))
        require(ends[-1] <= length, "packets outside the block")
        found = [data[a:b] for a, b in itertools.pairwise(ends)]
        streams[component].append((codec, depth, low, bits, data[at - extra : at], found))
        at = ends[-1]
    require(at == length, "bytes that no stream claims")
    return shape, (colour, predictor), mapping, streams


def gather(planes, width, shape):
    """Values of their planes of so many bits, (n, planes, pixels), the lowest first."""
    places = (np.arange(planes.shape[1]) * width).astype(np.uint64)[:, None]
    return np.bitwise_or.reduce(planes.astype(np.uint64) << places, axis=1).reshape(shape)


def decode_stream(codec, depth, extradata, packets, shape):
    """Values of one stream, (n, height, width)."""
    n, height, width = shape
    pixels = height * width
    if codec == RAW and depth in (8, 16, 32, 64):
        return np.frombuffer(b"".join(packets), f"<u{depth // 8}").reshape(shape)
    if codec == RAW:
        planes = np.frombuffer(b"".join(packets), np.uint8).reshape(n, depth, -1)
        return gather(np.unpackbits(planes, axis=2, count=pixels), 1, shape)
    if codec == DEFLATE:
        packets = map(zlib.decompress, packets)
    if codec == LZMA:
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": int.from_bytes(extradata, "little")}]
        packets = [lzma.decompress(packets[0], lzma.FORMAT_RAW, filters=filters)]
    if codec in (DEFLATE, LZMA):
        planes = np.frombuffer(b"".join(packets), np.uint8).reshape(n, depth // 8, pixels)
        return gather(planes, 8, shape)
    name, told = CODECS[codec]
    context = av.CodecContext.create(name, "r")
    context.thread_count = 1
    margin = 256 if codec == MPEG4 else 0
    rows, columns = ((edge + 63) // 64 * 64 + margin for edge in (height, width))
    context.options = {"max_pixels": str(rows * columns)}
    if told:
        context.width, context.height, context.pix_fmt = width, height, GRAY[depth][0]
    if extradata:
        context.extradata = extradata
    pictures = []
    for data in packets:
        packet = av.Packet(len(data))  # FFmpeg wants zeros behind it
        packet.update(data)
        pictures += context.decode(packet)
    pictures += context.decode(None)
    require(len(pictures) == n, "not one picture a packet")
    values = np.empty(shape, np.uint8 if depth == 8 else "<u2")
    for frame, picture in zip(values, pictures):
        require((picture.height, picture.width) == (height, width), "picture of a wrong size")
        require(picture.format.name in GRAY[depth], "wrong pixel format")
        rows = np.frombuffer(picture.planes[0], values.dtype).reshape(picture.planes[0].height, -1)
        frame[...] = rows[:height, :width]
    return values


def decode_component(streams, shape, bits, predictor):
    """Values of one component as uint64, (n, height, width): section 3, "From planes"."""
    values, top = np.zeros(shape, np.uint64), np.uint64((1 << bits) - 1)
    for codec, depth, low, count, extradata, packets in streams:
        plane = decode_stream(codec, depth, extradata, packets, shape).astype(np.uint64)
        values |= np.minimum(plane, np.uint64((1 << count) - 1)) << np.uint64(low)
    if predictor:
        values = (values >> np.uint64(1)) ^ (0 - (values & np.uint64(1)))
    for axis in {0: (), 1: (0,), 2: (2,), 3: (2, 2)}[predictor]:
        values = np.cumsum(values, axis=axis, dtype=np.uint64)
    return values & top


def to_dtype(numbers, dtype):
    """Numbers rounded to a dtype, within its range; bool is an 8-bit integer here."""
    whole = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(whole)
    numbers = numbers if dtype.kind == "f" else np.rint(numbers)
    less = 2**-53 if dtype.str[1:] in ("i8", "u8") else 0  # no float64 is 2^64 - 1
    most = 1 if dtype.kind == "b" else float(limits.max) * (1 - less)
    return np.clip(numbers, limits.min, most).astype(whole).view(dtype)


def decode_block(data, chunk, dtype):
    """The pixels of a block, (n, height, width, channels)."""
    shape, (colour, predictor), mapping, streams = parse_block(data, chunk, dtype)
    kind, bits, low, step, colours, patches, table = mapping
    word = np.dtype(f"<u{dtype.itemsize}")
    parts = [decode_component(s, shape[:3], bits, predictor) for s in streams]
    if colour and bits:
        half, top = map(np.uint64, (1 << (bits - 1), (1 << bits) - 1))
        green, red, blue, *alpha = parts
        green = green - (blue >> 2) + (half >> 2)
        blue = (blue + green - half) & top
        green = green - (red >> 1) + (half >> 1)
        parts = [(red + green - half) & top, green & top, blue, *alpha]
    values = np.stack(parts, axis=-1)
    if kind == 0:
        (base,), (step,) = struct.unpack("<Q", low), struct.unpack("<Q", step)
        words = (values * np.uint64(step) + np.uint64(base)).astype(word)
    elif kind == 1:
        require(values.max() < colours, "a value outside the palette")
        words = np.frombuffer(table, word, colours)[values]
    else:
        numbers = struct.unpack("<d", low)[0] + values.astype(float) * struct.unpack("<d", step)[0]
        words = to_dtype(numbers, dtype).view(word)
    if patches:
        places = np.cumsum(np.frombuffer(table, "<u4", patches, colours * word.itemsize), dtype=int)
        words.reshape(-1)[places] = np.frombuffer(table[-patches * word.itemsize :], word)
    return words.view(dtype)


def is_written(dataset, offset):
    return dataset.id.get_chunk_info_by_coord(offset).byte_offset is not None


def read_chunk(dataset, offset, in_stack):
    """Pixels of one whole chunk of a dataset that only the filter codes."""
    chunk = dataset.chunks
    if not is_written(dataset, offset):
        require(not in_stack, f"the block at {offset} is missing")
        return np.full(chunk, dataset.fillvalue, dataset.dtype)
    filter_mask, data = dataset.id.read_direct_chunk(offset)
    if filter_mask & 1:
        return np.frombuffer(data, dataset.dtype).reshape(chunk)
    native = np.dtype(np.uint8) if dataset.dtype == bool else dataset.dtype.newbyteorder("<")
    found = decode_block(data, stack_shape(chunk), native)
    pixels = np.zeros(stack_shape(chunk), dataset.dtype)
    pixels[tuple(map(slice, found.shape))] = found
    return pixels.reshape(chunk)


def rebuild(pca, dtype):
    """Frames as the components of a PCA make them: section 3, "Principal components"."""
    weights, images = pca["coefficients"][()].astype(int), pca["components"][()].astype(int)
    require(weights.shape[1] == len(images), "not a coefficient for each component")
    numbers = np.tensordot(weights, images, 1).astype(float) * pca.attrs["step"] + pca["mean"][()]
    return to_dtype(numbers, dtype)


def read_pile(group, dtype, live):
    """The frames of one pile, in the order in which it holds them."""
    if "pca" in group:
        frames = rebuild(group["pca"], dtype)
        if "residual" not in group:
            return frames
        residual = read_dataset(group["residual"], True)
        half = residual.dtype.type(1 << (8 * residual.itemsize - 1))
        return (residual + frames.view(residual.dtype) - half).view(dtype)
    if "mean" not in group:
        return read_dataset(group["video"], True, live)
    mean, difference = group["mean"][()], read_dataset(group["difference"], True)
    require(difference.dtype == f"u{mean.dtype.itemsize}", "differences of another size")
    require(difference.shape[1:] == mean.shape, "a mean of another shape")
    return (difference + mean.view(difference.dtype)).view(mean.dtype)


def read_dataset(dataset, in_stack=False, live=False):
    """All entries of a dataset whose only filter is h5vidstack's, or that has only HDF5's own."""
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if FILTER_ID not in filters:
        return dataset[()]
    require(filters == [FILTER_ID], f"filters {filters}, not [{FILTER_ID}]")
    frames, *frame = dataset.shape
    starts = [range(0, edge, step) for edge, step in zip(dataset.shape, dataset.chunks)]
    if live:  # what comes before a missing block
        missing = [o[0] for o in itertools.product(*starts) if not is_written(dataset, o)]
        frames = min(missing, default=frames)
        starts[0] = range(0, frames, dataset.chunks[0])
    out = np.empty((frames, *frame), dataset.dtype)
    for offset in itertools.product(*starts):
        place = tuple(slice(o, o + c) for o, c in zip(offset, dataset.chunks))
        target = out[place]
        target[...] = read_chunk(dataset, offset, in_stack)[tuple(map(slice, target.shape))]
    return out


def read_table(group, name, length):
    """A table of section 2, checked against its CRC if it has one."""
    table = group[name]
    values = table[()]
    require(values.shape == (length,), f"{name} has shape {values.shape}, not ({length},)")
    if "crc32" in table.attrs:
        little = values.astype(values.dtype.newbyteorder("<"))
        require(zlib.crc32(little.tobytes()) == table.attrs["crc32"], f"CRC-32 of {name} is wrong")
    return values


def is_recording(group):
    """Whether a stack is being recorded, or was and is not complete."""
    return group.file.swmr_mode or group.attrs["shape"][0] == 0


def open_file(path):
    with open(path, "rb") as raw:  # HDF5's superblock says whether it is a recording
        head = raw.read(12)
    return h5py.File(path, "r", swmr=head[8:9] == b"\x03" and bool(head[11] & 4))


def read_stack(path, stack="/stack"):
    """All frames of a stack in their original order, checked against index/crc32."""
    with open_file(path) as file:
        group = file[stack]
        version = group.attrs["h5vidstack_format"]
        require(version == b"1.0", f"format {version} is not 1.0")
        piles = [
            read_pile(
                group["groups"][name], np.dtype(group.attrs["dtype"].decode()), is_recording(group)
            )
            for name in sorted(group["groups"])
        ]
        shape = tuple(map(int, group.attrs["shape"]))
        frame = shape[1:]
        require(all(p.shape[-len(frame) :] == frame for p in piles), "shape is not the video's")
        piles = [pile.reshape(-1, *frame) for pile in piles]  # several axes may count frames
        if "frames" in group and group["frames"] == group["groups/000000"].get("video"):
            frames = piles[0]
            if is_recording(group):
                return frames
        else:
            numbers = read_table(group, "index/group", shape[0])
            positions = read_table(group, "index/position", shape[0])
            frames = np.empty(shape, piles[0].dtype)
            for i, (number, position) in enumerate(zip(numbers, positions)):
                require(number < len(piles), f"frame {i} is in no pile")
                require(position < len(piles[number]), f"frame {i} is not in its pile")
                frames[i] = piles[number][position]
        for i, crc in enumerate(read_table(group, "index/crc32", len(frames))):
            require(zlib.crc32(frames[i].tobytes()) == crc, f"CRC-32 of frame {i} is wrong")
        return frames


if __name__ == "__main__":
    result = read_stack(*sys.argv[1:])
    print(f"{result.shape} {result.dtype}: what has a CRC-32 has the right one")
