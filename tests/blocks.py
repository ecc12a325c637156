"""Blocks to damage, and the CRC made right again."""

import struct
import zlib

import numpy as np

from h5vidstack.codecs import block

U1 = np.dtype(np.uint8)
whole = block.whole_shape


def resealed(data: bytes) -> bytes:
    """Correct length and CRC after a change: what only a hostile writer makes."""
    body = bytearray(data[8:])
    struct.pack_into("<I", body, 4, len(data))
    return data[:4] + struct.pack("<I", zlib.crc32(body)) + bytes(body)
