"""The record of what became of each packet of a video stream, and of what is missing."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...text import in_words
from .streams import ChosenStream, open_video

_KEY, _HIDDEN, _REFERENCE, _DOUBTFUL = 1, 2, 4, 8
"""What is known of a packet: it can be decoded alone; players do not show it; it is only for others
to refer to; it may be damaged."""

_VP8_SHOWN = 0x10
"""A bit of a VP8 packet's first byte. Source: RFC 6386, 9.1."""

_STEADY = 0.9
"""If this share of the intervals between frames is equal, a longer one is a gap."""

_FROM_START = ("mxf",)
"""Containers that state the time from their first frame to their last, not the time of the last."""

_TRANSPORT_PACKETS = 188, 192, 204
"""The bytes of a packet of MPEG-TS: plain, with a time code, with error correction."""

_NO_INTERVALS = ("mpeg",)
"""Containers in which only some frames have a time."""

_CLOSED_BY_DURATION = ("nut", "asf")
"""Containers in which FFmpeg finds a duration only if they are complete."""

_SLACK = {"asf": 8.0}
"""By how many frames a stated duration may be too long. In ASF it counts frames that wait until
others are decoded."""


class PacketRecord:
    """The packets of a stream in the order in which they are decoded.

    A packet has a number, and a time at which its picture is shown. Packets from one key frame to
    the next build on each other, so damage to one makes the rest doubtful.

    Parameters
    ----------
    path
        The file.
    chosen
        The stream, and what the file says of it.
    """

    def __init__(self, path: Path, chosen: ChosenStream) -> None:
        self._path, self._chosen = path, chosen
        self._times, self._decoding_times = array("q"), array("q")
        self._frames, self._flags = array("q"), bytearray()
        self._first_key = self._newest_key = -1
        self._suspect = self._suspect_before = False
        self._empty = self._end = self._cut = 0
        self._last_byte: int | None = None
        self._untimed = False
        ticks = chosen.rate * chosen.time_base
        self._usual = round(1 / ticks) if ticks else 0

    @property
    def newest(self) -> int:
        """The number of the packet that came last."""
        return len(self._times) - 1

    @property
    def first_group(self) -> bool:
        """Whether no second key frame has come."""
        return self._first_key == self._newest_key

    @property
    def rising(self) -> bool:
        """Whether each packet has a later time than the one before, in the order of decoding."""
        return bool((np.diff(np.array(self._times)) > 0).all())

    def add(self, packet: Any) -> None:
        """Enter the next packet."""
        number = len(self._times)
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            self._untimed = True
            time = self._times[-1] + 1 if number else 0
        self._times.append(time)
        self._decoding_times.append(time if packet.dts is None else packet.dts)
        self._frames.append(-1)
        self._end = max(self._end, time + (packet.duration or 0))
        self._last_byte = None if packet.pos is None else packet.pos + packet.size
        if packet.is_keyframe:
            self._first_key = number if self._first_key < 0 else self._first_key
            self._newest_key = number
            self._suspect_before, self._suspect = self._suspect, False
        # A picture that is shown before its key frame may refer to packets before that.
        behind = self._suspect_before and time < self._times[self._newest_key]
        reference = self._chosen.codec == "vp8" and not bytes(packet)[0] & _VP8_SHOWN
        self._flags.append(
            _KEY * packet.is_keyframe
            | _HIDDEN * packet.is_discard
            | _REFERENCE * reference
            | _DOUBTFUL * (self._suspect or behind)
        )

    def add_empty(self) -> None:
        """Count a packet without data, whose picture repeats the one before."""
        self._empty += 1

    def give(self, number: int, frame: int) -> None:
        """Enter that a packet gave a frame."""
        self._frames[number] = frame

    def doubt(self, number: int) -> None:
        """Enter damage to a packet, which also spoils those that build on it."""
        for place in range(max(number, 0), len(self._times)):
            if place > number and self._flags[place] & _KEY:
                return
            self._flags[place] |= _DOUBTFUL
        self._suspect = True

    def leads_in(self, number: int) -> bool:
        """Return whether a packet comes before the first key frame and so gives no picture."""
        if number < 0:
            return False
        if self._first_key < 0 or number < self._first_key:
            return max(self._frames) < 0
        return self._times[number] < self._times[self._first_key]

    def place(self, number: int) -> int:
        """Return the number of the first frame that a packet may change."""
        shown = [
            time
            for place, time in enumerate(self._times)
            if self._frames[place] >= 0
            or not (self._flags[place] & (_HIDDEN | _REFERENCE) or self.leads_in(place))
        ]
        if number < 0 or number >= len(self._times):
            return len(shown)
        return sum(time < self._times[number] for time in shown)

    def doubtful(self) -> list[int]:
        """Return the numbers of the frames that come from damaged packets, or build on them."""
        flagged = zip(self._frames, self._flags, strict=True)
        return sorted({frame for frame, flags in flagged if flags & _DOUBTFUL and frame >= 0})

    def missing(self) -> str | None:
        """Return what the file states that did not come, once it was read to its end."""
        stated, came = self._chosen.stated, len(self._times) + self._empty
        if came < stated:
            if self._chosen.container == "avi" and self._end >= stated:
                return None  # frames were dropped, and `notes` says where
            if self._chosen.container == "mov" and _all_packets(self._path, self._chosen) >= stated:
                self._cut = stated - came
                return None
            return f"states {stated} frames, but only {came} came"
        if self._chosen.container == "mpegts":
            size = self._path.stat().st_size
            if all(size % packet for packet in _TRANSPORT_PACKETS):
                return "ends within a packet"
        if self._chosen.container == "yuv4mpegpipe" and self._last_byte is not None:
            more = self._path.stat().st_size - self._last_byte
            return "ends within a frame" if more else None
        seconds, base = self._chosen.duration, self._chosen.time_base
        if not stated and seconds is not None:
            times = np.sort(np.array(self._times))
            step = int(np.median(np.diff(times))) if len(times) > 1 else self._usual
            last = int(times[-1]) + step if len(times) else 0
            start = int(times[0]) if self._chosen.container in _FROM_START and len(times) else 0
            end = (max(self._end, last) - start) * base
            if seconds - end > _SLACK.get(self._chosen.container, 0.75) * step * base:
                return f"states {float(seconds):.3f} s, but ends after {float(end):.3f} s"
        return None

    def notes(self) -> Iterator[str]:
        """Yield whole sentences on what was left out, once the file was read to its end."""
        flags = np.frombuffer(bytes(self._flags), np.uint8)
        none = (np.array(self._frames) < 0) & (flags & _REFERENCE == 0)
        hidden = int((none & (flags & _HIDDEN > 0)).sum()) + self._cut
        if hidden:
            yield (
                f"Players do not show {_counted(hidden, 'frame')} of {self._path}, by an edit "
                "list; left out."
            )
        silent = np.flatnonzero(none & (flags & _HIDDEN == 0)).tolist()
        early = [number for number in silent if self._early(number)]
        if early:
            yield (
                f"Before its first key frame {self._path} has {_counted(len(early), 'packet')}, "
                "of which no picture can be made; left out."
            )
        lost = self._behind([number for number in silent if not self._early(number)])
        if lost:
            yield (
                f"{_counted(len(silent) - len(early), 'packet')} of {self._path} gave no picture, "
                f"behind {in_words('frame', lost)}, so that later frames have lower numbers."
            )
        if self._empty:
            yield (
                f"{self._path} has {_counted(self._empty, 'empty packet')}, for pictures that "
                "equal the one before; left out."
            )
        came = len(self._times) + self._empty
        if 0 < self._chosen.stated < came:
            yield (
                f"{self._path} states {self._chosen.stated} frames, but has {came}; all were read."
            )
        if self._chosen.container in _CLOSED_BY_DURATION and not self._chosen.complete:
            yield (
                f"{self._path} does not say how long it is, so that frames may be missing at its "
                "end: it was cut off, never finished, or written to a pipe."
            )
        yield from self._gap_notes()

    def _early(self, number: int) -> bool:
        first = self._first_key
        return number < first or self._times[number] < self._times[max(first, 0)]

    def _behind(self, packets: list[int]) -> list[int]:
        """Return the frames after which the pictures of packets would have come."""
        times, frames = np.array(self._times), np.array(self._frames)
        given = np.sort(times[frames >= 0])
        behind = np.searchsorted(given, times[packets]) - 1 if packets else given[:0]
        return [int(frame) for frame in np.unique(behind[behind >= 0])]

    def _gap_notes(self) -> Iterator[str]:
        flags, times = np.frombuffer(bytes(self._flags), np.uint8), np.array(self._times)
        given = times[np.array(self._frames) >= 0]
        if not len(given):
            return
        shown = (flags & (_HIDDEN | _REFERENCE) == 0) & (times >= given.min())
        gaps, lost = self._gaps(times[shown])
        # Some programs write wrong times of showing, but those of decoding go on without a gap.
        if len(gaps) and len(self._gaps(np.array(self._decoding_times)[shown])[0]):
            yield (
                f"The time stamps of {self._path} have gaps of {_counted(lost, 'frame')} in all, "
                f"behind {in_words('frame', gaps.tolist())}: frames were dropped there when it was "
                "recorded, or are lost. Later frames have lower numbers by that."
            )

    def _gaps(self, times: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], int]:
        """Return behind which frames there are gaps, and how many frames would fill them."""
        steps = np.diff(np.sort(times))
        if len(steps) < 2 or self._untimed or self._chosen.container in _NO_INTERVALS:
            return np.empty(0, np.intp), 0
        usual = max(int(np.median(steps)), 1)
        steady = np.abs(steps - usual) <= (usual + 15) // 16  # times may be rounded to ms
        gaps = np.flatnonzero(2 * steps > 3 * usual)
        if steady.mean() < _STEADY and self._chosen.container != "avi":
            gaps = gaps[:0]
        return gaps, int(np.rint(steps[gaps] / usual).sum()) - len(gaps)


def _all_packets(path: Path, chosen: ChosenStream) -> int:
    """Return how many packets there are, also counting those that an edit list leaves out."""
    with open_video(path, ignore_editlist="1") as container:
        packets = container.demux(container.streams[chosen.index])
        return sum(packet.size > 0 for packet in packets)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
