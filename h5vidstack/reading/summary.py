"""What is in a packed file, for people and for programs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import Any

from ..codecs.loss import stated_noise
from ..hdf5.failures import damage_as_error
from ..layout.names import SEPARATOR
from ..layout.stack_group import Layout
from ..shapes import frame_bytes
from .groups import describe_groups
from .stack_file import StackFile, split_readable


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
    with contextlib.closing(StackFile(file, inner)) as opened:
        return describe_open(opened)


def describe_open(opened: StackFile) -> dict[str, Any]:
    """Describe a stack that is open; see `describe`."""
    file = opened.name.removesuffix(f"{SEPARATOR}{opened.stack}")
    with damage_as_error(opened.name):
        attrs, piles = opened.attrs, describe_groups(opened)
        noise = stated_noise(attrs)
        raw = opened.shape[0] * frame_bytes(opened.shape[1:], opened.dtype.itemsize)
        stored = sum(pile.stored_bytes for pile in piles)
        return {
            "file": file,
            "stack": opened.stack,
            "format": attrs.get("h5vidstack_format"),
            "shape": list(opened.shape),
            "leading_shape": list(opened.leading_shape),
            "dtype": opened.dtype.name,
            "method": attrs.get("method"),
            "lossless": attrs.get("lossless", True),
            "max_error": attrs.get("max_error", 0.0),
            "mse": float(attrs.get("mse", 0.0)),
            "psnr": float(attrs["psnr"]) if "psnr" in attrs else None,
            "noise": None if noise is None else dataclasses.asdict(noise),
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
            "parts": opened.ask(_parts),
            "raw_bytes": raw,
            "stored_bytes": stored,
            "file_bytes": opened.file_bytes,
            "ratio": raw / stored if stored else None,
            "created": attrs.get("created"),
            "creator": attrs.get("creator"),
            "settings": attrs.get("settings", {}),
        }


def _parts(layout: Layout) -> list[str]:
    """List the stacks in other files that hold its piles."""
    piles = layout.piles if layout.linked else ()
    return list(dict.fromkeys(str(pile.part) for pile in piles if pile.part is not None))
