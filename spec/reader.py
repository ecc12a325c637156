"""An independent reader of the h5vidstack format 1.0, written from format.md alone.

It imports h5py, numpy and av, never h5vidstack, and does not need the HDF5 filter:
it fetches the raw chunks and decodes them itself.

    python spec/reader.py FILE [STACK]     verifies every frame against index/crc32
"""

import functools
import itertools
import lzma
import math
import struct
import sys
import zlib

import av
import h5py
import numpy as np

FILTER_ID = 47113
# Section 3, "Codecs": FFmpeg's decoder, and whether it must be told size and pixel format.
CODECS = {2: ("h264", False), 3: ("ffv1", True), 4: ("mpeg4", False)}
RAW, LPC, MPEG4, DEFLATE, LZMA = 0, 1, 4, 5, 6
DEPTHS = {RAW: range(1, 65), LPC: range(1, 17), 2: (8, 10), 3: (8, 10, 12, 16), MPEG4: (8,)}
DEPTHS |= {DEFLATE: range(8, 65, 8), LZMA: (8, 16, 32, 64)}
GRAY = {
    8: ("gray", "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"),
    10: ("gray10le", "yuv420p10le", "yuv422p10le", "yuv444p10le"), 12: ("gray12le",),
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
        codec, depth, component, low, bits, width, zeros, packets, extra = struct.unpack_from(
            "<BBBBBBHII", data, at
        )
        require(1 <= width <= 4 and zeros == 0 and codec in DEPTHS, "unknown codec")
        require(1 <= bits <= depth and depth in DEPTHS[codec], "bits that the codec has not")
        require(component < channels and low + bits <= mapping[1], "bits outside the values")
        require(packets == (1 if codec == LZMA else n), "not one packet a frame")
        table = range(at + 16, at + 16 + width * packets, width)
        at = table.stop + extra
        require(at <= length, "packet table outside the block")
        sizes = [int.from_bytes(data[a : a + width], "little") for a in table]
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


# Section "lpc". Places are (rows, columns) away: W, N, NW, NE, WW, NN, NNE, NNW, NWW, NNEE.
NEAR = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-2, 2)]
AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
CROSS = [(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0)]
LEVELS = np.array([0, 1, 2, 3, 4, 5, 6, *(round(2 ** (i / 3)) for i in range(9, 33))])


