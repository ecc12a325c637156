"""Pack the frames of a source as a PCA: fit, choose, round, write, measure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..choosing.planning import typical
from ..choosing.profiles import Profile
from ..choosing.sampling import sample
from ..choosing.trials import Trial, choose
from ..codecs import loss
from ..codecs.block import frame_crcs
from ..codecs.projection import Basis, Whole
from ..codecs.recipe import Recipe
from ..errors import UnsupportedError
from ..layout.writer import Order, StackWriter
from ..pool import Progress, Step, in_order
from ..reading.chunk_grid import to_words
from ..shapes import Pixels, Shape, frame_bytes, window_frames
from ..similar.fingerprints import Fingerprints, fingerprint, join
from ..sources.source import Source
from ..writing import pca
from .coders import BlockCoder
from .crew import Crew
from .encoder import PileEncoder

COMPONENTS = 20
"""Where the user does not say how many."""
ROOM = 0.98
"""Share of an allowed error that components may use; the rest is for rounding."""
MOST = 256
"""Components among which a bound on the error chooses."""
TRIED = 64
"""Frames on which the bits of components are chosen."""


@dataclass(frozen=True)
class Wanted:
    """What of a PCA is wanted.

    Attributes
    ----------
    components
        How many; None: `COMPONENTS`, or as many as a bound needs.
    bound
        Largest absolute error; 0: none.
    psnr
        Least PSNR in dB; None: any.
    exact
        Keep what is missing, losslessly.
    """

    components: int | None
    bound: float
    psnr: float | None
    exact: bool


def check_pca(components: int | None, psnr: float | None, exact: bool, max_error: object) -> None:
    """Raise UnsupportedError if options of a PCA mean nothing, or contradict each other."""
    if components is not None and not (isinstance(components, int) and components > 0):
        raise UnsupportedError(f"components is {components!r}; it must be a number of at least 1")
    if psnr is not None and not 0 < psnr < math.inf:
        raise UnsupportedError(f"target-psnr is {psnr}; it must be a number of dB above 0")
    if exact and (psnr is not None or max_error is not None):
        raise UnsupportedError("exact leaves no error: give no max-error and no target-psnr")


@dataclass
class PcaPacking:
    """Frames of one source on their way into one pile; see `pack`.

    Attributes
    ----------
    store
        A source that can be run through again.
    """

    store: Source
    writer: StackWriter
    wanted: Wanted
    profile: Profile
    chunk: Shape
    crew: Crew
    progress: Progress | None
    codings: list[str] = field(default_factory=list)
    trials: list[list[Trial]] = field(default_factory=list)
    in_given_order: bool = True
    _told: int = 0

    def run(self, hashes: bool) -> tuple[Order, Fingerprints, str]:
        """Pack everything; say where frames are, what they are, and how many components."""
        self._count = self.store.count or 0
        self._size = math.prod(self.store.frame)
        with self.crew:
            look = partial(fingerprint, hashes=hashes)
            step = window_frames(self.store.frame, self.store.dtype.itemsize) // 4 or 1
            prints = join(
                list(in_order(self.crew.here, look, self.store.batches(step), self.crew.lookers))
            )
            found, basis, coefficients = self._choose(step)
            self.codings.append(
                f"PCA, {len(found.components)} components"
                + (", residual exact" if self.wanted.exact else "")
            )
            writer = self.writer.add_pca(
                self.codings[0], basis, coefficients, found.spectrum, self.wanted.exact
            )
            if self.wanted.exact:
                self._write_residual(writer, basis, coefficients)
                self._lost, self._crc = loss.NO_LOSS, prints.crc32
        numbers = np.arange(self._count)
        order = Order(numbers * 0, numbers, [numbers], [typical(prints.feature)])
        return order, prints, "time order"

    def loss(self, order: Order) -> loss.Loss:
        """How far the stack is from its input."""
        return self._lost

    def crc32(self, order: Order, given: Any) -> Any:
        """CRC-32 of each frame as a reader gets it."""
        return self._crc

    def _choose(self, step: int) -> tuple[pca.Fit, Basis, Whole]:
        """As few components as are wanted, rounded; measured, unless the rest is kept, too."""
        fitted, estimate = self._fit()
        k, most = estimate, len(fitted.components)
        while True:
            found = fitted.first(k)
            weights = np.concatenate([found.project(part) for part in self.store.batches(step)])
            basis, coefficients = self._round(found, weights)
            if self.wanted.exact or self._measure(basis, coefficients):
                return found, basis, coefficients
            if k == most:
                raise UnsupportedError(
                    f"{self.store.name}: {k} components leave errors of up to "
                    f"{self._lost.max_error:.3g}, PSNR {self._lost.psnr:.2f} dB, more than is "
                    "allowed; allow more, or use --exact, or a method other than pca"
                )
            k = min(most, k + max(1, k // 16))

    def _fit(self) -> tuple[pca.Fit, int]:
        """Components, and how many of them seem to be enough."""
        wanted, most = self.wanted, min(self._count, self._size)
        if not wanted.bound and wanted.psnr is None:
            k = wanted.components or min(most, COMPONENTS)
            return self._fit_components(k), k
        tries = [wanted.components] if wanted.components else [32, 64, 128, MOST]
        for number in tries:
            found = self._fit_components(number if wanted.components else min(most, number))
            k = len(found.components)
            enough = self._enough(found)
            if enough is not None or k == most:
                return found, enough or k
        return found, k

    def _fit_components(self, k: int) -> pca.Fit:
        return pca.fit(self.store.batches, self._count, self._size, k, self.store.name)

    def _enough(self, found: pca.Fit) -> int | None:
        """How many components seem to be enough; None if all do not."""
        wanted, k = self.wanted, len(found.components)
        least = 1
        if wanted.psnr is not None:
            allowed = self._peak() ** 2 * 10 ** (-wanted.psnr / 10) * ROOM
            errors = pca.squared_errors(found, self.store.batches)
            if errors[k] > allowed:
                return None
            least = max(1, int(np.argmax(errors <= allowed)))
        if not wanted.bound:
            return least

        def holds(count: int) -> bool:
            error = pca.largest_error(found.first(count), self.store.batches)
            return error <= wanted.bound * ROOM

        if not holds(k):
            return None
        low = least - 1  # of those that hold, the fewest
        while k - low > 1:
            middle = (low + k) // 2
            low, k = (low, middle) if holds(middle) else (middle, k)
        return k

    def _peak(self) -> float:
        if self.store.dtype == np.uint8:
            return 255.0
        ends = [(float(frames.min()), float(frames.max())) for frames in self.store.batches(64)]
        return max(high for _, high in ends) - min(low for low, _ in ends)

    def _round(self, found: pca.Fit, weights: Any) -> tuple[Basis, Whole]:
        """The fewest bits that do no harm, as frames of a sample show."""
        numbers = np.unique(np.linspace(0, self._count - 1, TRIED).astype(np.intp))
        frames = self.store.take(numbers)
        rest = frames.reshape(len(frames), -1).astype(np.float64) - found.mean
        rest -= weights[numbers] @ found.components
        rms = float(np.sqrt(np.mean(rest**2)))
        tries, mean = {}, self._mean(found)
        for bits in (16, 8):
            coefficients, components, step = pca.quantise(found, weights, rms, bits)
            images = components.reshape(len(components), *self.store.frame)
            basis = Basis(mean, images, step, self.store.dtype)
            got = basis.frames(coefficients[numbers])
            tries[bits] = basis, coefficients, float(loss.measure(frames, got).mse.mean())
        least = tries[16][2]
        fine = tries[8][2] <= least * pca.RAISED and not self.wanted.bound
        basis, coefficients, _ = tries[8 if fine else 16]
        return basis, coefficients

    def _mean(self, found: pca.Fit) -> Pixels:
        """The mean as float32 where that is as good."""
        mean = found.mean.reshape(self.store.frame)
        with np.errstate(over="ignore"):
            short = mean.astype(np.float32)
        scale = np.abs(mean).max(initial=0) if self.store.dtype.kind == "f" else 1.0
        fine = np.abs(short - mean).max(initial=0) <= 1e-6 * scale
        return short if fine or self.store.dtype == np.float16 else mean

    def _batches(self, basis: Basis, coefficients: Whole) -> Iterator[tuple[Pixels, Pixels]]:
        """Frames, and what the basis makes of them."""
        start = 0
        for frames in self.store.batches(self.chunk[0]):
            yield frames, basis.frames(coefficients[start : start + len(frames)])
            start += len(frames)

    def _measure(self, basis: Basis, coefficients: Whole) -> bool:
        """Find the error that readers will see; say whether it is allowed."""
        parts, crcs = [], []
        for frames, got in self._batches(basis, coefficients):
            parts.append(loss.measure(frames, got))
            crcs.append(frame_crcs(got))
            self._tell(len(frames), "measuring")
        self._told = 0
        numbers = np.arange(self._count)
        self._lost = loss.total([loss.join(parts)], numbers * 0, numbers, self.store.dtype)
        self._crc = np.concatenate(crcs)
        wanted = self.wanted
        small = not wanted.bound or self._lost.max_error <= wanted.bound
        return small and (wanted.psnr is None or self._lost.psnr >= wanted.psnr)

    def _tell(self, frames: int, doing: str = "") -> None:
        """Say that so many more frames are done."""
        self._told += frames
        if self.progress is None:
            return
        raw = 0 if doing else self._told * frame_bytes(self.store.frame, self.store.dtype.itemsize)
        self.progress(Step(self._told, self._count, doing, raw, self.writer.stored_bytes))

    def _write_residual(self, writer: Any, basis: Basis, coefficients: Whole) -> None:
        """Code what the basis leaves."""

        def take(numbers: Any) -> Pixels:
            return residual(self.store.take(numbers), basis.frames(coefficients[numbers]))

        numbers = np.arange(self._count)
        samples = sample(numbers, self.chunk[0], self.profile, take)
        recipe, tried = choose(
            samples, self.profile, None, Recipe(), self.chunk[0], self.crew.coding, False
        )
        self.trials.append(tried)
        self.codings[0] += f" by {recipe}"
        encoder = PileEncoder(
            self.crew.encoders, self.crew.size, writer, self.crew.coder(BlockCoder(recipe, True)),
            self.chunk, block=self._tell,
        )  # fmt: skip
        for frames, got in self._batches(basis, coefficients):
            encoder.add(residual(frames, got))
        encoder.finish()


def residual(frames: Pixels, rebuilt: Pixels) -> Pixels:
    """The words of frames less those of rebuilt ones, half of their range added."""
    words = to_words(frames)
    half = words.dtype.type(1 << (8 * words.itemsize - 1))
    left: Pixels = words - to_words(rebuilt) + half
    return left
