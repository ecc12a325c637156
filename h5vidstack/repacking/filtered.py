"""The making of a coded dataset of the same shape and type, and of the stack beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5z

from ..choosing.quality import Unit, Wish
from ..choosing.trials import Chooser
from ..codecs import loss
from ..codecs.loss import NO_LOSS, Loss
from ..codecs.noise import NoiseBound
from ..codecs.recipe import Recipe
from ..hdf5.filter import FILTER_ID
from ..layout.names import BESIDE, SEPARATOR, write_text
from ..layout.output import copy_object_creation
from ..layout.piles import Pile
from ..layout.writer import Order, PileWriter, Record, StackWriter
from ..pool import in_order
from ..shapes import MAX_BLOCK_BYTES, Pixels, Shape, frame_bytes, leading_chunk, split_axes
from ..similar.fingerprints import Fingerprints, fingerprint, join
from ..sources.array_source import ArraySource
from ..writing import provenance
from ..writing.coders import BlockCoder
from ..writing.crew import Crew
from ..writing.pack_options import PackOptions
from ..writing.packing import as_read
from .values import own_space, own_type, set_no_fill_value

Done = Callable[[int], None]
"""Called with the number of frames that were done since the last call."""


@dataclass(frozen=True)
class DatasetPlan:
    """How a dataset is to be packed.

    Attributes
    ----------
    path
        The path of the dataset.
    recipe, chunk
        How its blocks are coded, and their shape ``(G, h, w[, C])``.
    leading
        The chunk's lengths on the axes that count frames.
    frames
        The number of its frames.
    raw_bytes, stored_bytes
        The bytes of its pixels, and of its chunks in the file.
    estimate
        The bytes that its blocks will take, estimated from a sample.
    """

    path: bytes
    recipe: Recipe
    chunk: Shape
    leading: Shape
    frames: int
    raw_bytes: int
    stored_bytes: int
    estimate: int


@dataclass(frozen=True, kw_only=True)
class How:
    """What a user asks for, and who does the work; see `repack`."""

    options: PackOptions
    crew: Crew


def plan(dataset: h5py.Dataset, path: bytes, how: How) -> DatasetPlan:
    """Choose how to pack a dataset, by coding samples of it.

    Raises
    ------
    UnsupportedError
        If the dataset cannot be packed in that way.
    """
    source = _source(dataset)
    options, wish, itemsize = how.options, how.options.wish, source.dtype.itemsize
    chunk = wish.profile.chunk(source.frame, itemsize, options.chunk_frames, options.tile)
    most = MAX_BLOCK_BYTES // frame_bytes(chunk[1:], itemsize)
    leading = leading_chunk(split_axes(dataset.shape)[0], chunk[0], most)
    chunk = (math.prod(leading), *chunk[1:])
    count = dataset.size // math.prod(source.frame)
    template = wish.template(_bound(dataset, source, wish), source.dtype)
    chooser = Chooser(wish=wish, template=template, chunk=chunk, pool=how.crew.coding)
    samples = chooser.samples(np.arange(count), source.take)
    recipe = chooser.choose_by(samples).recipe
    share = chooser.share(recipe, samples)
    raw = dataset.size * itemsize
    stored = dataset.id.get_storage_size()
    return DatasetPlan(path, recipe, chunk, leading, count, raw, stored, round(raw * share))


def fill(
    dataset: h5py.Dataset, file: h5py.File, how: How, plan: DatasetPlan, done: Done
) -> Filtered:
    """Make the coded dataset, without a name, in another file.

    Returns
    -------
    Filtered
        The dataset, with the fingerprints of its frames.
    """
    coder = BlockCoder(plan.recipe, verify=True)
    made = _create(dataset, file, plan, coder)
    source = _source(dataset)
    writer, noise = _DatasetWriter(made), plan.recipe.noise
    encoder = how.crew.encoder(writer, coder, plan.chunk, block=done, noise=noise)
    prints = []

    def look(frames: Pixels) -> Fingerprints:
        as_stored = frames.astype(dataset.dtype, copy=False)  # CRCs count stored bytes
        return fingerprint(as_stored, hashes=how.options.hashes)

    def moving() -> Iterator[Pixels]:
        for frames in source.batches(plan.chunk[0]):
            encoder.add(frames)
            yield frames

    for some in in_order(how.crew.here, look, moving(), how.crew.lookers):
        prints.append(some)
    encoder.finish()
    found, lost = join(prints), NO_LOSS
    if not coder.lossless:
        numbers = np.arange(plan.frames)
        losses = [loss.join(encoder.losses)]
        lost = loss.total(losses, np.zeros_like(numbers), numbers, source.dtype, noise)
        found, lost = as_read(found, lost, np.concatenate(encoder.crc32))
    return Filtered(made, writer.stored_bytes, str(coder), found, lost)


@dataclass(frozen=True)
class Filtered:
    """A coded dataset.

    Attributes
    ----------
    data
        The dataset.
    stored_bytes
        The bytes of its blocks.
    coding
        How they are coded, in words.
    prints
        The fingerprints of its frames.
    lost
        The difference to what was packed.
    """

    data: h5py.Dataset
    stored_bytes: int
    coding: str
    prints: Fingerprints
    lost: Loss


class _DatasetWriter(PileWriter):
    """Writes blocks to a dataset of fixed size, which may have several axes that count frames."""

    def extend(self, frames: int) -> None:
        """Do nothing, because the dataset already has its size."""

    def write_block(self, offset: Shape, block: bytes, filter_mask: int = 0) -> None:
        """See `PileWriter`."""
        leading = split_axes(self.data.shape)[0]
        first = map(int, np.unravel_index(offset[0], leading))
        super().write_block((*first, *offset[1:]), block, filter_mask)


def _bound(dataset: h5py.Dataset, source: ArraySource, wish: Wish) -> float | NoiseBound:
    """Return the largest error that is allowed; none for values that it means nothing to."""
    bound, kind = wish.bound, dataset.dtype.kind
    named = kind == "b" or h5py.check_enum_dtype(dataset.dtype) is not None
    if bound is None or named or (bound.unit == Unit.NOISE and kind == "f"):
        return 0.0
    return bound.of(source)


def _source(dataset: h5py.Dataset) -> ArraySource:
    return ArraySource(dataset, f"{dataset.file.filename}{SEPARATOR}{dataset.name}")


def _create(
    dataset: h5py.Dataset, file: h5py.File, plan: DatasetPlan, coder: BlockCoder
) -> h5py.Dataset:
    """Make a dataset of the same type, shape and fill value, with our chunks and our filter."""
    given, plist = dataset.id.get_create_plist(), h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((*plan.leading, *plan.chunk[1:]))
    plist.set_filter(FILTER_ID, h5z.FLAG_MANDATORY, coder.options()["compression_opts"])
    copy_creation(given, plist, dataset.dtype)
    kind, space = own_type(dataset.id.get_type()), own_space(dataset.id.get_space())
    return h5py.Dataset(h5d.create(file.id, None, kind, space, plist))


def copy_creation(given: h5p.PropDCID, plist: h5p.PropDCID, dtype: np.dtype[Any]) -> None:
    """Copy the creation properties of a dataset, except chunks and filters."""
    if given.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        value = np.zeros((), dtype)
        given.get_fill_value(value)
        plist.set_fill_value(value)
    elif given.fill_value_defined() == h5d.FILL_VALUE_UNDEFINED:
        set_no_fill_value(plist)
    plist.set_fill_time(given.get_fill_time())
    copy_object_creation(given, plist)


def put_beside(
    file: h5py.File, plan: DatasetPlan, filtered: Filtered, record: Mapping[str, Any]
) -> None:
    """Make the stack of a coded dataset, with hashes and index, beside the dataset.

    The stack has soft links to the dataset, because programs that walk through a whole file
    (hdmf, and with it pynwb) would show a second hard link only as a link.
    """
    data = filtered.data
    leading, frame = split_axes(data.shape)
    group = file.create_group(BESIDE.encode() + plan.path)
    pile = group.create_group("groups/000000")
    write_text(pile, "coding", filtered.coding)
    pile.id.links.create_soft(b"video", plan.path)
    whole = Pile(data, (plan.frames, *frame), data.dtype)
    writer = StackWriter(group, frame, data.dtype, plan.chunk, [whole])
    numbers = np.arange(plan.frames)
    order = Order(np.zeros_like(numbers), numbers, [numbers], [plan.frames // 2])
    settings = provenance.settings(
        method="video", order="as it was", codings=[filtered.coding], chunk=plan.chunk, **record
    )
    leading_shape = leading if len(leading) > 1 else None
    saying = Record("video", settings, leading_shape, filtered.lost, metadata=None)
    writer.finish(order, filtered.prints, saying)
    del group["frames"]
    group.id.links.create_soft(b"frames", plan.path)
