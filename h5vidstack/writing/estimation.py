"""`estimate`: what packing a source would give, from some of its frames, in some seconds."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..choosing.methods import Kept
from ..choosing.trials import Trial
from ..codecs import block
from ..errors import SourceError, UnsupportedError
from ..layout.output import check_hdf5_output
from ..metadata import given
from ..metadata.description import Metadata
from ..shapes import Shape, frame_bytes
from ..sources.openers import open_source
from ..sources.source import Source
from ..sources.video.packets import find_packets
from .crew import Crew
from .excerpts import Excerpt, read_excerpt
from .keeping import keeping
from .option_signatures import collected, takes_options
from .pack_options import PackOptions
from .packer import Destination, check_metadata, chunk_of
from .pile_packing import stays_in_order
from .sampled_coding import SampledCoding, code_excerpt, gzip_share

SECONDS = 5.0
"""How long an estimate may take where nobody says."""
READING, CODING = 0.3, 0.8
"""Shares of that time after which no more frames are read, and no more are coded."""
LEAST_UNCERTAINTY = 0.03
"""Of the size, where all frames were read and a part of them was coded."""
UNCERTAINTY = 0.1
"""Of the size, where some frames were read, besides what these tell by how they differ."""
COPY_UNCERTAINTY = 0.15
"""Of the size of copied packets: the file holds sound, too, and what its container needs."""
TABLE_BYTES, HASH_BYTES, FILE_BYTES = 5, 16, 64
"""About how many bytes tables take for each frame, its hashes, and each file of the source."""
STRUCTURE_BYTES = 20_000
"""About how many bytes HDF5 itself takes."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What packing a source would give, as far as some of its frames tell.

    Attributes
    ----------
    source
        The name of the source.
    shape, dtype, raw_bytes
        Of the stack, and its bytes as an array.
    stored_bytes, file_bytes
        About how many bytes the blocks would take, and the whole file.
    uncertainty
        By about which share of it the size may differ: 0.1 means 10 % up or down. It is judged by
        how the blocks that were coded differ, and is no bound.
    seconds
        About how long packing would take here.
    method, profile
        What was asked for, or is usual.
    coding
        How frames would be coded, in words.
    why
        A sentence: why that coding.
    order
        A sentence: in which order frames would be stored.
    lossless
        Whether every pixel would stay as it is.
    gzip_bytes
        About how many bytes HDF5's shuffle and gzip 4 would take, by the same frames.
    source_bytes
        Size of the source's file or files; None where there are none.
    frames_seen, whole
        How many frames were looked at, and whether these are all.
    kept, left
        What is kept of what the source says, and what is not.
    notes
        Whole sentences that the user must know of how the source is read, and of the estimate.
    conversion
        What would make the samples, where they are not as the source stores them, else None.
    trials
        The codings that were tried on a sample.
    spent
        How many seconds the estimate took.
    """

    source: str
    shape: Shape
    dtype: str
    raw_bytes: int
    stored_bytes: int
    file_bytes: int
    uncertainty: float
    seconds: float
    method: str
    profile: str
    coding: str
    why: str
    order: str
    lossless: bool
    gzip_bytes: int
    source_bytes: int | None
    frames_seen: int
    whole: bool
    kept: tuple[str, ...]
    left: tuple[str, ...]
    notes: tuple[str, ...]
    conversion: str | None
    trials: tuple[Trial, ...]
    spent: float = 0.0

    @property
    def ratio(self) -> float:
        """Raw bytes over stored bytes."""
        return self.raw_bytes / self.stored_bytes if self.stored_bytes else math.inf

    @property
    def growth(self) -> float | None:
        """Bytes of the file over those of the source's file or files; None where there are none."""
        return self.file_bytes / self.source_bytes if self.source_bytes else None


@takes_options("pack")
def estimate(
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    seconds: float = SECONDS,
    options: PackOptions | None = None,
    **named: Any,
) -> Estimate:
    """Tell what `pack` would give, from some frames of all over a source; write nothing.

    What `pack` would refuse before it writes is refused here, too, by the same errors. What shows
    only when all frames are read, as damage in the middle of a video, may not be found.

    Parameters
    ----------
    source
        Anything that `pack` takes, except iterators, which give their frames only once.
    path
        Where it would be packed to; that is checked, and left as it is.
    seconds
        How long it may take, about. Frames that take long to read may make it longer.
    options
        All options at once, as a `PackOptions`. Those that are given by name come before them.
    <options of pack>

    Returns
    -------
    Estimate

    Raises
    ------
    SourceError, UnsupportedError, OutputError, MetadataError
        As `pack` raises them; and UnsupportedError for methods of which a sample tells no size.
    """
    started = time.perf_counter()
    chosen = collected("pack", named, options).completed()
    _check_possible(source, chosen)
    if path is not None:
        place = Destination.of(path, source, chosen)
        check_hdf5_output(place.target, place.inner, chosen.overwrite, place.kept)
    with contextlib.closing(open_source(source, chosen.reading)) as opened:
        block.check_dtype(opened.dtype)
        check_metadata(opened, chosen, None)
        chunk = chunk_of(opened, chosen)
        excerpt = read_excerpt(opened, chunk[0], READING * seconds)
        with Crew(chosen.workers, chosen.executor) as crew:
            if chosen.copy:
                coded = _copied(opened, chosen, excerpt)
            else:
                until = started + CODING * seconds
                coded = code_excerpt(opened, chosen, chunk, crew, excerpt, until)
            found = _told(opened, chosen, excerpt, coded, crew.size)
    return replace(found, spent=time.perf_counter() - started)


