"""The NAL units of H.264 packets in Annex B form.

Source: ITU-T H.264, 7.3, 7.4 and annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext

from ..errors import BlockError
from .codec import Packet

START_CODE = b"\0\0\1"
"""It stands before each unit, and never occurs within one."""
MAX_UNITS = 16
"""A packet has at most so many NAL units, because 11 bytes may decode a whole picture."""

AS_THEY_CAME = "H.264 packets as they came"
"""How a pile is coded, in words, if its packets were copied from a video file."""

IDR, SEI, SPS, PPS, DELIMITER, FILLER = 5, 6, 7, 8, 9, 12
_SLICES = (1, 2, 5)
_PICTURE = (1, 2, 3, 4, IDR)
_B_SLICES = (1, 6)
_UNREGISTERED = 5
"""The kind of an SEI message with user data. Source: annex D.2.7."""
_X264 = re.compile(
    rb"\xdc\x45\xe9\xbd\xe6\xd9\x48\xb7\x96\x2c\xd8\x20\xd9\x23\xee\xefx264 - core \d{1,9}"
)
"""The UUID of x264's user data, and how they begin. Source: x264, encoder/set.c."""
_WITH_CHROMA_FORMAT = {
    bytes([profile]) for profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
}
"""Profiles whose SPS states how colour is sampled; others have 4:2:0. Source: 7.3.2.1.1."""


def units(packet: bytes) -> list[bytes]:
    """Return the NAL units of a packet without start codes; a unit's first byte tells its kind."""
    # The zero byte that may precede a start code stays with the unit before it.
    return [unit for unit in packet.split(START_CODE)[1:] if unit]


def kind(unit: bytes) -> int:
    """Return the kind of a unit, as `IDR` or `SEI`; 1 is a slice of a picture that is no IDR."""
    return unit[0] & 0x1F


def begins_gop(packet: Packet) -> bool:
    """Return whether a packet holds an IDR picture, before which a decoder forgets all others."""
    data = bytes(packet)
    at = data.find(START_CODE)
    while 0 <= at < len(data) - len(START_CODE):
        found = data[at + len(START_CODE)] & 0x1F
        if found in _PICTURE:  # all slices of a picture are of one of these kinds
            return found == IDR
        at = data.find(START_CODE, at + len(START_CODE))
    return False


def entries(packets: Sequence[Packet]) -> list[int]:
    """Return the packets at which a decoder may begin: IDR pictures with parameter sets.

    What such a packet holds is the picture of its own number, because all pictures before it are
    shown before it.
    """
    return [
        number
        for number, packet in enumerate(packets)
        if begins_gop(packet) and {SPS, PPS} <= set(map(kind, units(bytes(packet))))
    ]


def without(packet: bytes, kinds: Sequence[int]) -> bytes:
    """Return a packet without its units of some kinds."""
    head, *_ = packet.split(START_CODE, 1)
    return head + joined(unit for unit in units(packet) if kind(unit) not in kinds)


def encoder_version(unit: bytes) -> bytes | None:
    """Return a short SEI unit with the version of x264 that a unit tells; None if it tells none.

    FFmpeg's decoder needs it: up to version 150 x264 had an error in 4:4:4, and packets of such a
    version are decoded with the same error.
    """
    found = _X264.search(unit) if kind(unit) == SEI else None
    if found is None:
        return None
    said = found[0]
    return bytes([SEI, _UNREGISTERED, len(said)]) + said + b"\x80"


def without_sei(packet: bytes) -> bytes:
    """Drop the SEI units of a packet.

    x264 writes half a kilobyte of its settings into every key frame. The stack's attributes hold
    them once instead.
    """
    return without(packet, (SEI,))


def joined(found: Iterable[bytes]) -> bytes:
    """Join units to a packet, or to what goes before one."""
    return b"".join(START_CODE + unit for unit in found)


def has_b_slices(found: Iterable[bytes]) -> bool:
    """Return whether units hold slices of B pictures, which are not decoded in display order."""
    return any(_slice_type(unit) in _B_SLICES for unit in found if kind(unit) in _SLICES)


def is_monochrome(configuration: bytes) -> bool:
    """Return whether pictures have luma only, by each SPS in what goes before a stream.

    Parameters
    ----------
    configuration
        Units in Annex B form, or an ``avcC`` box of MP4 and Matroska (ISO/IEC 14496-15, 5.3.3.1).
    """
    if configuration[:1] == b"\1":
        found, at = [], 6
        for _ in range(configuration[5] & 31 if len(configuration) > 5 else 0):
            length = int.from_bytes(configuration[at : at + 2], "big")
            found.append(configuration[at + 2 : at + 2 + length])
            at += 2 + length
    else:
        found = [unit for unit in units(configuration) if kind(unit) == SPS]
    return bool(found) and all(
        unit[1:2] in _WITH_CHROMA_FORMAT and _second_number(unit[4:8]) == 0 for unit in found
    )


def _slice_type(unit: bytes) -> int:
    # Both numbers fit into these bytes, which cannot hold an emulation prevention byte.
    return _second_number(unit[1:9])


def _second_number(data: bytes) -> int:
    """Return the second number of a header, whose numbers are Exp-Golomb codes."""
    bits = "".join(f"{byte:08b}" for byte in data)
    value = -1
    for _ in range(2):
        zeros = len(bits) - len(bits.lstrip("0"))
        code, bits = bits[zeros : 2 * zeros + 1], bits[2 * zeros + 1 :]
        value = int(code or "0", 2) - 1
    return value


def display_order(packets: Sequence[bytes]) -> list[int]:
    """Return the place of each packet's picture among those of a closed run, as they are shown.

    Raises
    ------
    BlockError
        If the run is damaged.
    """
    if not any(has_b_slices(units(packet)) for packet in packets):
        return list(range(len(packets)))
    context: Any = VideoCodecContext.create("h264", "r")
    context.thread_count = 1
    shown: list[int] = []
    try:
        for number, data in enumerate(packets):
            packet = av.Packet(bytes(data))
            packet.pts = number
            shown += [frame.pts for frame in context.decode(packet)]
        shown += [frame.pts for frame in context.decode(None)]
    except av.FFmpegError as error:
        raise BlockError(f"FFmpeg cannot decode a stream: {error}") from error
    if sorted(shown) != list(range(len(packets))):
        raise BlockError(f"a stream of {len(packets)} packets has {len(shown)} pictures")
    return [place for _, place in sorted(zip(shown, range(len(shown)), strict=True))]
