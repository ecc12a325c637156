"""The codec lzma: the bytes of all frames of a block as one LZMA2 stream."""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import BlockError
from .codec import Encoded, Packet, Plane

DEPTHS = (8, 16, 32, 64)
MAX_DICTIONARY = 16 << 20
"""LZMA looks back at most so many bytes, because encoding takes twelve times as much memory."""
_MIN_DICTIONARY = 4096


def encode(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """Compress all frames as one packet: a raw LZMA2 stream of their little-endian values.

    The decoder configuration is the size of its dictionary, 32 bits little-endian.
    """
    raw = frames.astype(f"<u{depth // 8}", copy=False).tobytes()
    size = min(max(len(raw), _MIN_DICTIONARY), MAX_DICTIONARY)
    place = (depth // 8).bit_length() - 1  # bits that tell which byte of a value is next
    filters = {
        "id": lzma.FILTER_LZMA2, "preset": int(options["level"]), "dict_size": size,
        "pb": place, "lp": place, "lc": min(3, 4 - place),
    }  # fmt: skip
    return [lzma.compress(raw, lzma.FORMAT_RAW, filters=[filters])], size.to_bytes(4, "little")


def decode(packets: Sequence[Packet], configuration: bytes, depth: int, out: Plane) -> None:
    """Undo `encode` for the first ``len(out)`` frames.

    Raises
    ------
    BlockError
        If the stream is damaged, or asks for a larger dictionary than `encode` uses.
    """
    size = int.from_bytes(configuration, "little")
    if len(configuration) != 4 or size > MAX_DICTIONARY or len(packets) != 1:
        raise BlockError(
            f"an LZMA stream has {len(packets)} packets and a dictionary of {size} bytes; one "
            f"packet and at most {MAX_DICTIONARY} bytes are allowed"
        )
    try:
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": max(size, _MIN_DICTIONARY)}]
        decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        data = decoder.decompress(packets[0], out.nbytes)
    except lzma.LZMAError as error:
        raise BlockError(f"LZMA cannot decode a packet: {error}") from error
    if len(data) != out.nbytes:
        raise BlockError(f"a packet holds {len(data)} bytes, not {out.nbytes}")
    out[...] = np.frombuffer(data, f"<u{depth // 8}").reshape(out.shape)
