"""The coding of an excerpt of a source, as `pack` would code it: how small, how fast, and why."""

from __future__ import annotations

import math
import statistics
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..choosing import sampling
from ..choosing.arrangement import arrange
from ..choosing.methods import Kept, Ordering
from ..choosing.quality import Wish
from ..choosing.trials import Chooser, ChosenRecipe, Trial
from ..codecs.noise import NoiseBound
from ..codecs.recipe import Recipe
from ..hdf5.standard_filters import shuffled
from ..shapes import Pixels, Shape
from ..similar.feature_store import FeatureStore
from ..similar.fingerprints import block_means, fingerprint
from ..sources.array_source import ArraySource
from ..sources.source import Source
from .coders import PlainCoder
from .crew import Crew
from .excerpts import Excerpt, spread_out
from .pack_options import PackOptions
from .pile_packing import stays_in_order

TRIAL_BYTES = 3 << 19
"""Most bytes of frames that are coded in every way, to choose one."""
TRIAL_RUNS = 6
FEWEST_BLOCKS, MOST_BLOCKS = 3, 96
MOST_TILES = 2
"""Tiles of a block that are coded, where frames are large."""
LARGE = 1 << 22
"""Bytes of a block of frames above which only some of its tiles are coded."""
ROW_STEP = 4
"""One row of so many tells how blocks differ."""
MOST_ARRANGED = 20_000
"""Frames that are put into similarity order at most, which takes seconds for more."""
GZIP_LEVEL, GZIP_FRAMES = 4, 12
LONG_BLOCK, LONG_SPREAD = 64, 0.5
"""Blocks of more frames may be so much smaller than samples of them tell: what repeats far apart
in a block is seen in none of its parts."""


@dataclass(frozen=True, kw_only=True)
class SampledCoding:
    """What came of coding some frames.

    Attributes
    ----------
    share, gzip_share
        Stored bytes over raw bytes, and the same by HDF5's shuffle and gzip 4.
    spread
        By which share of itself `share` may differ for all frames, by how blocks differ.
    rate
        Bytes of pixels that one core looks at, codes and checks in a second.
    choosing
        Seconds that the choice took.
    coding, why, order
        In words: how frames are coded, and in which order.
    lossless
        Whether nothing is lost.
    trials
        What was tried.
    notes
        Whole sentences on what was not tried.
    """

    share: float
    gzip_share: float
    spread: float
    rate: float
    choosing: float
    coding: str
    why: str
    order: str
    lossless: bool
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]


def code_excerpt(
    source: Source, options: PackOptions, chunk: Shape, crew: Crew, excerpt: Excerpt, until: float
) -> SampledCoding:
    """Choose a coding for frames of a source, and code blocks of them until some time.

    Parameters
    ----------
    source
        Where the frames are from.
    options
        With a method and a profile.
    chunk
        ``(G, h, w[, C])``.
    crew
        Codes samples.
    excerpt
        The frames.
    until
        By the clock of `time.perf_counter`. A few blocks are coded in any case.
    """
    begun = time.perf_counter()
    runs, order, notes = _ordered(options, crew, excerpt)
    way = (_Plain if options.row.kept == Kept.PLAIN else _Blocks)(
        source, options, chunk, crew, runs
    )
    choosing = time.perf_counter() - begun
    blocks = _blocks(runs, chunk[0])
    weights = [_weight(frames) for frames in blocks]
    stored: list[float] = []
    seen, seconds = 0, 0.0
    for frames in islice(blocks, MOST_BLOCKS):
        tiles = _tiles(frames, chunk, len(stored))
        coded = [way.code(tile) for tile in tiles]
        raw = sum(tile.nbytes for tile in tiles)
        stored.append(sum(size for size, _ in coded) / raw * frames.nbytes)
        seen, seconds = seen + raw, seconds + sum(took for _, took in coded)
        if time.perf_counter() > until and len(stored) >= FEWEST_BLOCKS:
            break
    spread = _spread(stored, weights, excerpt.whole)
    if chunk[0] > LONG_BLOCK and excerpt.count > LONG_BLOCK and way.trials:
        spread = math.hypot(spread, LONG_SPREAD)
        notes.append(
            f"Blocks of {chunk[0]} frames, as profile {options.wish.profile.name} makes them, may "
            "be much smaller than a sample tells, if much is alike in distant frames."
        )
    seconds += _survey_seconds(runs[0], options) * seen
    factor = sum(stored) / sum(weights[: len(stored)])
    return SampledCoding(
        share=factor * sum(weights) / sum(frames.nbytes for frames in blocks),
        gzip_share=gzip_share(runs),
        spread=spread,
        rate=seen / max(seconds, 1e-9),
        choosing=choosing,
        coding=way.coding,
        why=way.why,
        order=order,
        lossless=way.lossless,
        trials=way.trials,
        notes=tuple(notes),
    )


