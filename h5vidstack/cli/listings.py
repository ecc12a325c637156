"""Listings for people: what a file holds, its piles, and the codings that were tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..care.originals import Original
from ..choosing.trials import Trial
from ..codecs.noise import NoiseLoss, NoiseModel
from ..layout.names import SEPARATOR
from ..text import aligned, duration, in_words, kilobytes, loss, repeats, shape_text
from ..writing.estimation import Estimate


def original_lines(found: Sequence[Original], deleting: bool, sound: bool) -> Iterator[str]:
    """Yield a line for each file that frames came from.

    Parameters
    ----------
    deleting
        Say which may be deleted, and why others may not; else what agrees with the stack.
    sound
        Whether the stack is sound: if not, nothing may be deleted.
    """
    for one in found:
        if not deleting:
            yield f"{one.path}: {one.agreement}"
        elif sound and one.replaceable:
            yield f"may be deleted: {one.path}"
        else:
            yield f"keep: {one.path}: {_reason(one, sound)}"


def _reason(one: Original, sound: bool) -> str:
    """Return why a file may not be deleted."""
    return "other problems were found" if one.replaceable and not sound else one.reason


def stack_table(found: Sequence[dict[str, Any]]) -> str:
    """Return the stacks of a file as a table."""
    rows: list[tuple[str, ...]] = [("stack", "frames", "dtype", "method", "raw", "stored", "ratio")]
    for facts in found:
        shape = (*facts["leading_shape"], *facts["shape"][1:])
        sizes = kilobytes(facts["raw_bytes"]), kilobytes(facts["stored_bytes"])
        ratio = f"{facts['ratio']:.2f}" if facts["ratio"] else "-"
        edges = shape_text(shape)
        rows.append((facts["stack"], edges, facts["dtype"], facts["method"] or "-", *sizes, ratio))
    return "\n".join(aligned(rows))


def stack_facts(facts: dict[str, Any], metadata: dict[str, str]) -> str:
    """Return the facts that `describe` found, and lines about the metadata, as lines."""
    shape = shape_text(facts["shape"])
    exact = "lossless" if facts["lossless"] else loss(facts["max_error"], facts["psnr"])
    settings = facts["settings"]
    codings = [pile["coding"] or pile["preset"] for pile in facts["groups"]]
    coding = (facts["method"], " / ".join(dict.fromkeys(filter(None, codings))), exact)
    count = len(facts["groups"])
    order = "time order" if facts["in_order"] else f"reordered, {count} pile{'s' * (count > 1)}"
    order = str(settings.get("order", order))  # this also says why
    copies = facts["shape"][0] - facts["unique_frames"]
    if copies > 0:
        order += f", {repeats(copies)}"
    rows = {
        "stack": f"{facts['file']}{SEPARATOR}{facts['stack']}, "
        f"format {facts['format'] or '(bare dataset)'}",
        "frames": f"{shape} {facts['dtype']}",
        "coding": ", ".join(filter(None, coding)),
        **_noise(facts["noise"]),
        "order": order,
        "blocks": f"{facts['blocks']} of {shape_text(facts['chunk'])}",
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
    return "\n".join(aligned((rows | metadata).items(), left=2))


def _noise(facts: dict[str, Any] | None) -> dict[str, str]:
    """Return rows that say how far pixels moved in units of their noise, where that was bounded."""
    if facts is None:
        return {}
    lost = NoiseLoss(**facts | {"model": NoiseModel(**facts["model"])})
    return {"loss": str(lost), "camera": str(lost.model)}


def pile_table(facts: dict[str, Any]) -> str:
    """Return the piles that `describe` found as a table."""
    columns = ("pile", "frames", "raw", "stored", "ratio", "preset", "first", "typical", "last")
    rows: list[tuple[str, ...]] = [columns]
    for number, pile in enumerate(facts["groups"]):
        ratio = f"{pile['ratio']:.2f}" if pile["ratio"] else "-"
        sizes = (kilobytes(pile["raw_bytes"]), kilobytes(pile["stored_bytes"]), ratio)
        ends = (pile["first"], pile["typical"], pile["last"])
        row = (number, f"{pile['frames']:,}", *sizes, pile["preset"], *ends)
        rows.append(tuple("-" if cell is None else str(cell) for cell in row))
    return "\n".join(aligned(rows))


def estimate_lines(found: Estimate) -> Iterator[str]:
    """Yield what packing would give: a sentence, then lines of a name and a value."""
    shape = shape_text(found.shape)
    exact = "lossless" if found.lossless else "LOSSY"
    yield (
        f"would pack {shape} {found.dtype}: {kilobytes(found.raw_bytes)} -> about "
        f"{kilobytes(found.stored_bytes)} (ratio {found.ratio:.2f}), give or take "
        f"{found.uncertainty:.0%}; {exact}"
    )
    rate = f"{found.shape[0] / found.seconds:,.0f} frames/s" if found.seconds else ""
    gzip = found.raw_bytes / max(found.gzip_bytes, 1)
    rows = [
        ("time", f"about {duration(found.seconds)} here, {rate}"),
        ("file", f"about {kilobytes(found.file_bytes)}, with tables and what HDF5 needs"),
        ("coding", f"{found.coding}: {found.why}"),
        ("order", found.order),
        ("gzip 4", f"about {kilobytes(found.gzip_bytes)} with shuffle (ratio {gzip:.2f})"),
    ]
    if found.source_bytes:
        rows.append(("source", kilobytes(found.source_bytes)))
    rows += [("samples", found.conversion)] if found.conversion else []
    rows += [("kept" if not number else "", what) for number, what in enumerate(found.kept)]
    rows += [("not kept" if not number else "", what) for number, what in enumerate(found.left)]
    seen = "all frames" if found.whole else f"{found.frames_seen:,} of {found.shape[0]:,} frames"
    rows.append(("looked at", f"{seen}, in {found.spent:.1f} s; nothing was written"))
    for name, value in rows:
        yield f"{name:10}  {value}"


def trial_table(trials: Iterable[Trial]) -> str:
    """Return the codings that were tried for a pile as a table, the smallest first."""
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
    return "\n".join(aligned(rows, left=2))
