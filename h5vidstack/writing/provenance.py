"""What the record of a stack says, for people, of how its frames were packed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..codecs.av_engine import library_versions
from ..shapes import Shape


def settings(
    *,
    method: str,
    order: str,
    codings: Sequence[str],
    chunk: Shape,
    verified: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return the settings of a stack, which a file keeps as JSON.

    Parameters
    ----------
    method
        What was asked for.
    order
        In which order frames are stored, and why, in words.
    codings
        How each pile is coded, in words.
    chunk
        Shape of a block.
    verified
        Whether each block was decoded and compared with its input.
    more
        What else there is to say.
    """
    return {
        "method": method,
        "order": order,
        "codings": list(codings),
        "chunk": chunk,
        "verified": verified,
        **more,
        "libraries": library_versions(),
    }
