"""Read frames from objects."""

import numpy as np

from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import SourceOptions

FRAMES = np.random.default_rng(3).integers(0, 4000, (6, 12, 15)).astype(np.uint16)


def read(source, **options):
    opened = open_source(source, SourceOptions(**options))
    try:
        frames = np.concatenate(list(opened.batches(4)))
        return frames, opened
    finally:
        opened.close()


def same(source, want=FRAMES):
    found, opened = read(source)
    np.testing.assert_array_equal(found, want, strict=True)
    return opened


class Frame(np.ndarray):
    """An array with metadata, as readers of microscopes give it."""

    frame_no: int


class Reader:
    """As pims' readers: slices are lazy sequences, not arrays."""

    def __init__(self, frames):
        self._frames = frames
        self.frame_shape, self.pixel_type = frames.shape[1:], frames.dtype
        self.shape, self.dtype = frames.shape, frames.dtype

    def __len__(self):
        return len(self._frames)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Reader(self._frames[index])
        if isinstance(index, tuple):
            raise TypeError("only one axis can be indexed")
        if isinstance(self._frames, np.ma.MaskedArray):
            return self._frames[index]
        frame = self._frames[index].view(Frame)
        frame.frame_no = index
        return frame
