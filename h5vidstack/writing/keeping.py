"""What a stack keeps of what a source says of its frames, and what it does not, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..metadata.description import Metadata
from ..sources.source import Source


@dataclass(frozen=True)
class Keeping:
    """What is kept beside pixels, and what is not: short phrases.

    Attributes
    ----------
    kept
        By kind: ``"axes: frame, y, x"``, ``"coordinates: time [s]"``, ``"words: exif, icc"``.
    left
        What stays behind in the source.
    """

    kept: tuple[str, ...]
    left: tuple[str, ...]


def keeping(
    source: Source, metadata: Metadata, *, digest: bool, copied: bool, lossless: bool
) -> Keeping:
    """Tell what is kept.

    Parameters
    ----------
    source
        The source, some of whose frames were read.
    metadata
        What it and the user say.
    digest
        Whether the SHA-256 of each file is kept.
    copied
        Whether packets of a video are kept as they are.
    lossless
        Whether pixels are.
    """
    coords = [
        f"{name} [{found.units}]" if found.units else name
        for name, found in metadata.coords.items()
    ]
    files = "" if metadata.files is None else _files(len(metadata.files), digest)
    kinds: dict[str, Sequence[str]] = {
        "axes": metadata.dims,
        "coordinates": coords,
        "attributes": list(metadata.attrs),
        "words of the source": list(metadata.words),
        "files": [files] if files else [],
    }
    kept = tuple(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)
    left = [*source.left_out]
    if source.leftover is not None:
        left.append(source.leftover)
    if metadata.files is not None and not copied:
        pixels = "pixels come back exactly" if lossless else "pixels come back within the loss"
        left.append(f"the bytes of the files: {pixels}, files do not")
    return Keeping(kept, tuple(left))


def _files(count: int, digest: bool) -> str:
    many = f"{count:,} path{'s' * (count != 1)}"
    return f"{many} with size and time{' and SHA-256' if digest else ', without SHA-256'}"
