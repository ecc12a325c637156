"""An independent reader of the h5vidstack format 1.1, written from format.md alone.

It imports h5py, numpy and av, never h5vidstack, and does not need the HDF5 filter:
it fetches the raw chunks and decodes them itself.

    python spec/reader.py FILE [STACK]     verifies every frame against index/crc32
"""

import itertools
import struct
import sys
import zlib

import av
import h5py
import numpy as np

FILTER_ID = 47113


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


def parse_block(data, chunk):
    """Section 3: yield (channel, codec, extradata, packets); first of all the shape."""
    require(len(data) >= 32 and data[:4] == b"H5VB", "bad magic")
    crc, version, flags, kind, itemsize, length, n, height, width, channels, streams = (
        struct.unpack_from("<IBBcBIIIIHH", data, 4)
    )
    require(length == len(data), "bad length")
    require(zlib.crc32(data[8:]) == crc, "bad CRC")
    require((version, flags, kind, itemsize) == (1, 0, b"u", 1), "unknown version or dtype")
    shape = (n, height, width, channels)
    require(all(1 <= a <= b for a, b in zip(shape, chunk)), "block does not fit its chunk")
    require(channels == chunk[3] == streams, "wrong number of channels or streams")
    found, position = {}, 32
    for _ in range(streams):
        require(position + 24 <= length, "stream header outside the block")
        codec, pixel_format, transform, channel, low, bits, reserved, offset, count, extra = (
            struct.unpack_from("<BBBBBBHqII", data, position)
        )
        require(
            (pixel_format, transform, low, bits, reserved, offset) == (0, 0, 0, 8, 0, 0),
            "unknown pixel format or transform",
        )
        require(count == n, "not one packet a frame")
        position += 24
        require(position + 4 * count + extra <= length, "packet table outside the block")
        sizes = struct.unpack_from(f"<{count}I", data, position)
        position += 4 * count
        extradata = data[position : position + extra]
        position += extra
        require(position + sum(sizes) <= length, "packets outside the block")
        packets = []
        for size in sizes:
            packets.append(data[position : position + size])
            position += size
        require(channel < channels and channel not in found, "channel outside or twice")
        found[channel] = (codec, extradata, packets)
    require(position == length, "bytes that no stream claims")
    return shape, found


def decode_stream(codec, extradata, packets, height, width):
    """Frames of one stream, (n, height, width) uint8."""
    if codec == 0:
        require(all(len(p) == height * width for p in packets), "raw packet of a wrong size")
        return np.stack([np.frombuffer(p, np.uint8).reshape(height, width) for p in packets])
    require(codec == 1, "unknown codec")
    context = av.CodecContext.create("h264", "r")
    context.thread_count = 1
    context.options = {"max_pixels": str((height + 63) // 64 * 64 * ((width + 63) // 64 * 64))}
    if extradata:
        context.extradata = extradata
    pictures = [picture for p in packets for picture in context.decode(av.Packet(p))]
    pictures += context.decode(None)
    require(len(pictures) == len(packets), "not one picture a packet")
    frames = np.empty((len(pictures), height, width), np.uint8)
    for frame, picture in zip(frames, pictures):
        require((picture.height, picture.width) == (height, width), "picture of a wrong size")
        require(picture.format.name in ("gray", "yuv420p", "yuvj420p"), "wrong pixel format")
        plane = picture.planes[0]
        frame[...] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]
    return frames


def read_chunk(dataset, offset):
    """Pixels of one whole chunk of a dataset that only the filter codes."""
    chunk = dataset.chunks
    if dataset.id.get_chunk_info_by_coord(offset).byte_offset is None:
        return np.full(chunk, dataset.fillvalue, dataset.dtype)
    filter_mask, data = dataset.id.read_direct_chunk(offset)
    if filter_mask & 1:
        return np.frombuffer(data, np.uint8).reshape(chunk)
    (n, height, width, _channels), streams = parse_block(data, stack_shape(chunk))
    pixels = np.zeros(stack_shape(chunk), np.uint8)
    for channel, (codec, extradata, packets) in streams.items():
        frames = decode_stream(codec, extradata, packets, height, width)
        pixels[:n, :height, :width, channel] = frames
    return pixels.reshape(chunk)


def read_dataset(dataset):
    """All pixels of a dataset whose only filter is h5vidstack's."""
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    require(filters == [FILTER_ID], f"filters {filters}, not [{FILTER_ID}]")
    out = np.empty(dataset.shape, dataset.dtype)
    starts = [range(0, edge, step) for edge, step in zip(dataset.shape, dataset.chunks)]
    for offset in itertools.product(*starts):
        place = tuple(slice(o, o + c) for o, c in zip(offset, dataset.chunks))
        target = out[place]
        target[...] = read_chunk(dataset, offset)[tuple(map(slice, target.shape))]
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


def read_stack(path, stack="/stack"):
    """All frames of a stack in their original order, checked against index/crc32."""
    with h5py.File(path, "r") as file:
        group = file[stack]
        version = tuple(map(int, str(group.attrs["h5vidstack_format"]).split(".")))
        require(version <= (1, 1), f"format {version} is newer than 1.1")
        piles = [read_dataset(group["groups"][name]["video"]) for name in sorted(group["groups"])]
        shape = tuple(map(int, group.attrs["shape"]))
        require(all(pile.shape[1:] == shape[1:] for pile in piles), "shape is not the video's")
        if "frames" in group and group["frames"] == group["groups/000000/video"]:
            frames = piles[0]
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
    print(f"{result.shape} {result.dtype}: every frame has its CRC-32")