class _Blocks:
    """Frames as blocks of this package's filter, in the way that trials find best."""

    def __init__(
        self, source: Source, options: PackOptions, chunk: Shape, crew: Crew, runs: list[Pixels]
    ) -> None:
        wish, count = options.wish, sum(map(len, runs))
        bound: float | NoiseBound = 0.0
        if wish.bound is not None:
            some = np.concatenate([run[:: max(1, count // 64)] for run in runs])
            bound = wish.bound.of(ArraySource(some, source.name))
        template = wish.template(bound, source.dtype)
        self._chooser = Chooser(
            wish=wish, template=template, chunk=chunk, pool=crew.coding, timed=options.explain
        )
        choice = self._chooser.choose_by(_trial_samples(runs, chunk[0]))
        self._recipe: Recipe = choice.recipe
        self.coding, self.lossless = str(choice.recipe), choice.recipe.lossless
        self.trials = tuple(choice.trials)
        self.why = _why(choice, wish)

    def code(self, tile: Pixels) -> tuple[int, float]:
        """Return the bytes of a tile as its share of a whole block, and the seconds it takes."""
        (trial,) = self._chooser.weigh([self._recipe], [tile], timed=True)
        return trial.stored_bytes, trial.encode_seconds + trial.decode_seconds


class _Plain:
    """Frames in chunks that any HDF5 reads."""

    trials, lossless = (), True

    def __init__(
        self, source: Source, options: PackOptions, chunk: Shape, crew: Crew, runs: list[Pixels]
    ) -> None:
        method = options.row
        self._coder = PlainCoder(chunk, method.level, method.shuffle, options.verify)
        self.coding, self.why = str(self._coder), f"method {method.name} was asked for"

    def code(self, tile: Pixels) -> tuple[int, float]:
        """Return the bytes of a chunk, as a share of it if it is not full, and the seconds."""
        started = time.perf_counter()
        data, _ = self._coder.encode(tile, (0, 0))
        return len(data), time.perf_counter() - started


def _why(choice: ChosenRecipe, wish: Wish) -> str:
    """Say why a coding was chosen, as far as trials tell."""
    chosen = next((trial for trial in choice.trials if trial.chosen), None)
    if chosen is None:
        return "it was asked for" if wish.fixed is not None else "nothing in the sample differs"
    least = min(choice.trials, key=lambda trial: trial.stored_bytes / trial.sample_bytes)
    tried = f"of {len(choice.trials)} codings tried"
    if len(choice.trials) == 1:
        return "no other was tried"
    if least is chosen:
        return f"the smallest {tried}"
    more = chosen.stored_bytes / chosen.sample_bytes / (least.stored_bytes / least.sample_bytes) - 1
    if more <= 0.0005:
        return f"as small as {least.recipe}, the smallest {tried}, and faster"
    return (
        f"{more:.1%} larger than {least.recipe}, the smallest {tried}, and faster; "
        f"profile {wish.profile.name} allows {wish.profile.tolerance:.0%}"
    )


def _ordered(
    options: PackOptions, crew: Crew, excerpt: Excerpt
) -> tuple[list[Pixels], str, list[str]]:
    """Put frames into the order in which they would be stored, if all of them were read."""
    method = options.row
    if stays_in_order(method, options.wish):
        return excerpt.runs, "time order", []
    if not excerpt.whole or excerpt.unique > MOST_ARRANGED:
        always = method.ordering == Ordering.SIMILAR
        said = "similarity order, of which a few frames do not tell how small it is"
        note = (
            "Only packing looks at all frames and tries similarity order; the size is that of time "
            "order, and less if many frames are alike that do not follow each other."
        )
        return (
            excerpt.runs,
            said if always else "time order, unless similarity order is smaller",
            [note],
        )
    (frames,) = excerpt.runs
    features = FeatureStore.of(block_means(frames))
    found = arrange(
        features, lambda numbers: frames[numbers], crew.coding, method.ordering == Ordering.SIMILAR
    )
    if not found.reordered:
        return excerpt.runs, "time order: similarity order is not 1 % smaller in a sample", []
    piles = f"{len(found.piles)} pile{'s' * (len(found.piles) > 1)}"
    gain = "" if found.gain is None else f", {1 - found.gain:.0%} smaller in a sample"
    return [frames[pile] for pile in found.piles], f"similarity order, {piles}{gain}", []


def _trial_samples(runs: Sequence[Pixels], block: int) -> list[Pixels]:
    """Return parts of runs from all over the frames, for trials of every coding."""
    taken = _blocks(runs, block)[:TRIAL_RUNS]
    wanted = TRIAL_BYTES / sum(len(run) for run in taken) / taken[0][0].nbytes
    pixels = max(1.0, wanted * math.prod(taken[0].shape[1:3]))
    return [
        sampling.stripe(run, pixels, (number + 0.5) / len(taken))
        for number, run in enumerate(taken)
    ]


def _blocks(runs: Sequence[Pixels], length: int) -> list[Pixels]:
    """Return the blocks of runs of frames, so that the first ones are from all over them."""
    pieces = [run[start : start + length] for run in runs for start in range(0, len(run), length)]
    longest = max(map(len, pieces))
    pieces = [piece for piece in pieces if 2 * len(piece) > longest]  # ends of runs are unlike
    left, found = set(range(len(pieces))), list[Pixels]()
    for share in spread_out():
        number = int(share * len(pieces))
        if number in left:
            left.remove(number)
            found.append(pieces[number])
        if not left:
            break
    return found


def _weight(frames: Pixels) -> float:
    """Return about how many bytes a block takes, in comparison with others: by some of its rows.

    Blocks of a stack may differ much, and only some of them are coded. What these take in
    proportion to their weight differs less than what they take.
    """
    rows = np.ascontiguousarray(frames[:: max(1, len(frames) // 2), ::ROW_STEP])
    return len(zlib.compress(shuffled(rows), 1)) / rows.nbytes * frames.nbytes


def _tiles(frames: Pixels, chunk: Shape, turn: int) -> list[Pixels]:
    """Return the tiles of a block; of a large one only some, other ones each turn."""
    rows, columns = chunk[1:3]
    height, width = frames.shape[1:3]
    tiles = [
        frames[:, y : y + rows, x : x + columns]
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]
    if len(tiles) <= MOST_TILES or frames.nbytes <= LARGE:
        return tiles
    return [
        tiles[(turn * 7 + step * len(tiles) // MOST_TILES) % len(tiles)]
        for step in range(MOST_TILES)
    ]


def _survey_seconds(run: Pixels, options: PackOptions) -> float:
    """Return how long it takes to look at a byte of frames: their hashes and digests."""
    some = run[: max(1, min(len(run), (1 << 22) // run[0].nbytes))]
    started = time.perf_counter()
    fingerprint(some, hashes=options.hashes)
    return (time.perf_counter() - started) / some.nbytes


def gzip_share(runs: Sequence[Pixels]) -> float:
    """Return the share that frames take as one-frame chunks by HDF5's shuffle and gzip 4."""
    frames = (
        np.concatenate(runs) if len(runs) == 1 else np.stack([run[len(run) // 2] for run in runs])
    )
    places = np.linspace(0, len(frames) - 1, min(GZIP_FRAMES, len(frames))).astype(np.intp)
    packed = sum(len(zlib.compress(shuffled(frames[place]), GZIP_LEVEL)) for place in places)
    return packed / (len(places) * int(frames[0].nbytes))


def _spread(stored: Sequence[float], weights: Sequence[float], whole: bool) -> float:
    """Return twice the standard error of the size of all blocks, as a share of it.

    Parameters
    ----------
    stored
        The bytes of the blocks that were coded, which are the first ones.
    weights
        The weight of each block.
    whole
        Whether these are all blocks that there are.
    """
    count, total = len(stored), sum(stored)
    if count == len(weights) and whole:
        return 0.0
    if count < 2:
        return 1.0
    factor = total / sum(weights[:count])
    off = [size - factor * weight for size, weight in zip(stored, weights, strict=False)]
    error = statistics.stdev(off) / math.sqrt(count) / (total / count)
    by_blocks = 2 * error * math.sqrt(1 - count / len(weights))
    if whole or len(weights) < 2:
        return by_blocks
    between = statistics.stdev(weights) / math.sqrt(len(weights)) / statistics.fmean(weights)
    return math.hypot(by_blocks, 2 * between)
