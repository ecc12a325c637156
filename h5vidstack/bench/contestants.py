"""Contestants: ways to keep a stack in a file, each with one way to write and one to read."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from ..choosing.methods import METHODS, Kept
from ..choosing.profiles import PROFILES
from ..reading.stack_reader import StackReader
from ..writing.packer import pack

Pixels = npt.NDArray[Any]
"""``(n, H, W)`` or ``(n, H, W, 3|4)``."""


class Reader(Protocol):
    """An opened file that reads like an array, at least by ``[:]`` and by one number."""

    def __getitem__(self, key: Any) -> Pixels: ...


@dataclass(frozen=True)
class Contestant:
    """One row of the comparison.

    Attributes
    ----------
    name
        The name of the row.
    write
        Writes all frames to a new file.
    read
        Opens that file.
    ours
        Whether it is one of this package's methods, not a peer.
    needs
        The modules that it imports; their import is not timed.
    package
        What `pip` installs to get these modules.
    refusal
        Why it cannot hold these frames, or None if it can.
    pictured
        Whether a page shows what it gives back.
    bounded
        Whether it must keep the bound.
    options
        The options of ``h5vidstack pack``, if it is one of ours.
    """

    name: str
    write: Callable[[Pixels, Path], None]
    read: Callable[[Path], AbstractContextManager[Reader]]
    ours: bool = False
    needs: tuple[str, ...] = ()
    package: str | None = None
    refusal: str | None = None
    pictured: bool = False
    bounded: bool = False
    options: str | None = None

    @property
    def missing(self) -> str | None:
        """What must be installed, or None if nothing is missing."""
        if all(importlib.util.find_spec(name) is not None for name in self.needs):
            return None
        return f"not installed: pip install {self.package or self.needs[0]}"


COMPONENTS = 20
VIDEO_PRESETS = ("mp4", "x264-fast", "x264-interm", "x264-slow")
"""The presets of the script that this package grew out of."""


def ours(bound: float | None) -> Iterator[Contestant]:
    """Yield every profile and every method of this package, also those that keep a bound."""
    for profile in PROFILES:
        yield _pack(f"auto {profile}", pictured=profile == "balanced", method="auto",
                    profile=profile)  # fmt: skip
    for method in METHODS.values():
        if method.name in ("video", "groupvideo"):
            for preset in VIDEO_PRESETS:
                name = f"{method.name} {preset}"
                pictured = name in ("video mp4", "groupvideo x264-fast")
                yield _pack(name, pictured=pictured, method=method.name, preset=preset)
        elif method.kept == Kept.PCA:
            yield _pack(f"pca {COMPONENTS}", ("sklearn.decomposition",), pictured=True,
                        method="pca", components=COMPONENTS)  # fmt: skip
            yield _pack("pca exact", ("sklearn.decomposition",), method="pca", exact=True)
        elif method.kept != Kept.VIDEO:
            yield _pack(method.name, method=method.name)
    for profile in PROFILES:
        yield _pack(
            f"bounded {profile}", pictured=profile == "balanced", refusal=unbounded(bound),
            method="auto", profile=profile, max_error=bound,
        )  # fmt: skip


def unbounded(bound: float | None) -> str | None:
    """Return why a contestant that keeps a bound does not take part, or None."""
    return "keeps a bound: give --max-error" if bound is None else None


def _pack(
    name: str,
    needs: tuple[str, ...] = (),
    *,
    pictured: bool = False,
    refusal: str | None = None,
    **options: Any,
) -> Contestant:
    def write(frames: Pixels, path: Path) -> None:
        pack(frames, path, **options)

    needs = ("scipy.fftpack", *needs)
    return Contestant(
        name, write, StackReader, True, needs, refusal=refusal, pictured=pictured,
        bounded="max_error" in options, options=" ".join(map(_option, options, options.values())),
    )  # fmt: skip


def _option(name: str, value: Any) -> str:
    """Return an option of `pack` as it is written on the command line."""
    flag = f"--{name.replace('_', '-')}"
    return flag if value is True else f"{flag} {value}"
