"""Packing the packets of a video file as they came, each block proved by decoding it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from ..codecs import block, h264, value_map
from ..codecs.block_format import Block, Stream, seal
from ..codecs.loss import NO_LOSS
from ..codecs.recipe import Recipe
from ..codecs.registry import CODECS
from ..codecs.transforms import Colour, Predictor
from ..errors import BlockError, NotExactError, UnsupportedError
from ..layout.writer import Order, PileWriter
from ..pool import in_order
from ..shapes import Pixels, frame_bytes
from ..similar.fingerprints import Fingerprints, fingerprint
from ..similar.typical import TypicalFrame
from ..sources.video.packets import ANEW, Packets
from .coders import BlockCoder
from .columns import FingerprintColumns
from .packing import Packed, Packing, Setup

AHEAD_BYTES = 256 << 20
"""Most bytes of frames that wait to be compared, besides those of one block."""


class PacketPacking(Packing):
    """Packets that are copied: one pile, or several where blocks have several lengths.

    Parameters
    ----------
    setup
        Its source gives the frames that the file decodes to.
    packets
        The same, coded.
    """

    def __init__(self, setup: Setup, packets: Packets) -> None:
        super().__init__(setup)
        self._packets = packets
        self._count = packets.count

    def run(self) -> Packed:
        """Copy everything."""
        setup, packets, piles = self.setup, self._packets, self._packets.piles
        frame, hashes = setup.source.frame, setup.options.hashes
        written = [self._add_pile(blocks) for blocks in piles]
        places = {
            block: (pile, number * packets.lengths[blocks[0]])
            for pile, blocks in enumerate(piles)
            for number, block in enumerate(blocks)
        }

        def prove(
            pair: tuple[list[bytes] | None, Pixels | None],
        ) -> tuple[bytes, Pixels, Fingerprints]:
            data, frames = self._proved(*pair)
            return data, frames, fingerprint(frames, hashes=hashes)

        columns, done = FingerprintColumns(hashes), 0
        typicals = [TypicalFrame() for _ in piles]
        size = packets.longest * frame_bytes(frame, setup.source.dtype.itemsize)
        ahead = max(0, min(setup.crew.size, AHEAD_BYTES // size))
        pairs = zip_longest(packets.runs(), self._frames())
        with ThreadPoolExecutor(setup.crew.size, "h5vidstack-copy") as pool:
            proved = enumerate(in_order(pool, prove, pairs, ahead))
            for block_number, (data, frames, prints) in proved:
                pile, position = places[block_number]
                columns.extend(prints)
                typicals[pile].add(frames)
                written[pile].write_block((position, *(0 for _ in frame)), data)
                done += len(frames)
                self._tell(done)
        prints = columns.joined(setup.source.name)
        return Packed(
            order=self._order(len(prints), typicals), prints=prints, loss=NO_LOSS,
            trials=[[] for _ in piles],
            sentence=f"time order, packets copied{self._how_many(len(piles))}",
            codings=[h264.AS_THEY_CAME] * len(piles),
        )  # fmt: skip

    def _add_pile(self, blocks: Sequence[int]) -> PileWriter:
        """Make room for some blocks, all as long as the first but the last."""
        lengths = [self._packets.lengths[block] for block in blocks]
        options = BlockCoder(Recipe(), verify=True).options()  # for blocks that others append
        pile = self.setup.writer.add_pile(
            h264.AS_THEY_CAME, options, chunk=(lengths[0], *self.setup.source.frame)
        )
        pile.extend(sum(lengths))
        return pile

    def _frames(self) -> Iterator[Pixels]:
        """Yield the frames of each block, and then those that no packets came for."""
        source = self.setup.source
        for length in (*self._packets.lengths, 1):
            yield from itertools.islice(source.batches(length), 1)

    def _order(self, count: int, typicals: Sequence[TypicalFrame]) -> Order:
        """Return where the frames are."""
        lengths, piles = np.array(self._packets.lengths), self._packets.piles
        starts = np.cumsum(lengths) - lengths
        members = [
            np.concatenate([starts[block] + np.arange(lengths[block]) for block in blocks])
            for blocks in piles
        ]
        pile, position = np.empty((2, count), np.intp)
        for number, held in enumerate(members):
            pile[held], position[held] = number, np.arange(len(held))
        stand = [int(held[one.number]) for held, one in zip(members, typicals, strict=True)]
        return Order(pile, position, members, stand)

    @staticmethod
    def _how_many(piles: int) -> str:
        return f", in {piles} piles by the lengths of their blocks" if piles > 1 else ""

    def _proved(self, packets: list[bytes] | None, frames: Pixels | None) -> tuple[bytes, Pixels]:
        """Return the block of some packets, and the frames that it was proved to decode to."""
        if packets is None or frames is None or len(packets) != len(frames):
            raise UnsupportedError(
                f"{self.setup.source.name} has {self._packets.count} packets, but decodes to "
                f"another number of frames. {ANEW}"
            )
        depth = self._packets.depth
        stream = Stream(CODECS["x264"], 0, 0, depth, depth, b"", packets)
        values = replace(value_map.identity(frames.dtype), bits=depth)
        n, height, width, _ = whole = block.whole_shape(frames)
        made = Block(n, height, width, 1, values, Colour.NONE, Predictor.NONE, [stream])
        data = seal(made, frames.dtype)
        try:
            same = np.array_equal(block.decode(data, whole, frames.dtype), frames)
        except BlockError as error:
            raise NotExactError(f"{self._where(error)}. {ANEW}") from error
        if not same:
            raise NotExactError(f"{self._where('other pixels come out')}. {ANEW}")
        return data, frames

    def _where(self, how: object) -> str:
        return (
            f"{self.setup.source.name}: a GOP decodes differently alone than within the file "
            f"({how}); the file may be damaged"
        )
