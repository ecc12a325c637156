"""A case of the matrix: how a file is made, and what it must be read as."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from frames import pixels

import h5vidstack
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import DEFAULT_OPTIONS, SourceOptions

Truths = list[Any]
"""What a file holds, by one decoder after another; the first decides, and the rest must agree.

An entry is an array ``(N, H, W[, C])``, or a call that gives one or raises.
"""


class Unwritable(Exception):
    """The program that should write a file does not do so with these properties."""


@dataclass(frozen=True)
class Case:
    """A file to be made, with its truth."""

    group: str
    name: str
    make: Callable[[Path], tuple[Any, Truths]]
    """Write into a folder; return what is opened, and its truths."""
    options: SourceOptions = DEFAULT_OPTIONS
    converted: bool = False
    """Our samples may be made by a conversion, if `Source.conversion` names it."""
    refusal: bool = False
    """Refusing it is right, or as good as reading it."""


@dataclass
class Tally:
    """What came out of the cases of a group."""

    files: int = 0
    equal: int = 0
    converted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    surprising: list[str] = field(default_factory=list)
    """Refused, though nothing is wrong with the file."""
    different: list[str] = field(default_factory=list)
    disputed: list[str] = field(default_factory=list)
    """The independent decoder contradicts what was written."""
    unwritable: int = 0

    def add(self, other: Tally) -> None:
        """Count what another run found."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


FLOORS = {"TIFF": 0.85, "PNG": 0.85, "JPEG": 0.8, "BMP": 0.65, "GIF": 0.95, "WebP": 0.95,
          "video": 0.8, "HDF5": 0.98, ".npy": 0.98}  # fmt: skip
"""How much of the files of a group must at least be read, and equal."""


def faults(total: Mapping[str, Tally]) -> list[str]:
    """Return what must not be, a line each: so none is refused to pass, either."""
    found = []
    for group, tally in sorted(total.items()):
        found += [f"different: {group}: {line}" for line in sorted(tally.different)]
        found += [
            f"refused against expectation: {group}: {line}" for line in sorted(tally.surprising)
        ]
        found += [f"decoders differ: {group}: {line}" for line in sorted(tally.disputed)]
        if tally.equal + tally.converted < FLOORS.get(group, 0) * tally.files:
            found.append(f"only {tally.equal} of {tally.files} files of {group} were equal")
    return found


def product(**properties: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every combination of the values of properties."""
    for values in itertools.product(*properties.values()):
        yield dict(zip(properties, values, strict=True))


def title(row: Mapping[str, Any]) -> str:
    """Name a combination by what is not usual in it."""
    return " ".join(f"{name}={value}" for name, value in row.items() if value not in (None, False))


@cache
def samples(shape: tuple[int, ...], dtype: str, bits: int | None = None) -> Any:
    """Frames of noise with the extremes of a dtype, or of so many bits of it."""
    frames = pixels((1, 1, math.prod(shape) + 2), dtype)[0, 0, :-2].reshape(shape)
    if bits is not None:
        frames = frames >> (8 * frames.dtype.itemsize - bits)
    frames.flags.writeable = False
    return frames


def ours(source: Any, options: SourceOptions) -> tuple[Any, Any]:
    """Read all frames as `pack` does; return them and the source."""
    with warnings.catch_warnings(), contextlib.closing(open_source(source, options)) as opened:
        warnings.simplefilter("error")
        frames = np.concatenate(list(opened.batches(2)))
        if opened.count not in (None, len(frames)):
            raise AssertionError(f"it states {opened.count} frames and gave {len(frames)}")
        if opened.access >= 1:
            numbers = np.arange(len(frames))[::-1]
            if opened.take(numbers).tobytes() != np.ascontiguousarray(frames[::-1]).tobytes():
                raise AssertionError("taken one by one, the frames are others")
        return frames, opened


def packed(source: Any, options: SourceOptions, folder: Path) -> Any:
    """Pack and read the stack back."""
    out = folder / "packed.h5"
    how = {name: getattr(options, name) for name in ("gray", "stream", "accept_damaged")}
    h5vidstack.pack(source, out, **how)
    with h5vidstack.open(out) as stack:
        return stack.read(slice(None))


def same(got: Any, truth: Any) -> bool:
    """Whether frames are equal bit for bit; 2, 5 or more channels may be frames of their own."""
    truth = np.asarray(truth)
    if truth.ndim == 4 and truth.shape[3] == 1:
        truth = truth[..., 0]
    if truth.ndim == 4 and got.ndim == 3:
        truth = np.moveaxis(truth, 3, 1).reshape(-1, *truth.shape[1:3])
    got = got.reshape(-1, *got.shape[-truth.ndim + 1 :])
    got, truth = (one.astype(one.dtype.newbyteorder("="), copy=False) for one in (got, truth))
    return (got.shape, got.dtype, got.tobytes()) == (truth.shape, truth.dtype, truth.tobytes())


def describe(got: Any, truth: Any) -> str:
    """Say how frames differ."""
    if got.shape != truth.shape or got.dtype != truth.dtype:
        return f"got {got.shape} {got.dtype}, wanted {truth.shape} {truth.dtype}"
    return f"{np.mean(got != truth):.0%} of the values differ"


def run(case: Case, tally: Tally, *, pack: bool = False) -> None:
    """Make the file of a case, read it, and count what came of it."""
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of writers and of the other decoders
        folder = Path(name)
        try:
            source, entries = case.make(folder)
        except Unwritable:
            tally.unwritable += 1
            return
        except Exception as error:
            error.add_note(f"while making {case.group} {case.name}")
            raise
        tally.files += 1
        truths = [truth for entry in entries if (truth := _evaluate(entry)) is not None]
        for other in truths[1:]:
            if not same(np.asarray(truths[0]), other):
                tally.disputed.append(f"{case.name}: {describe(other, np.asarray(truths[0]))}")
        try:
            got, opened = ours(source, case.options)
            if pack and got.dtype.kind in "biuf":
                got = packed(source, case.options, folder)
        except h5vidstack.Error as error:
            kind = f"{type(error).__name__}: {_general(str(error), folder)}"
            tally.refused[kind] += 1
            if not case.refusal:
                tally.surprising.append(f"{case.name}: {error}")
            return
        except Exception as error:  # noqa: BLE001  (whatever else comes out is a fault)
            tally.different.append(f"{case.name}: {type(error).__name__}: {error}")
            return
        if case.converted and opened.conversion:
            tally.converted += 1
        elif not truths:
            tally.different.append(f"{case.name}: read, though no other decoder can")
        elif same(got, truths[0]):
            tally.equal += 1
        else:
            tally.different.append(f"{case.name}: {describe(got, np.asarray(truths[0]))}")


def _evaluate(entry: Any) -> Any:
    if not callable(entry):
        return entry
    with contextlib.suppress(Exception):
        return entry()
    return None


def _general(message: str, folder: Path) -> str:
    """Leave out of a message what is of one file only."""
    message = message.replace(str(folder), "").split("\n")[0]
    message = re.sub(r"/\S+", "FILE", message)
    return re.sub(r"\d+(\.\d+)?", "9", message)[:110]


def chosen(cases: Iterable[Case], share: float, part: int = 0, parts: int = 1) -> Iterator[Case]:
    """Take a share of the cases, the same ones each time, and of those one part of several."""
    for case in cases:
        key = zlib.crc32(f"{case.group} {case.name}".encode())
        if key % 10007 < share * 10007 and (key // 10007) % parts == part:
            yield case