@functools.cache
def lpc_frequencies():
    """Slots of each symbol: (4 * 48 distributions, 4 phases, 256 symbols)."""
    logistic = np.array([round(65536 / (1 + math.exp(-i / 16))) for i in range(193)])
    normal = np.array([round(32768 + 32768 * math.erf(i / 27.2 / 2**0.5)) for i in range(193)])
    width = np.array([(10 * 12**k + 10**k // 2) // 10**k for k in range(48)])
    bound = 32 * np.arange(-128, 128) + 17 - 8 * np.arange(4)[:, None]
    u = np.minimum((abs(bound) << 15) // width[:, None, None], 1 << 20)

    def p(table, u):
        at = np.minimum(u >> 8, 191)
        between = table[at] + ((table[at + 1] - table[at]) * (u & 255) >> 8)
        return np.where(u < 192 << 8, between, 65536)

    below = np.concatenate([
        p(logistic, u),
        (p(logistic, u * 3 // 2) + p(logistic, u * 3 // 5) + 1) // 2,
        (7 * p(logistic, u * 8 // 5) + 3 * p(logistic, u * 3 // 10) + 5) // 10,
        p(normal, u),
    ])  # fmt: skip
    below = np.where(bound < 0, 65536 - below, below) * 4095 + 32768 >> 16
    escape = 4096 - below[..., -1:] + below[..., :1]
    return np.concatenate([escape, np.diff(below)], axis=-1)


class Bits:
    """Numbers from bits, the lowest first."""

    def __init__(self, data):
        self.bits, self.at = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little"), 0

    def number(self, count):
        self.at += count
        require(self.at <= len(self.bits), "bits that are not there")
        found = self.bits[self.at - count : self.at].tolist()
        return sum(bit << i for i, bit in enumerate(found))

    def signed(self, k):
        length = k
        while not self.number(1):
            length += 1
        require(length < 32, "a number that is too large")
        folded = (1 << length) + self.number(length) - (1 << k)
        return folded >> 1 if folded % 2 == 0 else -(folded >> 1) - 1


def lpc_configuration(data, bits):
    """References, states, error shift, thresholds; coefficients and contexts by kind."""
    read = Bits(data)
    require(read.number(4) == 0, "a newer lpc")
    references, states, shift = read.number(4), 1 << read.number(3), read.number(4)
    classes, kinds = read.number(2) + 1, 1 if references == 0 else 2
    require(references < 3 and states <= 64, "references or states")
    thresholds = [read.number(16) for _ in range(classes - 1)]
    sets = []
    for kind in range(kinds):
        sets.append([])
        for _ in range(classes if kind else 1):
            taps = [read.signed(7) for _ in range(16 if kind else 10)]
            offset = read.signed(10)
            require(sum(map(abs, taps)) <= 32767 and abs(offset) <= 1 << 29, "coefficients")
            sets[-1].append((np.array(taps), offset))
    contexts = np.zeros((2, len(LEVELS)), int)
    for kind in range(kinds):
        width = 0
        for level in range(read.number(5)):
            if read.number(1):
                shape = read.number(2)
                width += read.signed(1)
                require(0 <= width < 48, "a distribution that does not exist")
                contexts[kind, level] = 48 * shape + width
    require((read.at + 7) // 8 == len(data), "bytes that nothing claims")
    return references, states, shift, thresholds, sets, contexts


class LpcPacket:
    """What is read of one packet, step by step."""

    def __init__(self, data, states):
        head, self.size = data[: 4 * states], len(data) - 4 * states
        require(self.size >= 0, "states outside the packet")
        rest = data[4 * states :]
        words = np.frombuffer(rest, "<u2", self.size // 2)
        self.state = np.frombuffer(head, "<u4").astype(int)
        self.words = np.append(words.astype(int), [0] * states)
        self.at, self.end, self.raw = 0, len(words), Bits(bytes(rest)[::-1])

    def symbols(self, rows):
        """One symbol for each row of frequencies."""
        found = np.empty(len(rows), int)
        for first in range(0, len(rows), len(self.state)):
            row = rows[first : first + len(self.state)]
            state = self.state[: len(row)]
            bounds, slot = np.cumsum(row, axis=1), state & 4095
            symbol = (bounds <= slot[:, None]).sum(axis=1)
            lane = np.arange(len(row))
            frequency = row[lane, symbol]
            state[:] = frequency * (state >> 12) + slot - (bounds[lane, symbol] - frequency)
            low = np.flatnonzero(state < 1 << 15)
            state[low] = state[low] << 16 | self.words[self.at : self.at + len(low)]
            self.at += len(low)
            require(self.at <= self.end, "words that are not there")
            found[first : first + len(row)] = symbol
        return found


def lpc_margin(plane, before):
    """Fill two rows above, one below, and two columns on each side, as far as is known."""
    plane[2, :2] = plane[:2, :6] = before
    plane[3:-1, :2] = plane[2:-2, 2:3]
    plane[2:-1, -2:] = plane[2:-1, -3:-2]
    plane[1, 4:] = plane[2, 2:-2]
    plane[0, 6:] = plane[2, 2 : plane.shape[1] - 4]
    plane[-1, 1:-1] = plane[-2, 1:-1]


def lpc_frame(packet, bits, model, kind, reference, second):
    """Samples, errors and differences of one frame, with their margin, as (3, H + 3, W + 4)."""
    _, _, shift, thresholds, sets, contexts = model
    frame = np.zeros_like(reference)
    height, pitch = frame.shape[1] - 3, frame.shape[2]
    width, half = pitch - 4, 1 << (bits - 1)
    before = [reference[0, 2, 2] if kind else 0, 16 >> shift, 0]
    frame[1] = before[1]
    for step in range(width + 2 * (height - 1)):
        for plane, value in zip(frame, before):
            lpc_margin(plane, value)
        y = np.arange(max(0, (step - width) // 2 + 1), min(height - 1, step // 2) + 1)
        x = step - 2 * y

        def at(planes, places, y=y, x=x):
            return np.array([planes[y + 2 + dy, x + 2 + dx] for dy, dx in places])

        e, taps = at(frame[1], NEAR[:6]), at(frame[0], NEAR)
        energy = (2 * (e[0] + e[1]) + e[2:].sum(axis=0)) >> 3
        kinds = np.zeros(len(y), int)
        if kind:
            r = at(reference[1], CROSS)
            energy = [7, 7, 3, 4, 2, 2] @ e + [3, 1, 1, 1, 1] @ r >> 5
            activity = at(frame[2], NEAR[:4]).sum(axis=0)
            kinds = sum((activity >= t for t in thresholds), kinds)
            taps = [*taps[:6], *at(reference[0], AROUND), *at(second[0], [(0, 0)])]
        sums = np.array([c @ np.array(taps) + offset + 128 >> 8 for c, offset in sets[kind]])
        mean = np.clip(sums[kinds, np.arange(len(y))], -8 << bits, (half - 1) * 16) + 2
        base, fraction = mean >> 4, mean & 15
        level = np.searchsorted(LEVELS, energy, side="right") - 1
        low = [((int(LEVELS[n]) << shift) >> 4).bit_length() - 4 for n in level]
        low = np.maximum(low, 0) * (bits > 8)
        phase = np.where(low > 0, 0, fraction >> 2)
        symbols = packet.symbols(lpc_frequencies()[contexts[kind, level], phase])
        sample = base + symbols - 128
        for i in np.flatnonzero((symbols == 0) | (low > 0)):
            if symbols[i]:
                raw = packet.raw.number(low[i]) - (1 << low[i] >> 1)
                sample[i] = base[i] + (int(symbols[i] - 128) << low[i]) + raw
            else:
                sample[i] = packet.raw.number(bits) - half
        sample = sample.astype(np.int16).astype(int)
        error = abs(16 * (sample - base) - (fraction - 2)) >> shift
        apart = abs(sample - reference[0][y + 2, x + 2])
        frame[:, y + 2, x + 2] = sample, np.minimum(error, 2047), np.minimum(apart, 8191)
    for plane, value in zip(frame, before):
        lpc_margin(plane, value)
    require(2 * packet.at + (packet.raw.at + 7) // 8 == packet.size, "bytes that nothing claims")
    require((packet.state == 1 << 15).all(), "states that no encoder began with")
    return frame


def decode_lpc(packets, configuration, bits, shape):
    """Samples of an lpc stream, (n, H, W)."""
    model, frames = lpc_configuration(configuration, bits), {}
    references, states, count = model[0], model[1], len(packets)
    centre = [min(t - t % 4 + 2, count - 1) for t in range(count)]
    order = range(count)
    if references == 2:
        order = sorted(order, key=lambda t: (centre[t] != t, t))
    for t in order:
        before = {0: t, 1: max(0, t - 1), 2: centre[t]}[references]
        ones = [np.zeros((3, shape[1] + 3, shape[2] + 4), int)] * 2
        if before != t:
            second = max(0, t - 2) if references == 1 else before
            ones = [frames[before], frames[second]]
        packet = LpcPacket(packets[t], states)
        frames[t] = lpc_frame(packet, bits, model, int(before != t), *ones)
    found = np.stack([frames[t] for t in range(count)])
    return found[:, 0, 2:-1, 2:-2] + (1 << (bits - 1))


def decode_stream(codec, depth, extradata, packets, shape):
    """Values of one stream, (n, height, width)."""
    n, height, width = shape
    pixels = height * width
    if codec == RAW and depth in (8, 16, 32, 64):
        return np.frombuffer(b"".join(packets), f"<u{depth // 8}").reshape(shape)
    if codec == RAW:
        planes = np.frombuffer(b"".join(packets), np.uint8).reshape(n, depth, -1)
        return gather(np.unpackbits(planes, axis=2, count=pixels), 1, shape)
    if codec == LPC:
        return decode_lpc(packets, extradata, depth, shape)
    if codec == DEFLATE:
        planes = np.frombuffer(b"".join(map(zlib.decompress, packets)), np.uint8)
        return gather(planes.reshape(n, depth // 8, pixels), 8, shape)
    if codec == LZMA:
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": int.from_bytes(extradata, "little")}]
        data = lzma.decompress(packets[0], lzma.FORMAT_RAW, filters=filters)
        return np.frombuffer(data, f"<u{depth // 8}").reshape(shape)
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
    if predictor and bits <= 16:
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
            if name != "ordered"  # the virtual dataset over the piles, which nothing here needs
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
