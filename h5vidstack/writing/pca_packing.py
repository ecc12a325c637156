"""Packing the frames of a source as a PCA: fit, choose, round, write, measure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..choosing.quality import Wish
from ..choosing.trials import Chooser, Trial
from ..codecs import loss
from ..codecs.block import frame_crcs
from ..codecs.projection import Basis, Whole
from ..codecs.recipe import Recipe
from ..errors import UnsupportedError
from ..layout.writer import PileWriter
from ..pool import in_order
from ..reading.chunk_grid import to_words
from ..shapes import Numbers, Pixels, window_frames
from ..similar.fingerprints import Fingerprints, fingerprint
from ..similar.typical import TypicalFrame
from . import pca
from .coders import BlockCoder
from .columns import FingerprintColumns
from .packing import Packed, Packing, Setup, as_read, given_order

COMPONENTS = 20
"""How many components there are where the user does not say it."""
ROOM = 0.98
"""Share of an allowed error that components may use; the rest is for rounding."""
MOST = 256
"""Most components among which a bound on the error chooses."""
TRIED = 64
"""Frames on which the bits of components are chosen."""


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """Components and coefficients as they are stored, and what a reader gets of them.

    Attributes
    ----------
    found
        The components before they were rounded.
    basis, coefficients
        What is stored.
    lost, crc32
        The difference to the input, and the CRC-32 of each frame that a reader gets.
    """

    found: pca.Fit
    basis: Basis
    coefficients: Whole
    lost: loss.Loss = loss.NO_LOSS
    crc32: npt.NDArray[np.uint32] | None = None


class PcaPacking(Packing):
    """One pile in order, as components and coefficients, and what these leave if it is wanted."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        options = setup.options
        self._bound = setup.template.absolute
        # A share of the range of a constant stack is nothing: then no error is allowed.
        self._exact = options.exact or (setup.wish.bound is not None and not self._bound)
        self._frames = setup.source.count or 0
        self._size = math.prod(setup.source.frame)
        self._told = 0

    def run(self) -> Packed:
        """Pack everything."""
        source, crew = self.setup.source, self.setup.crew
        hashes = self.setup.options.hashes
        step = window_frames(source.frame, source.dtype.itemsize) // 4 or 1
        columns, typical = FingerprintColumns(hashes), TypicalFrame()

        def look(frames: Pixels) -> tuple[Pixels, Fingerprints]:
            return frames, fingerprint(frames, hashes=hashes)

        for frames, found_prints in in_order(crew.here, look, source.batches(step), crew.lookers):
            columns.extend(found_prints)
            typical.add(frames)
        prints = columns.joined(source.name)
        rounded = self._choose(step)
        found = rounded.found
        coding = f"PCA, {len(found.components)} components" + ", residual exact" * self._exact
        writer = self.setup.writer.add_pca(
            coding, rounded.basis, rounded.coefficients, found.spectrum, self._exact
        )
        trials: list[list[Trial]] = []
        lost = rounded.lost
        if self._exact:
            recipe, tried = self._write_residual(writer, rounded)
            coding += f" by {recipe}"
            trials.append(tried)
        elif rounded.crc32 is not None and not lost.exact:
            prints, lost = as_read(prints, lost, rounded.crc32)
        return Packed(
            order=given_order(len(prints), typical.number), prints=prints, loss=lost,
            sentence="time order", codings=[coding], trials=trials,
        )  # fmt: skip

    def _choose(self, step: int) -> Rounded:
        """Return as few components as are wanted; measured, unless the rest is kept, too."""
        fitted, estimate = self._fit()
        k, most = estimate, len(fitted.components)
        while True:
            found = fitted.first(k)
            weights = np.concatenate(
                [found.project(part) for part in self.setup.source.batches(step)]
            )
            rounded = self._round(found, weights)
            if self._exact:
                return rounded
            rounded = self._measured(rounded)
            if self._allowed(rounded.lost):
                return rounded
            if k == most:
                raise UnsupportedError(
                    f"{self.setup.source.name}: {k} components leave errors of up to "
                    f"{rounded.lost.max_error:.3g}, PSNR {rounded.lost.psnr:.2f} dB, more than is "
                    "allowed; allow more, or use --exact, or a method other than pca"
                )
            k = min(most, k + max(1, k // 16))

    def _fit(self) -> tuple[pca.Fit, int]:
        """Return components, and how many of them seem to be enough."""
        options, most = self.setup.options, min(self._frames, self._size)
        if not self._bound and options.target_psnr is None:
            k = options.components or min(most, COMPONENTS)
            return self._fit_components(k), k
        tries = [options.components] if options.components else [32, 64, 128, MOST]
        for number in tries:
            found = self._fit_components(number if options.components else min(most, number))
            k = len(found.components)
            enough = self._enough(found)
            if enough is not None or k == most:
                return found, enough or k
        return found, k

    def _fit_components(self, k: int) -> pca.Fit:
        return pca.fit(
            self.setup.source.batches, self._frames, self._size, k, self.setup.source.name
        )

    def _enough(self, found: pca.Fit) -> int | None:
        """Return how many components seem to be enough; None if not even all are."""
        psnr, k = self.setup.options.target_psnr, len(found.components)
        least = 1
        if psnr is not None:
            allowed = self._peak() ** 2 * 10 ** (-psnr / 10) * ROOM
            errors = pca.squared_errors(found, self.setup.source.batches)
            if errors[k] > allowed:
                return None
            least = max(1, int(np.argmax(errors <= allowed)))
        if not self._bound:
            return least

        def holds(count: int) -> bool:
            error = pca.largest_error(found.first(count), self.setup.source.batches)
            return error <= self._bound * ROOM

        if not holds(k):
            return None
        low = least - 1  # look for the fewest that hold the bound
        while k - low > 1:
            middle = (low + k) // 2
            low, k = (low, middle) if holds(middle) else (middle, k)
        return k

    def _peak(self) -> float:
        """Return the peak that a PSNR counts from: the range of all values, or 255 for uint8."""
        if self.setup.source.dtype == np.uint8:
            return 255.0
        ends = [
            (float(frames.min()), float(frames.max())) for frames in self.setup.source.batches(64)
        ]
        return max(high for _, high in ends) - min(low for low, _ in ends)

    def _round(self, found: pca.Fit, weights: Any) -> Rounded:
        """Round to the fewest bits that do no harm, as frames of a sample show."""
        numbers = np.unique(np.linspace(0, self._frames - 1, TRIED).astype(np.intp))
        frames = self.setup.source.take(numbers)
        rest = frames.reshape(len(frames), -1).astype(np.float64) - found.mean
        rest -= weights[numbers] @ found.components
        rms = float(np.sqrt(np.mean(rest**2)))
        tries, mean = {}, self._mean(found)
        for bits in (16, 8):
            coefficients, components, step = pca.quantise(found, weights, rms, bits)
            images = components.reshape(len(components), *self.setup.source.frame)
            basis = Basis(mean, images, step, self.setup.source.dtype)
            got = basis.frames(coefficients[numbers])
            tries[bits] = basis, coefficients, float(loss.measure(frames, got).mse.mean())
        least = tries[16][2]
        fine = tries[8][2] <= least * pca.RAISED and not self._bound
        basis, coefficients, _ = tries[8 if fine else 16]
        return Rounded(found=found, basis=basis, coefficients=coefficients)

    def _mean(self, found: pca.Fit) -> Pixels:
        """Return the mean, as float32 where that is as good."""
        mean = found.mean.reshape(self.setup.source.frame)
        with np.errstate(over="ignore"):
            short = mean.astype(np.float32)
        scale = np.abs(mean).max(initial=0) if self.setup.source.dtype.kind == "f" else 1.0
        fine = np.abs(short - mean).max(initial=0) <= 1e-6 * scale
        return short if fine or self.setup.source.dtype == np.float16 else mean

    def _batches(self, rounded: Rounded) -> Iterator[tuple[Pixels, Pixels]]:
        """Yield frames, and what the basis makes of them."""
        start = 0
        for frames in self.setup.source.batches(self.setup.chunk[0]):
            end = start + len(frames)
            yield frames, rounded.basis.frames(rounded.coefficients[start:end])
            start = end

    def _measured(self, rounded: Rounded) -> Rounded:
        """Find the error that readers will see."""
        parts, crcs = [], []
        for frames, got in self._batches(rounded):
            parts.append(loss.measure(frames, got))
            crcs.append(frame_crcs(got))
            self._tell_more(len(frames), "measuring")
        self._told = 0
        numbers = np.arange(self._frames)
        lost = loss.total([loss.join(parts)], numbers * 0, numbers, self.setup.source.dtype)
        return replace(rounded, lost=lost, crc32=np.concatenate(crcs))

    def _allowed(self, lost: loss.Loss) -> bool:
        """Return whether so much may be lost."""
        psnr = self.setup.options.target_psnr
        small = not self._bound or lost.max_error <= self._bound
        return small and (psnr is None or lost.psnr >= psnr)

    def _tell_more(self, frames: int, doing: str = "") -> None:
        """Tell that so many more frames are done."""
        self._told += frames
        self._tell(self._told, doing)

    def _write_residual(self, writer: PileWriter, rounded: Rounded) -> tuple[Recipe, list[Trial]]:
        """Code what the basis leaves."""
        setup, basis = self.setup, rounded.basis

        def take(numbers: Numbers) -> Pixels:
            return residual(setup.source.take(numbers), basis.frames(rounded.coefficients[numbers]))

        chooser = Chooser(
            wish=Wish(profile=setup.wish.profile), template=Recipe(), chunk=setup.chunk,
            pool=setup.crew.coding,
        )  # fmt: skip
        choice = chooser.choose(np.arange(self._frames), take)
        coder = setup.crew.coder(BlockCoder(choice.recipe, True))
        encoder = setup.crew.encoder(writer, coder, setup.chunk, block=self._tell_more)
        for frames, got in self._batches(rounded):
            encoder.add(residual(frames, got))
        encoder.finish()
        return choice.recipe, list(choice.trials)


def residual(frames: Pixels, rebuilt: Pixels) -> Pixels:
    """Return the words of frames less those of rebuilt ones, with half of their range added."""
    words = to_words(frames)
    half = words.dtype.type(1 << (8 * words.itemsize - 1))
    left: Pixels = words - to_words(rebuilt) + half
    return left
