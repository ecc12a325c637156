"""Who takes part in a comparison."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..errors import Error
from .contestants import Contestant, Pixels, ours
from .peers_hdf5 import hdf5_peers
from .peers_images import image_peers
from .peers_videos import video_peers


def roster(frames: Pixels, bound: float | None = None) -> list[Contestant]:
    """All that could take part, with those that are not installed or cannot hold the frames.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, 3|4)``; only its shape and dtype matter.
    bound
        A largest error, for those that keep one; without it they refuse.
    """
    peers = (hdf5_peers(frames, bound), image_peers(frames), video_peers(frames))
    return [*ours(bound), *itertools.chain(*peers)]


def choose(
    contestants: Sequence[Contestant], wanted: Sequence[str], peers: bool
) -> list[Contestant]:
    """Those that are named, in full or by their first word.

    No names mean all of this package; `peers` adds all others.

    Raises
    ------
    Error
        If a name is of none.
    """
    for name in wanted:
        if not any(_is_named(one, name) for one in contestants):
            known = dict.fromkeys(one.name.split()[0] for one in contestants)
            raise Error(
                f"no method {name!r} to bench; there is {', '.join(known)} (each with all of its "
                f"variants), or one variant: {', '.join(one.name for one in contestants)}"
            )
    return [
        one
        for one in contestants
        if any(_is_named(one, name) for name in wanted)
        or (one.ours and not wanted)
        or (peers and not one.ours)
    ]


def _is_named(contestant: Contestant, name: str) -> bool:
    return name in (contestant.name, contestant.name.split()[0])
