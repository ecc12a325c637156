"""The H.264 packets of a video file, in runs that can be decoded alone and so be copied."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.bitstream import BitStreamFilterContext

from ...codecs import h264, x264
from ...errors import SourceError, UnsupportedError
from ...shapes import CHUNK_FRAMES, MAX_BLOCK_BYTES, MAX_COPIED_BYTES, Shape, frame_bytes
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
    depth
        The bits of a pixel.
    sets
        The parameter sets that the file has once, before all packets.
    lengths
        The frames of each block, in order. A block holds whole GOPs.
    """

    path: Path
    stream: int
    depth: int
    sets: tuple[bytes, ...]
    lengths: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many packets there are; each is a frame."""
        return sum(self.lengths)

    @property
    def longest(self) -> int:
        """The frames of the longest block."""
        return max(self.lengths)

    @cached_property
    def piles(self) -> list[list[int]]:
        """The numbers of the blocks of each pile, in the order in which the pile holds them.

        All blocks of a pile have one length; only its last may be shorter. So a length that
        occurs once needs no pile of its own.
        """
        by_length: dict[int, list[int]] = {}
        for number, length in enumerate(self.lengths):
            by_length.setdefault(length, []).append(number)
        piles: list[list[int]] = []
        without_end: list[list[int]] = []
        for length in sorted(by_length, reverse=True):
            blocks = by_length[length]
            if len(blocks) == 1 and without_end:
                without_end.pop(0).extend(blocks)
            else:
                piles.append(blocks)
                without_end.append(blocks)
        return piles

    def runs(self) -> Iterator[list[bytes]]:
        """Yield the packets of each block in decoding order.

        Where a GOP begins, there is all that came before of parameter sets and of the encoder's
        version, so that a decoder may begin there.
        """
        sets: dict[bytes, None] = dict.fromkeys(self.sets)  # ordered by when each came last
        packets: list[bytes] = []
        lengths = iter(self.lengths)
        length = next(lengths)
        for packet, _ in _packets(self.path, self.stream):
            found = h264.units(packet)
            for unit in found:
                if h264.kind(unit) in (h264.SPS, h264.PPS, h264.SEI):
                    sets.pop(unit, None)
                    sets[unit] = None
            if h264.begins_gop(packet):
                before = [unit for unit in sets if unit not in found]
                packet = h264.joined(sorted(before, key=h264.kind)) + packet
                _check_units(self.path, packet)
            packets.append(packet)
            if len(packets) == length:
                yield packets
                packets, length = [], next(lengths, 0)
        if packets:  # the file has grown
            yield packets


def find_packets(opened: Source, most: int | None) -> Packets:
    """Find out whether the packets of a video file can be copied, by reading all of them once.

    Damage is found later, when they are copied, because then each is decoded.

    Parameters
    ----------
    opened
        The source.
    most
        How many frames a block may have; None: it is chosen.

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
    depth, sets = _check_pictures(path, stream, opened.frame)
    starts, keys, number = [], 0, -1
    for number, (packet, key) in enumerate(_packets(path, stream)):
        if h264.begins_gop(packet):
            starts.append(number)
        keys += key
        _check_units(path, packet)
    size = frame_bytes(opened.frame, opened.dtype.itemsize)
    _check_gops(path, starts, keys, number + 1, size)
    lengths = _block_lengths(path, starts, number + 1, size, most)
    return Packets(path, stream, depth, sets, lengths)


def _check_pictures(path: Path, number: int, frame: Shape) -> tuple[int, tuple[bytes, ...]]:
    """Refuse pictures that no block holds.

    Returns
    -------
    tuple
        The bits of a pixel, and the parameter sets before all packets, if they are in Annex B form.
    """
    with open_video(path) as container:
        stream = container.streams[number]
        codec = stream.codec_context.name
        if codec != "h264":
            raise UnsupportedError(f"{path} is {codec}; only H.264 can be copied. {ANEW}")
        picture = next(container.decode(stream))
        head = bytes(stream.codec_context.extradata or b"")
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
            f"{path} has pictures of {name}; a block holds YUV and gray, of 8 or 10 bits. {ANEW}"
        )
    if picture.interlaced_frame:
        raise UnsupportedError(f"{path} is interlaced; only whole pictures are copied. {ANEW}")
    # The other form begins with 1, and FFmpeg's bitstream filter puts what it has into packets.
    sets = () if head.startswith(b"\1") else tuple(h264.units(head))
    return depth, tuple(unit for unit in sets if h264.kind(unit) in (h264.SPS, h264.PPS))


