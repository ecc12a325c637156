"""Decoding of lpc: many frames at once, each some steps behind the one that it refers to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import BlockError
from .frames import Raster
from .model import (
    AROUND,
    AROUND_ERRORS,
    ENERGIES,
    ENERGY_WEIGHTS,
    INTRA_TAPS,
    MAX_DIFFERENCE,
    NEAR,
    NEAR_DIFFERENCES,
    NEAR_ERRORS,
    NEAR_OF_REFERRING,
    TAPS,
    Integers,
    Model,
    level_of,
    read_configuration,
    reference_of,
)
from .tables import IDENTITY, PROB_BITS, PROBS, slots

Packet = bytes | memoryview

LAG = 4
"""A frame can decode a step when its reference has decoded three steps more."""
STATE_LEAST = 1 << 15


def decode(
    packets: Sequence[Packet], configuration: bytes, bits: int, out: Integers, first: int = 0
) -> None:
    """Decode the frames of a stream from `first` on into `out`.

    Parameters
    ----------
    packets
        One for each frame of the stream, at least ``first + len(out)``.
    configuration
        The stream's.
    bits
        Of a sample, 1 to 16.
    out
        ``(k, H, W)``, uint8 or uint16: room for frames `first` to ``first + k - 1``.
    first
        The first frame that is wanted. Others are decoded only as far as those need them.

    Raises
    ------
    BlockError
        If the stream is damaged.
    """
    model = read_configuration(bytes(configuration), bits)
    wanted = range(first, first + len(out))
    if len(packets) < wanted.stop:
        raise BlockError(f"an lpc stream has {len(packets)} packets for {wanted.stop} frames")
    references = [reference_of(model.references, t, len(packets)) for t in range(len(packets))]
    frames = _needed(references, wanted)
    if not frames:
        return
    place = {t: i for i, t in enumerate(frames)}
    reference = np.array([place.get(references[t], i) for i, t in enumerate(frames)])
    decoder = _Decoder(model, Raster(*out.shape[1:]), reference, [packets[t] for t in frames])
    decoder.run()
    samples = decoder.raster.inside(decoder.planes[0])
    half = 1 << (bits - 1)
    for t, frame in zip(frames, samples, strict=True):
        if t in wanted:
            out[t - first] = (frame.astype(np.int32) + half).astype(out.dtype)


def _needed(references: list[int], wanted: range) -> list[int]:
    """Return the frames to decode for those that are wanted, ordered by when they can begin."""
    depth: dict[int, int] = {}
    for t in wanted:
        chain = [t]
        while chain[-1] not in depth:
            reference = references[chain[-1]]
            if reference < 0:
                depth[chain[-1]] = 0
            else:
                chain.append(reference)
        for one, reference in zip(chain[-2::-1], chain[:0:-1], strict=True):
            depth[one] = depth[reference] + 1
    return sorted(depth, key=lambda t: (depth[t], t))


class _Packets:
    """The packets of some frames: states of rANS, words, and raw bits, read step by step."""

    def __init__(self, packets: Sequence[Packet], states: int) -> None:
        parts = [_split(bytes(packet), states) for packet in packets]
        self.states = np.array([part[0] for part in parts], np.uint32).reshape(-1, states)
        # Behind the words of a packet come zeros, as many as are read before the end is seen.
        lengths = np.array([len(part[1]) for part in parts])
        self.word_end = np.cumsum(lengths + states) - states
        self.word_at = self.word_end - lengths
        self.word_begin = self.word_at.copy()
        pad = np.zeros(states, np.uint32)
        self.words = np.concatenate([piece for part in parts for piece in (part[1], pad)])
        self.late = np.zeros(len(parts), bool)  # words were read that are not there
        self.sizes = np.array([len(part[2]) for part in parts])
        self.bit_end = 8 * np.cumsum(self.sizes)
        self.bit_at = self.bit_end - 8 * self.sizes
        self.bit_begin = self.bit_at.copy()
        raw = np.frombuffer(b"".join(part[2] for part in parts) + bytes(4), np.uint8)
        byte = [raw[i : len(raw) - 3 + i].astype(np.uint32) << np.uint32(8 * i) for i in range(4)]
        self.windows = byte[0] | byte[1] | byte[2] | byte[3]  # 32 bits from each byte on

    def symbols(self, batch: slice, tables: Integers) -> Integers:
        """Decode a step of a batch of frames: ``(groups, frames, states)`` of rows of slots."""
        entry, found = slots(), np.empty(tables.shape, np.uint32)
        least = np.where(tables == IDENTITY * PROBS, 0, STATE_LEAST).astype(np.uint32)
        x, at, end = self.states[batch], self.word_at[batch], self.word_end[batch]
        for group, table in enumerate(tables):
            slot = entry.take(table + (x & (PROBS - 1)))
            x = ((slot >> 8 & (PROBS - 1)) + 1) * (x >> PROB_BITS) + (slot >> 20)
            low = x < least[group]
            place = low.cumsum(axis=1)
            word = self.words.take(at[:, None] + place - low)
            x = np.where(low, x << 16 | word, x)
            at = at + place[:, -1]
            self.late[batch] |= at > end
            at = np.minimum(at, end)
            found[group] = slot
        self.states[batch], self.word_at[batch] = x, at
        return found & 255

    def raw(self, batch: slice, owner: Integers, counts: Integers) -> Integers:
        """Read so many bits of the packet of each sample's frame in the batch."""
        ends = np.cumsum(counts)
        totals = np.bincount(owner, counts, len(self.bit_at[batch])).astype(np.int64)
        shift = self.bit_at[batch] - (np.cumsum(totals) - totals)
        self.bit_at[batch] += totals
        if (self.bit_at[batch] > self.bit_end[batch]).any():
            raise BlockError("an lpc stream is damaged: a packet ends within its raw bits")
        at = ends - counts + shift[owner]
        window = self.windows[at >> 3] >> (at & 7).astype(np.uint32)
        found: Integers = window & ((1 << counts) - 1)
        return found

    def check_end(self) -> None:
        """Refuse packets that did not end where their encoder began."""
        words, bits = self.word_at - self.word_begin, self.bit_at - self.bit_begin
        good = ~self.late & (2 * words + (bits + 7) // 8 == self.sizes)
        if not good.all() or (self.states != STATE_LEAST).any():
            raise BlockError("an lpc stream is damaged: a packet ends too early or too late")


def _split(packet: bytes, states: int) -> tuple[Integers, Integers, bytes]:
    """Return states of a packet, then the rest: as words, and as raw bytes from its end."""
    head = 4 * states
    if len(packet) < head:
        raise BlockError("an lpc stream is damaged: a packet is too short")
    rest = packet[head:]
    words = np.frombuffer(rest, "<u2", len(rest) // 2) if len(rest) > 1 else np.zeros(0)
    return np.frombuffer(packet, "<u4", states), words.astype(np.uint32), rest[::-1]


class _Decoder:
    """Some frames, ordered by when they can begin; `reference` is the place of each one's own."""

    def __init__(
        self, model: Model, raster: Raster, reference: Integers, packets: list[Packet]
    ) -> None:
        self.model, self.raster = model, raster
        self.packets = _Packets(packets, model.states)
        own = np.arange(len(reference))
        self.referring = reference != own
        self.base = own * raster.cells
        self.to_reference = (reference - own) * raster.cells
        second = np.where(self.referring[reference], reference[reference], reference)
        self.to_second = (second - own) * raster.cells
        lag, self.begin = min(LAG, raster.steps), np.zeros(len(own), np.int64)
        for i in np.flatnonzero(self.referring):
            self.begin[i] = self.begin[reference[i]] + lag
        self.planes = np.stack([raster.zeros(len(own))] * 3)  # samples, errors, differences
        self.planes[1] = 16 >> model.error_shift
        self.flat = self.planes.reshape(3, -1)
        self._prepare_offsets()
        self._prepare_margin()
        self._prepare_tables()

    def _prepare_offsets(self) -> None:
        """Find where, from a sample on, lies what it is predicted from."""
        cells, raster = self.flat.shape[1], self.raster
        errors, differences = cells, 2 * cells
        self.near = np.concatenate([
            raster.offsets(NEAR),
            errors + raster.offsets(NEAR_ERRORS),
            differences + raster.offsets(NEAR_DIFFERENCES),
        ])  # fmt: skip
        self.around = np.concatenate([
            raster.offsets(AROUND), errors + raster.offsets(AROUND_ERRORS)
        ])  # fmt: skip

    def _prepare_margin(self) -> None:
        """For each step: the cells of the margin that become known, and what they repeat."""
        raster, source = self.raster, self.raster.sources()
        self.before = np.flatnonzero(source < 0)
        steps = np.full(raster.cells, -1)
        raster.inside(steps.reshape(raster.rows, -1))[...] = raster.step_of.reshape(
            raster.height, -1
        )
        to = np.flatnonzero((source >= 0) & (steps < 0))
        to = to[np.argsort(steps[source[to]], kind="stable")]
        step = steps[source[to]]
        counts = np.bincount(step, minlength=raster.steps)
        column = np.arange(len(to)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.margin = np.zeros((2, raster.steps, counts.max()), np.int64)  # 0 to 0: no harm
        self.margin[:, step, column] = to, source[to]

    def _prepare_tables(self) -> None:
        """Tables by class sum, by energy, by kind and class."""
        model = self.model
        sums = np.arange(4 * MAX_DIFFERENCE + 1)
        self.class_of = sum((sums >= t for t in model.thresholds), np.zeros(len(sums), np.int64))
        level = level_of()
        shift = model.shifts()
        self.shift = shift[level]
        self.row = (model.families[:, level] * 4).ravel()
        self.phases = np.tile(np.where(self.shift > 0, 0, 3), 2)
        # All frames have the same taps here: in the frame, around, and in the second.
        taps = np.zeros((2, model.classes, INTRA_TAPS + len(AROUND) + 1), np.int32)
        taps[0, :, :INTRA_TAPS] = model.coefficients[0, :, :INTRA_TAPS]
        taps[1:, :, :NEAR_OF_REFERRING] = model.coefficients[1:, :, :NEAR_OF_REFERRING]
        taps[1:, :, INTRA_TAPS:] = model.coefficients[1:, :, NEAR_OF_REFERRING:TAPS]
        self.taps = np.ascontiguousarray(taps.reshape(-1, taps.shape[-1]).T)
        self.offset = model.coefficients[..., TAPS].ravel().astype(np.int32) + 128

    def run(self) -> None:
        """Decode all frames."""
        steps = self.raster.steps
        begun = 0
        for now in range(int(self.begin.max(initial=-1)) + steps):
            first = int(np.searchsorted(self.begin, now - steps, side="right"))
            last = int(np.searchsorted(self.begin, now, side="right"))
            for i in range(begun, last):
                if self.referring[i]:
                    cell = self.base[i] + self.to_reference[i] + self.raster.step_starts[0]
                    self.flat[0, self.base[i] + self.before] = self.flat[0, cell]
            begun = last
            if first < last:
                self._decode_step(slice(first, last), now - self.begin[first:last])
        self.packets.check_end()

    def _decode_step(self, batch: slice, steps: Integers) -> None:
        """Decode a step of each frame of a batch."""
        model, raster = self.model, self.raster
        counts = raster.step_sizes[steps]
        ends = np.cumsum(counts)
        owner = np.repeat(np.arange(len(steps)), counts)
        number = np.arange(ends[-1]) - (ends - counts)[owner]  # of a sample in its step
        starts = self.base[batch] + raster.step_starts[steps]
        own = starts[owner] + number * (raster.pitch - 2)
        reference = own + self.to_reference[batch][owner]
        flat = self.flat.reshape(-1)
        near, around = flat.take(own + self.near), flat.take(reference + self.around)
        second = flat.take(own + self.to_second[batch][owner])
        referring = self.referring[batch][owner].astype(np.int64)

        middle = INTRA_TAPS + len(NEAR_ERRORS)
        errors = np.concatenate([near[INTRA_TAPS:middle], around[len(AROUND) :]])
        energies = (ENERGY_WEIGHTS @ errors.astype(np.float32)).astype(np.int64) >> 5
        energy = np.where(referring, energies[1], energies[0])
        kind = self.class_of[near[middle:].sum(axis=0, dtype=np.int64)]
        coding = referring * model.classes + kind
        taps = np.concatenate([near[:INTRA_TAPS], around[: len(AROUND)], second[None]])
        total = (self.taps.take(coding, axis=1) * taps).sum(axis=0, dtype=np.int32) + self.offset[
            coding
        ]
        low, high = -(8 << model.bits), ((1 << (model.bits - 1)) - 1) * 16
        mean = np.minimum(np.maximum(total >> 8, low), high) + 2

        context = referring * ENERGIES + energy
        table = (self.row[context] + (self.phases[context] & (mean & 15) >> 2)) * PROBS
        symbol = self._symbols(batch, owner, number, int(counts.max()), table)
        sample = self._samples(batch, owner, symbol, mean >> 4, self.shift[energy])
        flat[own] = sample
        off = np.abs(16 * (sample - (mean >> 4)) - ((mean & 15) - 2)) >> model.error_shift
        self.flat[1, own] = np.minimum(off, ENERGIES - 1)
        apart = np.abs(sample - flat[reference].astype(np.int32))
        self.flat[2, own] = np.minimum(apart, MAX_DIFFERENCE)
        to, source = self.margin[:, steps] + self.base[batch][:, None]
        self.flat[:, to] = self.flat[:, source]

    def _symbols(
        self, batch: slice, owner: Integers, number: Integers, longest: int, table: Integers
    ) -> Integers:
        """Decode a symbol for each sample, from the table of each."""
        states, frames = self.model.states, batch.stop - batch.start
        groups = -(-longest // states)
        tables = np.full(groups * frames * states, IDENTITY * PROBS)
        place = number // states * (frames * states) + owner * states + number % states
        tables[place] = table
        symbols = self.packets.symbols(batch, tables.reshape(groups, frames, states))
        found: Integers = np.take(symbols, place)
        return found

    def _samples(
        self, batch: slice, owner: Integers, symbol: Integers, base: Integers, shift: Integers
    ) -> Integers:
        """Return samples by their symbols and what is raw of them."""
        residual = symbol.astype(np.int32) - 128
        if self.model.bits <= 8 and symbol.all():
            sample = base + residual
        else:
            bits = self.model.bits
            raw = self.packets.raw(batch, owner, np.where(symbol == 0, bits, shift))
            coded = base + residual * (1 << shift) + raw - ((1 << shift) >> 1)
            sample = np.where(symbol == 0, raw - (1 << (bits - 1)), coded)
        return sample.astype(np.int16).astype(np.int32)
