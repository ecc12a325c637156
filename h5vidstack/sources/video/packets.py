"""The H.264 packets of a video file, in runs that can be decoded alone and so be copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from ...codecs import h264, x264
from ...errors import SourceError, UnsupportedError
from ...shapes import MAX_BLOCK_BYTES, Shape, frame_bytes
from ..source import Source
from .streams import open_video
from .video_source import VideoSource

ANEW = "Without --copy (copy=True) it is coded anew, losslessly"
_UNSEEN = (h264.SEI, h264.DELIMITER, h264.FILLER)
"""The kinds of units that no picture needs."""


@dataclass(frozen=True)
class Packets:
    """The H.264 packets of a video file.

    Attributes
    ----------
    path
        The file.
    stream
        The number of the stream among all of the file.
    count
        How many packets there are; each is a frame.
    run
        A GOP begins at every multiple of so many frames.
    depth
        The bits of a pixel.
    """

    path: Path
    stream: int
    count: int
    run: int
    depth: int

    def runs(self) -> Iterator[list[bytes]]:
        """Yield the packets of each run in decoding order; parameter sets are in the first."""
        sets: dict[bytes, None] = {}  # ordered by when each came last
        packets: list[bytes] = []
        for packet, _ in _packets(self.path, self.stream):
            found = h264.units(packet)
            for unit in found:
                if h264.kind(unit) in (h264.SPS, h264.PPS):
                    sets.pop(unit, None)
                    sets[unit] = None
            if not packets:  # some files have them only once
                before = [unit for unit in sets if unit not in found]
                packet = h264.joined(sorted(before, key=h264.kind)) + packet
                _check_units(self.path, packet)
            packets.append(packet)
            if len(packets) == self.run:
                yield packets
                packets = []
        if packets:
            yield packets


def find_packets(opened: Source, run: int | None) -> Packets:
    """Find out whether the packets of a video file can be copied, by reading all of them once.

    Damage is found later, when they are copied, because then each is decoded.

    Parameters
    ----------
    opened
        The source.
    run
        How many frames a block gets; None: as few as the GOPs allow.

    Raises
    ------
    SourceError
        If it is no video file.
    UnsupportedError
        If its packets cannot be copied; the message says why.
    """
    if not isinstance(opened, VideoSource):
        raise SourceError(f"{opened.name} is no video file, so there are no packets to copy")
    path, stream = opened.path, opened.stream
    depth = _check_pictures(path, stream, opened.frame)
    starts, keys, number = [], 0, -1
    for number, (packet, key) in enumerate(_packets(path, stream)):
        found = h264.units(packet)
        if any(h264.kind(unit) == h264.IDR for unit in found):
            starts.append(number)
        keys += key
        _check_units(path, packet)
    length = _run(path, starts, keys, number + 1, run)
    size = frame_bytes(opened.frame, opened.dtype.itemsize)
    lengths = _lengths(starts, number + 1)
    if length * size > MAX_BLOCK_BYTES:
        raise UnsupportedError(
            f"{path} has GOPs of {lengths} frames. Blocks would have {length}, "
            f"{length * size >> 20} MiB of pixels; they may have {MAX_BLOCK_BYTES >> 20} MiB, "
            f"{MAX_BLOCK_BYTES // size} frames. {ANEW}"
        )
    return Packets(path, stream, number + 1, length, depth)


def _check_pictures(path: Path, number: int, frame: Shape) -> int:
    """Refuse pictures that no block holds; return the bits of a pixel."""
    with open_video(path) as container:
        stream = container.streams[number]
        codec = stream.codec_context.name
        if codec != "h264":
            raise UnsupportedError(f"{path} is {codec}; only H.264 can be copied. {ANEW}")
        picture = next(container.decode(stream))
    name = picture.format.name
    if len(frame) > 2:
        raise UnsupportedError(
            f"{path} has colour ({name}), and a copy keeps the luma: say so by --gray (gray=True). "
            "RGB would have to be made of it at each read, by FFmpeg's swscale, which does not "
            "give the same on all machines"
        )
    depth = next((depth for depth, names in x264.ENGINE.decoded.items() if name in names), None)
    if depth is None:
        raise UnsupportedError(
            f"{path} has pictures of {name}; a block holds 4:2:0 and gray, of 8 or 10 bits. {ANEW}"
        )
    if picture.interlaced_frame:
        raise UnsupportedError(f"{path} is interlaced; only whole pictures are copied. {ANEW}")
    return depth


def _run(path: Path, starts: Sequence[int], keys: int, count: int, wanted: int | None) -> int:
    """Return the least number at every multiple of which a GOP begins, or the wanted one."""
    if not starts or starts[0]:
        raise UnsupportedError(f"{path} does not begin with a closed GOP (an IDR picture). {ANEW}")
    among = frozenset(starts)

    def fits(length: int) -> bool:
        return all(start in among for start in range(0, count, length))

    closed = len(starts) > 1 or keys <= 1
    least = next(filter(fits, starts[1:]), count if closed else None)
    if least is None or (least == count and len(starts) > 1):
        if keys > len(starts):
            why = f"open GOPs: of {keys} key frames only {len(starts)} are IDR pictures"
        else:
            why = (
                f"GOPs of {_lengths(starts, count)} frames, and there is no number of "
                "frames at every multiple of which one begins, as blocks need it"
            )
        raise UnsupportedError(f"{path} has {why}. {ANEW}")
    if wanted is None:
        return least
    if wanted < 1 or not fits(wanted):
        raise UnsupportedError(
            f"chunk-frames is {wanted}, but GOPs of {path} begin at every multiple of {least}: "
            "leave it out, or give that or a multiple of it"
        )
    return min(wanted, count)


def _check_units(path: Path, packet: bytes) -> None:
    count = packet.count(h264.START_CODE)
    if count > h264.MAX_UNITS:
        raise UnsupportedError(
            f"{path} has packets of {count} NAL units (slices and parameter sets); a block takes "
            f"{h264.MAX_UNITS}. {ANEW}"
        )


def _lengths(starts: Sequence[int], count: int) -> str:
    lengths = np.diff([*starts, count])
    few, many = min(lengths), max(lengths)
    return str(many) if few == many else f"{few} to {many}"


def _packets(path: Path, number: int) -> Iterator[tuple[bytes, bool]]:
    """Yield packets in Annex B form, without needless units, and whether each is a key frame."""
    try:
        with open_video(path) as container:
            stream = container.streams[number]
            to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
            for packet in container.demux(stream):
                if packet.is_discard:
                    raise UnsupportedError(
                        f"{path} has pictures that are not shown (an edit list). {ANEW}"
                    )
                for whole in to_annex_b.filter(packet if packet.size else None):
                    yield h264.without(bytes(whole), _UNSEEN), whole.is_keyframe
    except av.FFmpegError as error:
        raise SourceError(f"cannot read the packets of {path}: {error}") from error