def _check_possible(source: Any, options: PackOptions) -> None:
    """Refuse what no sample tells the size of."""
    if isinstance(source, Iterator):
        raise SourceError(
            f"a {type(source).__name__} gives its frames only once, so that looking at some of "
            "them would use them up: give a list of some frames, as "
            "list(itertools.islice(frames, 64))"
        )
    if options.mode == "a":
        raise UnsupportedError("the size of a new stack is estimated: leave out mode='a'")
    if options.row.kept in (Kept.PCA, Kept.DIFFERENCE):
        raise UnsupportedError(
            f"method {options.row.name} needs all frames for its means or components, so that a "
            "sample does not tell its size: pack a part of the frames, or estimate method auto"
        )


def _told(
    opened: Source, options: PackOptions, excerpt: Excerpt, coded: SampledCoding, workers: int
) -> Estimate:
    """Tell what all frames of a source take, by what came of some."""
    count, size = excerpt.count, frame_bytes(opened.frame, opened.dtype.itemsize)
    unique = round(count * excerpt.unique / excerpt.seen)
    stored = round(unique * size * coded.share)
    files = opened.metadata.files
    tables = count * (TABLE_BYTES + HASH_BYTES * options.hashes) + STRUCTURE_BYTES
    tables += FILE_BYTES * (0 if files is None else len(files))
    least = LEAST_UNCERTAINTY if excerpt.whole else UNCERTAINTY
    reading = excerpt.seconds / excerpt.seen * count
    passes = 1 if stays_in_order(options.row, options.wish) else 2
    coding = count * size / coded.rate / workers
    metadata = _metadata(opened, options, excerpt)
    kept = keeping(
        opened, metadata, digest=options.digest, copied=options.copy, lossless=coded.lossless
    )
    return Estimate(
        source=opened.name,
        shape=(count, *opened.frame),
        dtype=opened.dtype.name,
        raw_bytes=count * size,
        stored_bytes=stored,
        file_bytes=stored + tables,
        uncertainty=min(1.0, math.hypot(coded.spread, least)),
        seconds=coded.choosing + max(passes * reading, coding),
        method=options.row.name,
        profile=options.wish.profile.name,
        coding=coded.coding,
        why=coded.why,
        order=coded.order,
        lossless=coded.lossless,
        gzip_bytes=round(count * size * coded.gzip_share),
        source_bytes=opened.file_bytes,
        frames_seen=excerpt.seen,
        whole=excerpt.whole,
        kept=kept.kept,
        left=kept.left,
        notes=(*opened.notes, *coded.notes),
        conversion=opened.conversion,
        trials=coded.trials,
    )


def _metadata(opened: Source, options: PackOptions, excerpt: Excerpt) -> Metadata:
    """Return what the source and the user say, by name; values are of the frames that were read."""
    metadata = opened.metadata
    leading = opened.leading_shape or (excerpt.count,)
    own = given.completed(
        Metadata(metadata.dims), leading, opened.frame, dims=options.dims, coords=options.coords,
        attrs=options.attrs, scale=options.scale,
    )  # fmt: skip
    return replace(
        metadata,
        dims=own.dims,
        coords={**metadata.coords, **own.coords},
        attrs={**metadata.attrs, **own.attrs},
    )


def _copied(opened: Source, options: PackOptions, excerpt: Excerpt) -> SampledCoding:
    """Return what a copy of the packets of a video takes, if they can be copied."""
    packets = find_packets(opened, options.chunk_frames)
    raw = packets.count * frame_bytes(opened.frame, opened.dtype.itemsize)
    rate = excerpt.seen * frame_bytes(opened.frame, opened.dtype.itemsize) / excerpt.seconds
    return SampledCoding(
        share=(opened.file_bytes or 0) / raw,
        gzip_share=gzip_share(excerpt.runs),
        spread=COPY_UNCERTAINTY,
        rate=rate,
        choosing=0.0,
        coding="H.264 packets as they are",
        why="a copy was asked for, and its GOPs are closed",
        order="time order",
        lossless=True,
        trials=(),
        notes=(),
    )
