"""Read frames from objects."""

import numpy as np

from h5vidstack.sources.base import SourceOptions
from h5vidstack.sources.kinds import open_source

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
