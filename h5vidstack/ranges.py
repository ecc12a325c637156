"""Numbers of frames in words."""

from __future__ import annotations

from collections.abc import Sequence

_MENTIONED = 8


def runs(numbers: Sequence[int], most: int | None = None) -> str:
    """Ascending numbers in words, as ``3, 7-9``.

    Parameters
    ----------
    numbers
        What is to be said.
    most
        Name no more runs than this, and count the others; None: all.
    """
    ends = [at for at in range(1, len(numbers)) if numbers[at] != numbers[at - 1] + 1]
    parts = zip([0, *ends], [*ends, len(numbers)], strict=True)
    words = [
        f"{numbers[start]}-{numbers[stop - 1]}" if stop - start > 1 else str(numbers[start])
        for start, stop in parts
    ]
    if most is not None and len(words) > most:
        words = [*words[:most], f"and {len(words) - most} more places"]
    return ", ".join(words)


def in_words(what: str, numbers: Sequence[int]) -> str:
    """Ascending numbers of something, as ``frames 3, 7-9``; no more than a line can hold."""
    return f"{what}{'s' * (len(numbers) > 1)} {runs(numbers, _MENTIONED)}"
