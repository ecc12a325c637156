"""When the frames of a stack are shown in a video file, exactly where the container can say it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..metadata.coordinates import Coordinate
from ..metadata.time_stamps import MISSING, Ticks, time_base, to_ticks
from ..reading.stack_reader import StackReader

TIME, PTS = "time", "pts"
"""The coordinates of a stack that say when frames are shown: in time, or in units of a source."""
USUAL_RATE = Fraction(25)
"""The frames a second of a stack that says nothing."""
MATROSKA_BASE = Fraction(1, 1000)
"""Matroska, as FFmpeg writes it, counts milliseconds."""
_FINE = Fraction(1, 1_000_000)
"""The unit for times that are whole numbers of none."""
_MOST = 2**31 - 1
"""The largest number of units a second, in mp4."""
_UNITS = {
    "s": Fraction(1), "sec": Fraction(1), "second": Fraction(1), "seconds": Fraction(1),
    "ms": Fraction(1, 1000), "milliseconds": Fraction(1, 1000), "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6), "μs": Fraction(1, 10**6), "microseconds": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9), "nanoseconds": Fraction(1, 10**9), "min": Fraction(60),
    "minutes": Fraction(60), "h": Fraction(3600), "hours": Fraction(3600),
}  # fmt: skip


@dataclass(frozen=True)
class Timing:
    """When each frame is shown, as a container counts it.

    Attributes
    ----------
    ticks
        ``(N,)`` in units of `base`; they do not fall.
    base
        In seconds.
    rate
        Frames a second, on average.
    notes
        Whole sentences on what is otherwise than in the stack.
    """

    ticks: Ticks
    base: Fraction
    rate: Fraction
    notes: tuple[str, ...] = ()

    @property
    def step(self) -> int:
        """The usual time from one frame to the next; also how long the last one is shown."""
        if len(self.ticks) < 2:
            return max(1, round(1 / (self.rate * self.base)))
        return max(1, int(np.median(np.diff(self.ticks))))

    def durations(self) -> Ticks:
        """Return how long each frame is shown."""
        return np.diff(np.append(self.ticks, self.ticks[-1] + self.step))

    def decoding(self, delay: int) -> Ticks:
        """Return when each packet is decoded: they rise, and no frame is shown before its own.

        Parameters
        ----------
        delay
            How many packets are decoded before the first frame is shown.
        """
        count = np.arange(len(self.ticks))
        rising = np.minimum.accumulate((self.ticks - count)[::-1])[::-1] + count
        early = rising[0] - self.step * np.arange(delay, 0, -1)
        return np.concatenate([early, rising])[: len(self.ticks)]


def timing_of(stack: StackReader, container: str, fps: float | None) -> Timing:
    """Return when the frames of a stack are shown.

    Parameters
    ----------
    container
        FFmpeg's name of it: ``"matroska"`` or ``"mp4"``.
    fps
        Frames a second, instead of the times that the stack has.
    """
    if fps is not None:
        return _even(len(stack), Fraction(fps).limit_denominator(1001))
    stated = stated_rate(stack)
    times = _times(stack)
    if times is None:
        return _even(len(stack), stated or USUAL_RATE)
    why = _unusable(times[0])
    if why is not None:
        rate = stated or USUAL_RATE
        note = f"The times of the stack {why}, so frames are {float(rate):g} a second."
        return _even(len(stack), rate, note)
    return _fitted(*times, container, stated)


def stated_rate(stack: StackReader) -> Fraction | None:
    """Return how many frames a second the video file states that all frames came from."""
    said = sole_words(stack, "video_stream") or {}
    try:
        rate = Fraction(said.get("average_rate") or 0)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def sole_words(stack: StackReader, name: str) -> Any:
    """Return what the source says of all frames, or None if it says nothing, or not one thing."""
    words = stack.source.words.get(name)
    return words.value if words is not None and words.of is None else None


def _even(count: int, rate: Fraction, *notes: str) -> Timing:
    return Timing(np.arange(count), 1 / rate, rate, notes)


def _times(stack: StackReader) -> tuple[Ticks, Fraction, float] | None:
    """Return time stamps, their unit, and their largest error in seconds; None if there are none.

    Times as dates count from the first frame.
    """
    axis = stack.dims[0] if len(stack.leading_shape) == 1 else "frame"
    found = {
        name: stack.coords[name]
        for name in (TIME, PTS)
        if name in stack.coords and stack.coords[name].dims == (axis,)
    }
    exact = found.get(PTS)
    base = None if exact is None else time_base(exact.attrs)
    if exact is not None and base is not None and exact.dtype.kind in "iu":
        return exact.values.astype(np.int64), base, 0.0
    return _of_coordinate(found[TIME]) if TIME in found else None


def _of_coordinate(coordinate: Coordinate) -> tuple[Ticks, Fraction, float] | None:
    """Return the time stamps of a coordinate; None if it is not known to be a time."""
    values = coordinate.values
    if values.dtype.kind in "Mm":
        counts = values.astype(f"{values.dtype.kind}8[ns]").view(np.int64)
        if values.dtype.kind == "M":
            counts = np.where(counts == MISSING, MISSING, counts - counts[0])
        return counts, Fraction(1, 10**9), 0.0
    unit = _UNITS.get(coordinate.units or "")
    if unit is None or values.dtype.kind not in "iuf":
        return None
    if values.dtype.kind in "iu":
        return values.astype(np.int64), unit, 0.0
    base = time_base(coordinate.attrs)
    ticks = None if base is None else to_ticks(values, base)
    if base is not None and ticks is not None and unit == 1:
        return ticks, base, 0.0
    seconds = values.astype(np.float64) * float(unit)
    known = np.isfinite(seconds) & (np.abs(seconds) < 2.0**43 * float(_FINE))
    counts = np.rint(np.where(known, seconds, 0) / float(_FINE)).astype(np.int64)
    error = np.abs(counts * float(_FINE) - seconds)[known].max(initial=0)
    return np.where(known, counts, MISSING), _FINE, error if error > 1e-9 else 0.0


def _unusable(ticks: Ticks) -> str | None:
    """Return why frames cannot be shown at these times, or None if they can."""
    if (ticks == MISSING).any():
        return f"are missing at frame {np.argmax(ticks == MISSING)}"
    falling = np.diff(ticks) <= 0
    return f"do not rise at frame {np.argmax(falling) + 1}" if falling.any() else None


def _fitted(
    ticks: Ticks, base: Fraction, error: float, container: str, stated: Fraction | None
) -> Timing:
    """Return rising time stamps in a unit that a container has."""
    notes = []
    first = int(ticks[0])
    if first < 0:
        notes.append(
            f"The first frame is at 0 instead of {float(first * base):g} s, and all others are as "
            "much later, because players do not show what is before 0."
        )
        ticks = ticks - first
    wanted = Fraction(1, base.denominator) if base.denominator <= _MOST else _FINE
    if container == "matroska":
        wanted = MATROSKA_BASE
    fitted, off = _in_units(ticks, base, wanted)
    off += error
    if off:
        cure = "; x.mp4 keeps them exactly" if container == "matroska" and not error else ""
        notes.append(
            f"Times differ from those of the stack by up to {1000 * off:.3g} ms, because "
            f"{'Matroska' if container == 'matroska' else 'the video'} counts units of "
            f"{float(1000 * wanted):g} ms{cure}."
        )
    return Timing(fitted, wanted, _average(fitted, wanted, stated), tuple(notes))


def _in_units(ticks: Ticks, base: Fraction, wanted: Fraction) -> tuple[Ticks, float]:
    """Return time stamps in another unit, and their largest error in seconds."""
    up, down = (base / wanted).as_integer_ratio()
    most = 2 * int(np.abs(ticks).max()) * up + down
    exact = (ticks if most < 2**63 else ticks.astype(object)) * up  # in parts of the unit
    near = (2 * exact + down) // (2 * down)
    error = Fraction(int(np.abs(near * down - exact).max()), down)
    return near.astype(np.int64), float(error * wanted)


def _average(ticks: Ticks, base: Fraction, stated: Fraction | None) -> Fraction:
    """Return the frames a second: what the source states, if it is nearly right."""
    if len(ticks) < 2 or ticks[-1] == ticks[0]:
        return stated or USUAL_RATE
    seconds = int(ticks[-1] - ticks[0]) * base
    rate = ((len(ticks) - 1) / seconds).limit_denominator(100_000)
    near = stated is not None and abs(stated - rate) * 100 <= rate
    return stated if near and stated is not None else rate or USUAL_RATE
