"""The packets of a video file as blocks, as they came, each proved by decoding it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from ..choosing.planning import typical
from ..choosing.trials import Trial
from ..codecs import block, h264, value_map
from ..codecs.block_format import Block, Stream, seal
from ..codecs.loss import NO_LOSS, Loss
from ..codecs.recipe import Recipe
from ..codecs.registry import CODECS
from ..codecs.transforms import Colour, Predictor
from ..errors import BlockError, NotExactError, UnsupportedError
from ..layout.writer import Order, StackWriter
from ..pool import Progress, Step, in_order
from ..shapes import Pixels, frame_bytes
from ..similar.fingerprints import Fingerprints, fingerprint, join
from ..sources.source import Source
from ..sources.video.packets import ANEW, Packets
from .coders import BlockCoder

_CODED_ANEW = (
    "profile", "codec", "preset", "crf", "max_error", "tile", "components", "target_psnr", "exact",
    "explain", "resume", "no_verify", "executor", "scheduler",
)  # fmt: skip
"""Options that say how, or where, frames are coded, or that they need no proof."""


def check_copy(**options: object) -> None:
    """Raise UnsupportedError if options say how to code what is to be copied.

    Parameters
    ----------
    options
        Those of `pack`; None and False are no wish.
    """
    given = [name for name in _CODED_ANEW if options.get(name) not in (None, False)]
    if options.get("method") not in (None, "video"):
        given.append(f"method {options['method']}")
    if given:
        raise UnsupportedError(
            "copy keeps the packets of a video file as they are, in order, and proves each block: "
            f"it takes no {given[0].replace('_', '-')}"
        )


@dataclass
class Copying:
    """The packets of one file on their way into one pile; see `pack`.

    Attributes
    ----------
    store
        The frames that the file decodes to.
    packets
        The same, coded.
    in_given_order, codings, trials
        As of `packing.Packing`.
    """

    store: Source
    writer: StackWriter
    packets: Packets
    workers: int
    progress: Progress | None
    in_given_order: bool = True
    codings: list[str] = field(default_factory=lambda: [h264.AS_THEY_CAME])
    trials: list[list[Trial]] = field(default_factory=lambda: [[]])

    def run(self, hashes: bool) -> tuple[Order, Fingerprints, str]:
        """Copy everything; say where frames are, what they are, and why in that order."""

        def prove(pair: tuple[list[bytes], Pixels]) -> tuple[bytes, Fingerprints]:
            return self._proved(*pair), fingerprint(pair[1], hashes=hashes)

        options = BlockCoder(Recipe(), verify=True).options()  # for what others append
        pile = self.writer.add_pile(h264.AS_THEY_CAME, options)
        run, found, done = self.packets.run, list[Fingerprints](), 0
        pairs = zip_longest(self.packets.runs(), self.store.batches(run))
        with ThreadPoolExecutor(self.workers, "h5vidstack-copy") as pool:
            for data, prints in in_order(pool, prove, pairs, self.workers):
                found.append(prints)
                pile.extend(done + len(prints))
                pile.write_block((done, *(0 for _ in self.store.frame)), data)
                done += len(prints)
                raw = done * frame_bytes(self.store.frame, self.store.dtype.itemsize)
                if self.progress is not None:
                    self.progress(Step(done, self.packets.count, "", raw, pile.stored_bytes))
        prints = join(found)
        numbers = np.arange(done)
        order = Order(numbers * 0, numbers, [numbers], [typical(prints.feature)])
        return order, prints, "time order, packets copied"

    def _proved(self, packets: list[bytes] | None, frames: Pixels | None) -> bytes:
        """The block of some packets, if it decodes to some frames."""
        if packets is None or frames is None or len(packets) != len(frames):
            raise UnsupportedError(
                f"{self.store.name} has {self.packets.count} packets, but decodes to another "
                f"number of frames. {ANEW}"
            )
        depth = self.packets.depth
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
            f"{self.store.name}: a GOP decodes otherwise alone than within the file ({how}); "
            "the file may be damaged"
        )

    def loss(self, _order: Order) -> Loss:
        """Nothing is lost of what the file decodes to."""
        return NO_LOSS

    def crc32(self, _order: Order, given: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """CRC-32 of each frame as a reader gets it."""
        return given
