"""Encoding of lpc: all samples are known, so whole frames are predicted at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .frames import Raster, fill_margin
from .model import (
    AROUND,
    AROUND_ERRORS,
    BASE_TAP,
    ENERGIES,
    ENERGY_WEIGHTS,
    FAMILY,
    INTRA,
    INTRA_TAPS,
    LEVEL_STARTS,
    LEVELS,
    MAX_DIFFERENCE,
    NEAR,
    NEAR_DIFFERENCES,
    NEAR_ERRORS,
    NEAR_OF_REFERRING,
    ONE,
    PHASES,
    SCALES,
    SHAPES,
    TAPS,
    Integers,
    Model,
    level_of,
    reference_of,
    write_configuration,
)
from .tables import PROB_BITS, PROBS, SYMBOLS, costs, frequencies, starts

FEATURES = TAPS
"""Of least squares: the taps less the base, and a constant."""
CONSTANT = 32
CLAMP = 2047
MOST_SEEN = 1 << 14
FEW = 2048
"""Least squares look at all steps where they would see fewer samples."""
FIRST_APART = 4
"""The first of two passes looks at every so many of the steps."""
MANY, COUNTED_APART = 1 << 18, 3
"""Of so many samples, symbols are counted in every so many steps."""
BUCKETS = (LEVELS + 1) // 2
"""Of expected error, two levels each."""
SHARES = {1: (), 2: (90,), 3: (60, 95), 4: (50, 90, 98)}
"""Per cent of samples that are below each threshold of the classes."""
STATE_LEAST = 1 << 15
MOST_ROWS = 1 << 17
"""Samples that least squares look at at once."""
MOST_LANES = 1 << 22
"""Samples of the frames whose packets are coded at once."""


def encode(
    plane: Integers, bits: int, references: int, classes: int, row_step: int, passes: int
) -> tuple[list[bytes], bytes]:
    """Return a packet for each frame, and the configuration of the stream.

    Parameters
    ----------
    plane
        ``(n, H, W)``, uint8 or uint16, all values below ``1 << bits``.
    bits
        Of a sample, 1 to 16.
    references
        How frames refer to each other: 0 not, 1 to the one before, 2 to the centre of their run.
    classes
        Coefficient sets that samples choose among, 1 to 4.
    row_step
        Least squares look at every so many steps of a frame.
    passes
        2: least squares again, weighted by the errors that the first left.
    """
    encoder = _Encoder(plane, bits, references, classes, 2 if passes == 1 else 1)
    if encoder.model.classes > 1:
        encoder.choose_thresholds()
    for number in range(passes):
        first = number == 0
        encoder.choose_coefficients(row_step * (FIRST_APART if first and passes > 1 else 1), first)
        encoder.model_frames()
    encoder.choose_families()
    packets = list(encoder.packets())
    return packets, write_configuration(encoder.model)


class _Encoder:
    """A stream while it is encoded."""

    def __init__(
        self, plane: Integers, bits: int, references: int, classes: int, states: int
    ) -> None:
        count, height, width = plane.shape
        self.raster = raster = Raster(height, width)
        self.half = 1 << (bits - 1)
        if count == 1:
            references = INTRA
        if references == INTRA:
            classes = 1
        self.references = [reference_of(references, t, count) for t in range(count)]
        self.samples = raster.zeros(count)
        raster.inside(self.samples)[...] = plane.astype(np.int32) - self.half
        first = self.samples[:, 2, 2]
        fill_margin(self.samples, np.array([first[r] if r >= 0 else 0 for r in self.references]))
        self.differences = raster.zeros(count)
        for t, r in enumerate(self.references):
            if r >= 0:
                now, before = (raster.inside(self.samples[i]).astype(np.int32) for i in (t, r))
                apart = np.minimum(np.abs(now - before), MAX_DIFFERENCE)
                raster.inside(self.differences[t])[...] = apart
        fill_margin(self.differences, 0)
        self.errors = raster.zeros(count)
        coding = np.zeros((count, height * width), np.uint8)
        self.contexts, self.symbols = coding, coding.copy()  # in the order of coding
        self.bases = np.zeros(coding.shape, np.int16)
        self.counts = np.zeros((2 * LEVELS, PHASES * SYMBOLS), np.int64)
        self.model = self._empty_model(bits, references, classes, states)

    def _empty_model(self, bits: int, references: int, classes: int, states: int) -> Model:
        """A model that has all but what is chosen by least squares and by costs."""
        while states < 32 and self.raster.height * self.raster.width >> 10 >= 2 * states:
            states *= 2
        return Model(
            bits, references, states, self._error_shift(), classes, [],
            np.zeros((2, classes, TAPS + 1), np.int64), np.full((2, LEVELS), FAMILY),
        )  # fmt: skip

    def _error_shift(self) -> int:
        """Units of errors: so that some 8 times the mean difference of neighbours can be told."""
        raster = self.raster
        place = (raster.step_of % 5 == 1).reshape(raster.height, raster.width)
        left = place & (np.arange(raster.width) > 0)
        total = count = 0
        for t, reference in enumerate(self.references):
            now = raster.inside(self.samples[t]).astype(np.int64)
            if reference >= 0:
                other, chosen = raster.inside(self.samples[reference]), place
            else:
                other, chosen = raster.inside(self.samples[t], (0, -1)), left
            total += int(np.abs(now - other)[chosen].sum())
            count += int(chosen.sum())
        shift = 0
        while shift < 8 and total >> shift > 16 * count:
            shift += 1
        return shift

    def _activity(self, t: int) -> Integers:
        """Return the sum of differences around each sample, in raster order."""
        return sum(
            (self.raster.inside(self.differences[t], away) for away in NEAR_DIFFERENCES),
            np.zeros((self.raster.height, self.raster.width), np.int64),
        ).ravel()

    def choose_thresholds(self) -> None:
        """Choose by shares of the activity that samples of some steps have."""
        raster, model = self.raster, self.model
        steps = len(self.samples) * raster.steps
        apart = 1 + steps * int(raster.step_sizes.max()) // MOST_SEEN
        step = raster.step_of[raster.order]
        seen = [np.zeros(0, np.int64)]
        for t, reference in enumerate(self.references):
            if reference >= 0:
                chosen = (t * raster.steps + step) % apart == 0
                seen.append(self._activity(t)[raster.order][chosen])
        found = np.sort(np.concatenate(seen)[:MOST_SEEN])
        for share in SHARES[model.classes]:
            value = int(found[len(found) * share // 100]) if len(found) else 0
            model.thresholds.append(max(value, (model.thresholds or [0])[-1] + 1))

    def _taps(self, t: int) -> Integers:
        """Return the taps of a frame: ``(taps, samples)``, in raster order."""
        raster, reference = self.raster, self.references[t]
        own = self.samples[t]
        if reference < 0:
            found = [raster.inside(own, away) for away in NEAR]
        else:
            before, second = self.samples[reference], self.references[reference]
            found = [raster.inside(own, away) for away in NEAR[:NEAR_OF_REFERRING]]
            found += [raster.inside(before, away) for away in AROUND]
            found.append(raster.inside(self.samples[second if second >= 0 else reference]))
        return np.stack(found).reshape(len(found), -1)

    def _class_of(self, t: int) -> Integers:
        """Return the class of each sample of a frame, in raster order."""
        if self.references[t] < 0 or self.model.classes == 1:
            return np.zeros(self.raster.height * self.raster.width, np.int64)
        activity = self._activity(t)
        return sum((activity >= threshold for threshold in self.model.thresholds), 0 * activity)

    def choose_coefficients(self, row_step: int, first: bool) -> None:
        """Choose the coefficients of each kind and class by least squares.

        Samples that were hard to predict before count for less, unless it is the `first` time.
        """
        model, size = self.model, FEATURES + 1
        for kind in range(2):
            frames = [t for t, r in enumerate(self.references) if (r >= 0) == bool(kind)]
            few = len(frames) * self.raster.height * self.raster.width // row_step < FEW
            moments = np.zeros((model.classes, BUCKETS, size, size))
            counts = np.zeros((model.classes, BUCKETS), np.int64)
            for t in frames:
                self._add_moments(t, 1 if few else row_step, first, moments, counts)
            for number in range(model.classes if kind else 1):
                total, count = _weighted(moments[number], counts[number].tolist())
                model.coefficients[kind, number] = _quantise(
                    total, count, TAPS if kind else INTRA_TAPS, BASE_TAP[kind > 0]
                )

    def _add_moments(
        self, t: int, apart: int, first: bool, moments: Integers, counts: Integers
    ) -> None:
        """Add a frame's products to those of each class and bucket."""
        raster = self.raster
        chosen = np.flatnonzero(raster.step_of % apart == t * 7 % apart)
        taps, part = self._taps(t), self._class_of(t) * BUCKETS
        if not first:
            part[raster.order] += self.contexts[t] // PHASES // 2
        sample = raster.inside(self.samples[t]).ravel()
        for some in np.array_split(chosen, 1 + len(chosen) // MOST_ROWS):
            rows = _features(taps[:, some], sample[some], BASE_TAP[self.references[t] >= 0])
            for number in np.unique(part[some]):
                mine = rows[:, part[some] == number]
                where = divmod(int(number), BUCKETS)
                moments[where] += mine @ mine.T
                counts[where] += mine.shape[1]

    def _predict(self, t: int) -> Integers:
        """Return the prediction of each sample in 1/16, in raster order."""
        model, taps = self.model, self._taps(t)
        sets = model.coefficients[int(self.references[t] >= 0)].astype(np.int32)
        class_of = self._class_of(t)
        total: Integers = sets[class_of, TAPS] + np.int32(128)
        for k, tap in enumerate(taps):
            total += sets[class_of, k] * tap
        low, high = -(8 << model.bits), ((1 << (model.bits - 1)) - 1) * 16
        mean: Integers = np.minimum(np.maximum(total >> 8, low), high)
        return mean

    def _energy(self, t: int) -> Integers:
        """Return the expected error of each sample, in raster order."""
        raster, reference = self.raster, self.references[t]
        errors = [raster.inside(self.errors[t], away) for away in NEAR_ERRORS]
        if reference >= 0:
            errors += [raster.inside(self.errors[reference], away) for away in AROUND_ERRORS]
        weights = ENERGY_WEIGHTS[int(reference >= 0)].astype(np.int32)
        total = np.zeros((raster.height, raster.width), np.int32)
        for weight, error in zip(weights, errors, strict=False):
            total += weight * error
        return np.right_shift(total.ravel(), 5)

    def model_frames(self) -> None:
        """Predict all frames, and count their symbols; a reference comes before its frames."""
        self.counts[...] = 0
        for t in sorted(range(len(self.samples)), key=lambda t: (self.references[t] >= 0, t)):
            self.model_frame(t)

    def model_frame(self, t: int) -> None:
        """Predict a frame; note context and symbol of each sample, and count them."""
        model, raster = self.model, self.raster
        mean = self._predict(t) + 2
        sample = raster.inside(self.samples[t]).ravel().astype(np.int32)
        base, fraction = mean >> 4, mean & 15
        off = np.abs(16 * (sample - base) - (fraction - 2)) >> model.error_shift
        error = np.minimum(off, ENERGIES - 1).reshape(raster.height, raster.width)
        raster.inside(self.errors[t])[...] = error
        fill_margin(self.errors[t], 16 >> model.error_shift)
        level = level_of()[self._energy(t)]
        shift = model.shifts()[level]
        symbol = (((sample - base) + ((1 << shift) >> 1)) >> shift) + 128
        symbol[(symbol < 1) | (symbol >= SYMBOLS)] = 0
        context = PHASES * level + np.where(shift > 0, 0, fraction >> 2)
        for coding, values in (
            (self.contexts, context), (self.symbols, symbol), (self.bases, base),
        ):  # fmt: skip
            coding[t] = values[raster.order]
        kind = int(self.references[t] >= 0)
        coded = context * SYMBOLS + symbol
        if self.samples.shape[0] * len(sample) >= MANY:
            coded = coded[(raster.step_of + t) % COUNTED_APART == 0]
        seen = np.bincount(coded, minlength=LEVELS * PHASES * SYMBOLS)
        self.counts[kind * LEVELS : (kind + 1) * LEVELS] += seen.reshape(LEVELS, -1)

    def choose_families(self) -> None:
        """Choose for each level the distribution that codes it in the fewest bits."""
        for context in np.flatnonzero(self.counts.sum(axis=1)):
            count = self.counts[context]
            seen = np.flatnonzero(count)
            cost = costs(self.model.bits)[:, seen] @ count[seen]
            family = _cheapest(cost.tolist(), _near_scale(count))
            self.model.families[context // LEVELS, context % LEVELS] = family

    def packets(self) -> Iterator[bytes]:
        """Yield the packet of each frame."""
        samples = self.symbols.shape[1]
        some = max(1, MOST_LANES // samples)
        for first in range(0, len(self.symbols), some):
            frames = range(first, min(first + some, len(self.symbols)))
            rows = np.stack([self._rows(t) for t in frames])
            raws = [self._raw(t, row) for t, row in zip(frames, rows, strict=True)]
            symbols = self.symbols[frames.start : frames.stop]
            coded = _code(rows, symbols, self.raster.step_sizes, self.model.states)
            for head, raw in zip(coded, raws, strict=True):
                yield head + raw[::-1]

    def _rows(self, t: int) -> Integers:
        """Return the distribution of each sample of a frame, in the order of coding."""
        families = self.model.families[int(self.references[t] >= 0)]
        families = np.where(families < FAMILY, families, 0)  # none was counted, but may be
        context = self.contexts[t].astype(np.int64)
        rows: Integers = families[context // PHASES] * PHASES + context % PHASES
        return rows

    def _raw(self, t: int, rows: Integers) -> bytes:
        """Return low bits and escaped samples; symbols that no slot holds become escapes."""
        symbol, bits, raster = self.symbols[t], self.model.bits, self.raster
        symbol[frequencies()[rows, symbol] == 0] = 0
        shift = self.model.shifts()[self.contexts[t] // PHASES]
        escaped = symbol == 0
        count = np.where(escaped, bits, shift)
        some = np.flatnonzero(count)
        if not len(some):
            return b""
        sample = raster.inside(self.samples[t]).ravel()[raster.order[some]].astype(np.int64)
        shift, count = shift[some], count[some]
        low = (sample - self.bases[t][some] + ((1 << shift) >> 1)) & ((1 << shift) - 1)
        value = np.where(escaped[some], sample + self.half, low)
        ends = np.cumsum(count)
        bit = np.arange(ends[-1]) - np.repeat(ends - count, count)
        return np.packbits(np.repeat(value, count) >> bit & 1, bitorder="little").tobytes()


def _features(taps: Integers, sample: Integers, base: int) -> Integers:
    """Return what least squares look at: whole numbers, so that sums of products are exact."""
    middle = taps[base].astype(np.int32)
    rows = np.zeros((FEATURES + 1, len(sample)))
    rows[: len(taps) - 1] = np.delete(taps, base, 0) - middle
    rows[-1] = sample - middle
    np.clip(rows, -CLAMP, CLAMP, out=rows)
    rows[-2] = CONSTANT
    return rows


def _weighted(moments: Integers, counts: list[int]) -> tuple[Integers, float]:
    """Return the sum of buckets, weighted by the inverse square of their errors."""
    total, count, least = np.zeros(moments.shape[1:]), 0.0, 0
    for bucket in range(BUCKETS):
        if counts[bucket]:
            error = 8 + LEVEL_STARTS[2 * bucket]
            least = least or error
            weight = (least / error) * (least / error)
            total += weight * moments[bucket]
            count += weight * counts[bucket]
    return total, count


def _solve(moments: Integers, count: float) -> list[float] | None:
    """Solve the normal equations by Cholesky's method, in the order that all encoders follow."""
    ridge = count / 1024 + 1
    sums = moments.tolist()
    lower = [[0.0] * FEATURES for _ in range(FEATURES)]
    for i in range(FEATURES):
        for j in range(i + 1):
            total = sums[i][j] + (ridge if i == j else 0.0)
            for k in range(j):
                total -= lower[i][k] * lower[j][k]
            if i != j:
                lower[i][j] = total / lower[j][j]
            elif total <= 1e-6:
                return None
            else:
                lower[i][i] = math.sqrt(total)
    z = [0.0] * FEATURES
    for i in range(FEATURES):
        total = sums[FEATURES][i]
        for k in range(i):
            total -= lower[i][k] * z[k]
        z[i] = total / lower[i][i]
    x = [0.0] * FEATURES
    for i in reversed(range(FEATURES)):
        total = z[i]
        for k in range(i + 1, FEATURES):
            total -= lower[k][i] * x[k]
        x[i] = total / lower[i][i]
    return x


def _quantise(moments: Integers, count: float, taps: int, base: int) -> Integers:
    """Return a coefficient set; the base tap alone where least squares give none that fits."""
    found = np.zeros(TAPS + 1, np.int64)
    found[base] = ONE
    x = _solve(moments, count) if count else None
    if x is None:
        return found
    weights = [x[k] * ONE + 0.5 for k in range(taps - 1)]
    offset = x[-1] * CONSTANT * ONE + 0.5
    if not all(abs(value) < 1 << 40 for value in [*weights, offset]):  # or not a number
        return found
    whole = [math.floor(weight) for weight in weights]
    whole.insert(base, ONE - sum(whole))
    shift = math.floor(offset)
    fits = all(abs(weight) < 32768 for weight in whole) and sum(map(abs, whole)) <= 32767
    if fits and abs(shift) < 1 << 28:
        found[:taps] = whole
        found[TAPS] = shift
    return found


def _near_scale(count: Integers) -> int:
    """Return the scale that fits the mean size of residuals: a first guess."""
    symbol, phase = np.arange(SYMBOLS), np.arange(PHASES)[:, None]
    size = np.abs(16 * (symbol - 128) - 4 * phase).ravel()
    width = int(count @ size) * 160 // 14 // int(count.sum())
    near, least = 0, 10
    while least < width and near < SCALES - 1:
        least += least // 5
        near += 1
    return near


def _cheapest(cost: list[int], near: int) -> int:
    """Walk down the costs of each shape from a scale; return the best family."""
    found = []
    for shape in range(SHAPES):
        of = cost[shape * SCALES : (shape + 1) * SCALES]
        centre, step = near, 2
        while step:
            around = (to for to in (centre - step, centre + step) if 0 <= to < SCALES)
            better = next((to for to in around if of[to] < of[centre]), None)
            if better is None:
                step //= 2
            else:
                centre = better
        found.append(shape * SCALES + centre)
    return min(found, key=cost.__getitem__)


def _code(rows: Integers, symbols: Integers, sizes: Integers, states: int) -> Iterator[bytes]:
    """Code the symbols of frames by rANS, the last one first; yield states and words."""
    frames = len(rows)
    groups = -(-sizes // states)  # of each step: so many samples at once as there are states
    number = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.repeat(np.cumsum(groups) - groups, sizes) * states + number
    count, total = int(groups.sum()), int(groups.sum()) * states
    frequency = np.full((frames, total), PROBS, np.uint32)  # what is not there changes nothing
    start = np.zeros((frames, total), np.uint32)
    frequency[:, place] = frequencies()[rows, symbols]
    start[:, place] = starts()[rows, symbols]
    lanes = (frames, count, states)
    by_group = [np.moveaxis(v.reshape(lanes), 1, 0).copy() for v in (frequency, start)]
    words = np.zeros((count, frames, states), np.uint16)
    put = np.zeros(words.shape, bool)
    x = np.full((frames, states), STATE_LEAST, np.uint32)
    for group in reversed(range(count)):
        f, before = (values[group] for values in by_group)
        full = x >= f << np.uint32(31 - PROB_BITS)
        words[group], put[group] = x & 0xFFFF, full
        x = np.where(full, x >> 16, x)
        x = x + before + x // f * (PROBS - f)
    for t in range(frames):
        found = words[:, t][put[:, t]]
        yield x[t].astype("<u4").tobytes() + found.astype("<u2").tobytes()
