"""What is in a packed file, for people and for programs."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

from .geometry import frame_bytes
from .groups import groups
from .layout import DEFAULT_STACK, damage_as_error
from .piles import Pile
from .ranges import in_words
from .stack_file import StackFile, split_readable
from .trials import Trial


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a stack without decoding it.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``, or such a URL.

    Returns
    -------
    dict
        JSON-ready; sizes in bytes, `ratio` is raw over stored bytes.

    Raises
    ------
    FormatError
        If there is no such stack.
    """
    file, inner = split_readable(path)
    opened = StackFile(file, inner or DEFAULT_STACK)
    with contextlib.closing(opened), damage_as_error(opened.name):
        attrs, piles = opened.attrs, groups(opened)
        raw = opened.shape[0] * frame_bytes(opened.shape[1:], opened.dtype.itemsize)
        stored = sum(pile.stored_bytes for pile in piles)
        return {
            "file": file,
            "stack": inner or DEFAULT_STACK,
            "format": attrs.get("h5vidstack_format"),
            "shape": list(opened.shape),
            "leading_shape": list(opened.leading_shape),
            "dtype": opened.dtype.name,
            "method": attrs.get("method"),
            "lossless": attrs.get("lossless", True),
            "max_error": attrs.get("max_error", 0.0),
            "mse": float(attrs.get("mse", 0.0)),
            "psnr": float(attrs["psnr"]) if "psnr" in attrs else None,
            "codec": "/".join(sorted({pile.codec for pile in piles if pile.codec})) or None,
            "preset": "/".join(sorted({pile.preset for pile in piles if pile.preset})) or None,
            "in_order": opened.in_order,
            "unique_frames": sum(len(pile.frames) for pile in piles),
            "chunk": list(opened.piles[0].chunks),
            "blocks": sum(pile.blocks for pile in piles),
            "groups": [
                {
                    "frames": len(pile.frames),
                    "first": int(pile.frames[0]) if len(pile.frames) else None,
                    "typical": pile.typical,
                    "last": int(pile.frames[-1]) if len(pile.frames) else None,
                    "raw_bytes": pile.raw_bytes,
                    "stored_bytes": pile.stored_bytes,
                    "ratio": pile.ratio,
                    "codec": pile.codec,
                    "preset": pile.preset,
                    "coding": pile.coding,
                }
                for pile in piles
            ],
            "parts": opened.ask(lambda layout: _parts(layout.piles)),
            "raw_bytes": raw,
            "stored_bytes": stored,
            "file_bytes": opened.file_bytes,
            "ratio": raw / stored if stored else None,
            "created": attrs.get("created"),
            "creator": attrs.get("creator"),
            "settings": attrs.get("settings", {}),
        }


def _parts(piles: Sequence[Pile]) -> list[str]:
    """Stacks in other files that hold its piles."""
    return list(dict.fromkeys(str(pile.part) for pile in piles if pile.part is not None))


def table(facts: dict[str, Any]) -> str:
    """The facts of `describe` as lines for a person."""
    shape = " x ".join(map(str, facts["shape"]))
    exact = "lossless" if facts["lossless"] else loss(facts["max_error"], facts["psnr"])
    settings = facts["settings"]
    codings = [pile["coding"] or pile["preset"] for pile in facts["groups"]]
    coding = (facts["method"], " / ".join(dict.fromkeys(filter(None, codings))), exact)
    piles = len(facts["groups"])
    order = "time order" if facts["in_order"] else f"reordered, {piles} pile{'s' * (piles > 1)}"
    order = str(settings.get("order", order))  # what packing said says why, too
    copies = facts["shape"][0] - facts["unique_frames"]
    if copies > 0:
        order += f", {repeats(copies)}"
    rows = {
        "stack": f"{facts['file']}::{facts['stack']}, format {facts['format'] or '(bare dataset)'}",
        "frames": f"{shape} {facts['dtype']}",
        "coding": ", ".join(filter(None, coding)),
        "order": order,
        "blocks": f"{facts['blocks']} of {' x '.join(map(str, facts['chunk']))}",
        "raw": kilobytes(facts["raw_bytes"]),
        "stored": kilobytes(facts["stored_bytes"]),
        "file": kilobytes(facts["file_bytes"]),
        "ratio": f"{facts['ratio']:.2f}" if facts["ratio"] else "-",
    }
    if facts["parts"]:
        first, *others = facts["parts"]
        rows["parts"] = f"{len(facts['parts'])}: {first}" + (f" to {others[-1]}" if others else "")
    if facts["created"]:
        rows["created"] = f"{facts['created']} by {facts['creator']}"
        rows["source"] = settings.get("source", "-")
    if settings.get("conversion"):
        rows["converted"] = str(settings["conversion"])
    doubtful = settings.get("doubtful")
    if isinstance(doubtful, list) and doubtful:
        rows["doubtful"] = f"{len(doubtful)}: {in_words('frame', doubtful)} of the source"
    if isinstance(settings.get("libraries"), dict):
        rows["libraries"] = ", ".join(
            f"{name} {version}" for name, version in settings["libraries"].items()
        )
    if len(facts["leading_shape"]) > 1:
        rows["packed from"] = " x ".join(map(str, facts["leading_shape"])) + " frames"
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def loss(max_error: float, psnr: float | None) -> str:
    """How lossy a stack is, in words."""
    if math.isnan(max_error):
        return "exactness unknown: saved from a damaged file"
    decibels = "" if psnr is None else f", PSNR {psnr:.1f} dB"
    return f"LOSSY, max error {max_error:g}{decibels}"


def trials_table(trials: Iterable[Trial]) -> str:
    """The codings that were tried for a pile, the smallest first, as a table for a person."""
    rows: list[tuple[str, ...]] = [
        ("", "coding", "sample", "stored", "ratio", "encode MB/s", "decode MB/s")
    ]
    for trial in sorted(trials, key=lambda trial: trial.stored_bytes / trial.sample_bytes):
        speeds = (
            f"{trial.sample_bytes / seconds / 1e6:.0f}" if seconds else "-"
            for seconds in (trial.encode_seconds, trial.decode_seconds)
        )
        sizes = (kilobytes(trial.sample_bytes), kilobytes(trial.stored_bytes))
        ratio = f"{trial.sample_bytes / max(trial.stored_bytes, 1):.2f}"
        rows.append(("->" if trial.chosen else "", trial.recipe, *sizes, ratio, *speeds))
    if len(rows) == 1:
        return "one coding was given, or all pixels are equal: nothing to try"
    return _aligned(rows, left=2)


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


def groups_table(facts: dict[str, Any]) -> str:
    """The piles of `describe` as a table for a person."""
    columns = ("pile", "frames", "raw", "stored", "ratio", "preset", "first", "typical", "last")
    rows: list[tuple[str, ...]] = [columns]
    for number, pile in enumerate(facts["groups"]):
        ratio = f"{pile['ratio']:.2f}" if pile["ratio"] else "-"
        sizes = (kilobytes(pile["raw_bytes"]), kilobytes(pile["stored_bytes"]), ratio)
        ends = (pile["first"], pile["typical"], pile["last"])
        row = (number, f"{pile['frames']:,}", *sizes, pile["preset"], *ends)
        rows.append(tuple("-" if cell is None else str(cell) for cell in row))
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]], left: int = 0) -> str:
    """Rows as columns, all but the first few flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{'<' if number < left else '>'}{width}}"
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
