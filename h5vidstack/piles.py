"""What holds the frames of a pile: its datasets, here or in another file."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from .geometry import Shape, split_axes

if TYPE_CHECKING:  # which holds piles
    from .parts import Part


@dataclass(frozen=True)
class Pile:
    """The datasets that hold the frames of one pile.

    Attributes
    ----------
    data
        One entry of its first axis for each frame: pixels, or what is added to others.
    shape, dtype
        Of the pixels: ``(n, H, W[, C])``.
    mean
        ``(H, W[, C])``: `data` are differences to it.
    pca
        The group of a PCA: `data` are its coefficients, or differences to what it makes.
    part
        The stack in another file that holds it; None: it is in the file of its own stack.
    """

    data: h5py.Dataset
    shape: Shape
    dtype: np.dtype[Any]
    mean: h5py.Dataset | None = None
    pca: h5py.Group | None = None
    part: Part | None = None

    @property
    def length(self) -> int:
        """Number of frames."""
        return int(self.shape[0])

    @property
    def plain(self) -> bool:
        """Whether `data` are the pixels."""
        return self.mean is None and self.pca is None

    @property
    def source(self) -> tuple[str, h5py.Dataset]:
        """Of a virtual dataset: the file, as its stack's file names it, and what is in it."""
        return self.part.name if self.part is not None else ".", self.data

    @property
    def home(self) -> h5py.Group:
        """The group that holds all of it."""
        return (self.data if self.pca is None else self.pca).parent

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes in the file."""
        # Not `values()`: that gives None for what cannot be opened.
        parts = [self.pca[name] for name in self.pca] if self.pca is not None else []
        parts += [part for part in (self.data, self.mean) if part is not None]
        return sum({part.id: part.id.get_storage_size() for part in parts}.values())


def open_pile(group: h5py.Group, dtype: np.dtype[Any]) -> Pile:
    """The datasets of a pile of pixels of a dtype."""
    if "pca" in group:
        pca = group["pca"]
        data = group["residual"] if "residual" in group else pca["coefficients"]
        return Pile(data, (data.shape[0], *pca["mean"].shape), dtype, pca=pca)
    mean = group.get("mean")
    data = group["video" if mean is None else "difference"]
    if not all(isinstance(node, h5py.Dataset) for node in (data, mean) if node is not None):
        raise TypeError(f"{group.name} holds no pixels")
    if data.is_virtual or data.chunks is None:
        raise TypeError(f"{data.name} is not chunked")
    leading, frame = split_axes(data.shape)
    shape = (math.prod(leading), *frame)
    return Pile(data, shape, (data if mean is None else mean).dtype, mean)


def written(data: h5py.Dataset) -> Shape:
    """The shape up to the last run of frames whose blocks are all there.

    A writer makes room for a run before it writes it.
    """
    n, step = data.shape[0], data.chunks[0]
    counts = [
        range(0, edge, tile) for edge, tile in zip(data.shape[1:], data.chunks[1:], strict=True)
    ]
    while n:
        first = (n - 1) // step * step
        blocks = ((first, *corner) for corner in itertools.product(*counts))
        if all(data.id.get_chunk_info_by_coord(at).byte_offset is not None for at in blocks):
            break
        n = first
    return (n, *data.shape[1:])
