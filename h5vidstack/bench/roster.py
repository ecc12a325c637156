"""Who takes part in a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Error
from .contestants import Contestant, Pixels, ours
from .peers_hdf5 import hdf5_peers
from .peers_images import image_peers
from .peers_videos import video_peers


def roster(frames: Pixels, bound: float | None = None, *, peers: bool = True) -> list[Contestant]:
    """All that could take part, with those that are not installed or cannot hold the frames.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, 3|4)``; only its shape and dtype matter.
    bound
        A largest error, for those that keep one; without it they refuse.
    peers
        With others than this package's methods.
    """
    found = list(ours(bound))
    if peers:
        found += [*hdf5_peers(frames, bound), *image_peers(frames), *video_peers(frames)]
    return found


def choose(contestants: Sequence[Contestant], wanted: Sequence[str]) -> list[Contestant]:
    """Those of this package that are named, in full or by their first word, and all peers.

    Raises
    ------
    Error
        If a name is of none.
    """
    mine = [one for one in contestants if one.ours]
    unknown = [name for name in wanted if not any(_is_named(one, name) for one in mine)]
    if unknown:
        known = dict.fromkeys(one.name.split()[0] for one in mine)
        raise Error(
            f"no method {unknown[0]!r} to bench; there is {', '.join(known)} "
            f"(each with all of its variants), or one variant: {', '.join(o.name for o in mine)}"
        )
    return [
        one
        for one in contestants
        if not one.ours or not wanted or any(_is_named(one, name) for name in wanted)
    ]


def _is_named(contestant: Contestant, name: str) -> bool:
    return name in (contestant.name, contestant.name.split()[0])
