"""Texts that several packages make: JSON that every program reads, and frame numbers in words."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_MENTIONED = 8
"""Runs of frame numbers that a sentence names before it counts the others."""


def json_text(facts: Any) -> str:
    """Return JSON of facts that may hold NumPy's arrays and numbers; what is not finite is null."""

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


def loss(max_error: float, psnr: float | None) -> str:
    """How lossy a stack is, in words."""
    if math.isnan(max_error):
        return "exactness unknown: saved from a damaged file"
    decibels = "" if psnr is None else f", PSNR {psnr:.1f} dB"
    return f"LOSSY, max error {max_error:g}{decibels}"


def repeats(copies: int) -> str:
    """How many frames equal an earlier one, in words."""
    return f"{copies:,} cop{'y' if copies == 1 else 'ies'} of other frames stored once"


def kilobytes(size: int) -> str:
    """Bytes as KB (1000 bytes), grouped for reading; few of them as they are."""
    if size < 1000:
        return f"{size} byte{'s' * (size != 1)}"
    return f"{size / 1000:,.{1 if size < 10_000 else 0}f} KB"


def growth(source: int, written: int) -> str:
    """How what was written compares with the files that it was packed from."""
    grown = written / source
    relation = f"{grown:.1f} times the source" if grown > 1 else f"{grown:.0%} of the source"
    return f"on disk {kilobytes(source)} -> {kilobytes(written)}, {relation}"
