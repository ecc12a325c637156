"""Image files to read."""

import numpy as np

from h5vidstack.sources.base import SourceOptions
from h5vidstack.sources.kinds import open_source

RANDOM = np.random.default_rng(11)


def read(name, **options):
    source = open_source(name, SourceOptions(**options))
    try:
        return np.concatenate(list(source.batches(3))), source
    finally:
        source.close()


def same(name, want):
    found, source = read(name)
    np.testing.assert_array_equal(found, want, strict=True)
    return source
