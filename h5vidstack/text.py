"""Texts that several packages make: JSON, tables, and numbers in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_MENTIONED = 8
"""A sentence names so many runs of frame numbers, and counts the others."""


def json_text(facts: Any) -> str:
    """Return JSON that every program reads: values that are not finite are null.

    The facts may hold NumPy's arrays and numbers.
    """

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(inner) for inner in value]
        if isinstance(value, (np.ndarray, np.generic)):
            return clean(value.tolist())
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(clean(facts), default=str)


def aligned(rows: Iterable[Sequence[str]], *, left: int = 0, gap: str = "  ") -> list[str]:
    """Return rows of a table as lines, with columns of equal width.

    This is done by hand, because `rich` cuts cells at 80 columns where the output is a pipe.

    Parameters
    ----------
    rows
        Rows of equally many cells.
    left
        How many columns are flush left; the others are flush right.
    gap
        What stands between columns.
    """
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = ["<"] * left + [">"] * (len(widths) - left)
    return [
        gap.join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def runs(numbers: Sequence[int], most: int | None = None) -> str:
    """Return ascending numbers in words, such as ``3, 7-9``.

    Parameters
    ----------
    numbers
        The numbers.
    most
        Name no more runs than this, and count the others; None means to name all.
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
    """Return ascending numbers of something in words, such as ``frames 3, 7-9``, in one line."""
    return f"{what}{'s' * (len(numbers) > 1)} {runs(numbers, _MENTIONED)}"


def loss(max_error: float, psnr: float | None) -> str:
    """Return in words how lossy a stack is."""
    if math.isnan(max_error):
        return "exactness unknown: saved from a damaged file"
    decibels = "" if psnr is None else f", PSNR {psnr:.1f} dB"
    return f"LOSSY, max error {max_error:g}{decibels}"


def repeats(copies: int) -> str:
    """Return in words how many frames equal an earlier one."""
    return f"{copies:,} cop{'y' if copies == 1 else 'ies'} of other frames stored once"


def shape_text(shape: Iterable[int]) -> str:
    """Return the lengths of axes in words: ``"30 x 40"``."""
    return " x ".join(map(str, shape))


def kilobytes(size: int) -> str:
    """Return bytes as text in KB (1000 bytes), or in bytes if they are fewer."""
    if size < 1000:
        return f"{size} byte{'s' * (size != 1)}"
    return f"{size / 1000:,.{1 if size < 10_000 else 0}f} KB"


def duration(seconds: float) -> str:
    """Return a time in words: ``0.4 s``, ``25 s``, ``12 min``, ``3.5 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def growth(source: int, written: int) -> str:
    """Return in words how what was written compares with the files that it was packed from."""
    grown = written / source
    relation = f"{grown:.1f} times the source" if grown > 1 else f"{grown:.0%} of the source"
    return f"on disk {kilobytes(source)} -> {kilobytes(written)}, {relation}"
