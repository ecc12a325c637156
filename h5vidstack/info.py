"""What is in a packed file, for people and for programs."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from .chunks import ChunkReader
from .filter import stored_coding
from .geometry import frame_bytes
from .layout import DEFAULT_STACK, damage_as_error, split_target


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a stack without decoding it.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``.

    Returns
    -------
    dict
        JSON-ready; sizes in bytes, `ratio` is raw over stored bytes.

    Raises
    ------
    FormatError
        If there is no such stack.
    """
    file, inner = split_target(path)
    reader = ChunkReader(str(file), inner or DEFAULT_STACK)
    with contextlib.closing(reader), damage_as_error(reader.name):
        attrs, video = reader.layout.attrs, reader.video
        raw = reader.shape[0] * frame_bytes(reader.shape[1:], reader.dtype.itemsize)
        stored = video.id.get_storage_size()
        settings = attrs.get("settings", {})
        coding = stored_coding(video)
        return {
            "file": str(file),
            "stack": inner or DEFAULT_STACK,
            "format": attrs.get("h5vidstack_format"),
            "shape": list(reader.shape),
            "leading_shape": list(reader.layout.leading_shape),
            "dtype": reader.dtype.name,
            "method": attrs.get("method"),
            "lossless": attrs.get("lossless", True),
            "max_error": attrs.get("max_error", 0.0),
            "codec": coding.codec if coding else None,
            "preset": coding.preset if coding else None,
            "chunk": list(reader.chunks),
            "blocks": video.id.get_num_chunks() if video.chunks else 0,
            "raw_bytes": raw,
            "stored_bytes": stored,
            "file_bytes": os.path.getsize(file),
            "ratio": raw / stored if stored else None,
            "created": attrs.get("created"),
            "creator": attrs.get("creator"),
            "settings": settings,
        }


def table(facts: dict[str, Any]) -> str:
    """The facts of `describe` as lines for a person."""
    shape = " x ".join(map(str, facts["shape"]))
    exact = "lossless" if facts["lossless"] else f"LOSSY, max error {facts['max_error']}"
    settings = facts["settings"]
    coding = (facts["method"], facts["codec"], facts["preset"], exact)
    rows = {
        "stack": f"{facts['file']}::{facts['stack']}, format {facts['format'] or '(bare dataset)'}",
        "frames": f"{shape} {facts['dtype']}",
        "coding": ", ".join(filter(None, coding)),
        "blocks": f"{facts['blocks']} of {' x '.join(map(str, facts['chunk']))}",
        "raw": kilobytes(facts["raw_bytes"]),
        "stored": kilobytes(facts["stored_bytes"]),
        "file": kilobytes(facts["file_bytes"]),
        "ratio": f"{facts['ratio']:.2f}" if facts["ratio"] else "-",
    }
    if facts["created"]:
        rows["created"] = f"{facts['created']} by {facts['creator']}"
        rows["source"] = settings.get("source", "-")
    if isinstance(settings.get("libraries"), dict):
        rows["libraries"] = ", ".join(
            f"{name} {version}" for name, version in settings["libraries"].items()
        )
    if len(facts["leading_shape"]) > 1:
        rows["packed from"] = " x ".join(map(str, facts["leading_shape"])) + " frames"
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def kilobytes(size: int) -> str:
    """Bytes as KB (1000 bytes), grouped for reading."""
    return f"{size / 1000:,.0f} KB"
