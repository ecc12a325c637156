"""Packing the packets of a video file as they came, each block proved by decoding it."""

from __future__ import annotations

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
from ..pool import in_order
from ..shapes import Pixels
from ..similar.fingerprints import Fingerprints, fingerprint
from ..similar.typical import TypicalFrame
from ..sources.video.packets import ANEW, Packets
from .coders import BlockCoder
from .columns import FingerprintColumns
from .packing import Packed, Packing, Setup, given_order


class PacketPacking(Packing):
    """One pile in order, of packets that are copied.

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
        source, workers = self.setup.source, self.setup.crew.size
        hashes, run = self.setup.options.hashes, self._packets.run
        options = BlockCoder(Recipe(), verify=True).options()  # for blocks that others append
        pile = self.setup.writer.add_pile(h264.AS_THEY_CAME, options)

        def prove(pair: tuple[list[bytes], Pixels]) -> tuple[bytes, Pixels, Fingerprints]:
            return self._proved(*pair), pair[1], fingerprint(pair[1], hashes=hashes)

        columns, typical, done = FingerprintColumns(hashes), TypicalFrame(), 0
        pairs = zip_longest(self._packets.runs(), source.batches(run))
        with ThreadPoolExecutor(workers, "h5vidstack-copy") as pool:
            for data, frames, found in in_order(pool, prove, pairs, workers):
                columns.extend(found)
                typical.add(frames)
                pile.extend(done + len(frames))
                pile.write_block((done, *(0 for _ in source.frame)), data)
                done += len(frames)
                self._tell(done)
        prints = columns.joined(source.name)
        return Packed(
            order=given_order(len(prints), typical.number), prints=prints, loss=NO_LOSS,
            trials=[[]], sentence="time order, packets copied", codings=[h264.AS_THEY_CAME],
        )  # fmt: skip

    def _proved(self, packets: list[bytes] | None, frames: Pixels | None) -> bytes:
        """Return the block of some packets, or raise an error unless it decodes to these frames."""
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
        return data

    def _where(self, how: object) -> str:
        return (
            f"{self.setup.source.name}: a GOP decodes differently alone than within the file "
            f"({how}); the file may be damaged"
        )