def _check_gops(path: Path, starts: Sequence[int], keys: int, count: int, size: int) -> None:
    """Refuse GOPs that no block can hold; `size` is the bytes of a frame."""
    if not starts or starts[0]:
        raise UnsupportedError(f"{path} does not begin with a closed GOP (an IDR picture). {ANEW}")
    opened = f"open GOPs: of {keys} key frames only {len(starts)} are IDR pictures"
    cure = "ffmpeg -i IN -c:v libx264 -x264-params open-gop=0 -g 60 OUT.mp4 makes closed ones"
    if len(starts) == 1 and keys > 1:
        raise UnsupportedError(
            f"{path} has {opened}, so that its frames cannot be decoded alone. {ANEW}; {cure}"
        )
    longest = int(_lengths(starts, count).max())
    if longest * size > MAX_COPIED_BYTES:
        why = f" ({opened})" if keys > len(starts) else ""
        raise UnsupportedError(
            f"{path} has a GOP of {longest} frames{why}, which is a block of "
            f"{longest * size >> 20} MiB of pixels; one may have {MAX_COPIED_BYTES >> 20} MiB, "
            f"{MAX_COPIED_BYTES // size} frames. {ANEW}; {cure}"
        )


def _block_lengths(
    path: Path, starts: Sequence[int], count: int, size: int, wanted: int | None
) -> tuple[int, ...]:
    """Return how many frames each block gets: as many whole GOPs as fit.

    Parameters
    ----------
    starts
        The frames at which GOPs begin.
    count
        The number of all frames.
    size
        The bytes of a frame.
    wanted
        How many frames a block may have. None: as many as the longest GOP, or fewer than
        `CHUNK_FRAMES` where GOPs begin regularly.

    Raises
    ------
    UnsupportedError
        If a GOP is longer than wanted, or blocks would be too large.
    """
    longest, among = int(_lengths(starts, count).max()), frozenset(starts)
    usual = max(longest, min(CHUNK_FRAMES, MAX_BLOCK_BYTES // size))
    if wanted is not None and not longest <= wanted:
        raise UnsupportedError(
            f"chunk-frames is {wanted}, but {path} has GOPs of up to {longest} frames, and a block "
            f"holds whole ones: leave it out, or give {longest} or more"
        )
    regular = (
        length
        for length in starts[1:]
        if longest <= length <= usual and all(start in among for start in range(0, count, length))
    )
    most = next(regular, usual) if wanted is None else wanted
    if min(most, count) * size > MAX_COPIED_BYTES:
        raise UnsupportedError(
            f"chunk-frames is {most}, which is {most * size >> 20} MiB of pixels; a block may have "
            f"{MAX_COPIED_BYTES >> 20} MiB: leave it out, or give at most "
            f"{MAX_COPIED_BYTES // size}"
        )
    begins = [0]
    for start, after in itertools.pairwise([*starts, count]):
        if after - begins[-1] > most:
            begins.append(start)
    return tuple(_lengths(begins, count).tolist())


def _lengths(starts: Sequence[int], count: int) -> npt.NDArray[np.int64]:
    """Return the lengths of runs that begin at `starts`; `count` is the end of the last one."""
    ends = np.array([*starts, count], np.int64)
    return ends[1:] - ends[:-1]


def _check_units(path: Path, packet: bytes) -> None:
    count = packet.count(h264.START_CODE)
    if count > h264.MAX_UNITS:
        raise UnsupportedError(
            f"{path} has packets of {count} NAL units (slices and parameter sets); a block takes "
            f"{h264.MAX_UNITS}. {ANEW}"
        )


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
                    yield _tidied(bytes(whole)), whole.is_keyframe
    except av.FFmpegError as error:
        raise SourceError(f"cannot read the packets of {path}: {error}") from error


def _tidied(packet: bytes) -> bytes:
    """Return a packet without needless units; of SEI it keeps the version of the encoder."""
    versions = filter(None, map(h264.encoder_version, h264.units(packet)))
    return h264.joined(versions) + h264.without(packet, _UNSEEN)
