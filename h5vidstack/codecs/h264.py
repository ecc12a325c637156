"""H.264 packets in Annex B form. Source: ITU-T H.264, 7.3, 7.4 and annex B."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext

from ..errors import BlockError

START_CODE = b"\0\0\1"
"""Stands before each unit; within one it never occurs."""
MAX_UNITS = 16
"""NAL units of a packet. Each may decode the whole picture, from 11 bytes on."""

AS_THEY_CAME = "H.264 packets as they came"
"""How a pile is coded, in words, whose packets were not made here."""

IDR, SEI, SPS, PPS, DELIMITER, FILLER = 5, 6, 7, 8, 9, 12
_SLICES = (1, 2, 5)
_B_SLICES = (1, 6)


def units(packet: bytes) -> list[bytes]:
    """The NAL units of a packet, without start codes; the first byte says what each is."""
    # The zero byte that may precede a start code stays with the unit before it.
    return [unit for unit in packet.split(START_CODE)[1:] if unit]


def kind(unit: bytes) -> int:
    """What a unit is: one of the numbers above, 1 for a slice of a picture that is no IDR."""
    return unit[0] & 0x1F


def without(packet: bytes, kinds: Sequence[int]) -> bytes:
    """A packet without its units of some kinds."""
    head, *_ = packet.split(START_CODE, 1)
    return head + joined(unit for unit in units(packet) if kind(unit) not in kinds)


def without_sei(packet: bytes) -> bytes:
    """Drop the SEI units of a packet.

    x264 writes half a kilobyte of its settings into every key frame; a block keeps
    them once, in the stack's attributes.
    """
    return without(packet, (SEI,))


def joined(found: Iterable[bytes]) -> bytes:
    """Units as a packet, or what goes before one."""
    return b"".join(START_CODE + unit for unit in found)


def has_b_slices(found: Iterable[bytes]) -> bool:
    """Whether units hold slices of B pictures, which are decoded before they are shown."""
    return any(_slice_type(unit) in _B_SLICES for unit in found if kind(unit) in _SLICES)


def _slice_type(unit: bytes) -> int:
    """The second number of a slice's header; numbers are Exp-Golomb codes."""
    # Both numbers fit into these bytes, in which no emulation prevention can stand.
    bits = "".join(f"{byte:08b}" for byte in unit[1:9])
    value = -1
    for _ in range(2):
        zeros = len(bits) - len(bits.lstrip("0"))
        code, bits = bits[zeros : 2 * zeros + 1], bits[2 * zeros + 1 :]
        value = int(code or "0", 2) - 1
    return value


def display_order(packets: Sequence[bytes]) -> list[int]:
    """Place of each packet's picture among those of a closed run, as they are shown.

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
        raise BlockError(f"a stream of {len(packets)} packets has other pictures")
    return [place for _, place in sorted(zip(shown, range(len(shown)), strict=True))]
