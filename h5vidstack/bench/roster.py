"""The contestants of a comparison, and the choice among them by name."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import Error, UnsupportedError
from .contestants import Contestant, Pixels, ours
from .peers_hdf5 import hdf5_peers
from .peers_images import image_peers
from .peers_videos import video_peers


def all_contestants(frames: Pixels, bound: float | None = None) -> list[Contestant]:
    """Return all contestants, also those that are not installed or cannot hold the frames.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, 3|4)``; only the shape and dtype matter.
    bound
        The largest error allowed to contestants that keep a bound; without it they refuse.
    """
    peers = (hdf5_peers(frames, bound), image_peers(frames), video_peers(frames))
    return [*ours(bound), *itertools.chain(*peers)]


ANY = np.empty((1, 1, 1), np.uint8)
"""Frames for `all_contestants` where only names are wanted."""


def choose(
    contestants: Sequence[Contestant], wanted: Sequence[str], peers: bool
) -> list[Contestant]:
    """Return the contestants that are named, in full or by their first words.

    Capitals do not matter. No names mean all contestants of this package; `peers` adds all others.

    Raises
    ------
    Error
        If a name is of no contestant.
    """
    for name in wanted:
        if not any(_is_named(one, name) for one in contestants):
            raise Error(f"no method {name!r} to bench; {_suggestion(contestants, name)}")
    return [
        one
        for one in contestants
        if any(_is_named(one, name) for name in wanted)
        or (one.ours and not wanted)
        or (peers and not one.ours)
    ]


def _is_named(contestant: Contestant, name: str) -> bool:
    return f"{contestant.name} ".casefold().startswith(f"{name} ".casefold())


def _suggestion(contestants: Sequence[Contestant], name: str) -> str:
    families = dict.fromkeys(one.name.split()[0] for one in contestants)
    known = {known.casefold(): known for known in (*families, *(one.name for one in contestants))}
    close = difflib.get_close_matches(name.casefold(), known)
    if close:
        return f"did you mean {' or '.join(repr(known[match]) for match in close)}?"
    return f"there is {', '.join(families)}"


def refuse_if_none(problems: Iterable[tuple[str, str | None]]) -> None:
    """Raise UnsupportedError if every contestant has a problem, and say which."""
    named: dict[str, list[str]] = {}
    for name, problem in problems:
        if problem is None:
            return
        named.setdefault(problem, []).append(name)
    said = "; ".join(f"{', '.join(names)}: {problem}" for problem, names in named.items())
    raise UnsupportedError(f"nothing to compare: {said}")
