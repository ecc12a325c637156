"""Columns grow and keep what was put into them."""

import numpy as np
import pytest
from frames import noise

import h5vidstack
from h5vidstack.similar.fingerprints import fingerprint
from h5vidstack.writing.columns import Column, FingerprintColumns


@pytest.mark.parametrize("row", [(), (2,)])
def test_a_column_is_what_was_put_into_it(row):
    column = Column(np.uint64, row)
    assert column.values.shape == (0, *row)
    parts = [np.full((n, *row), n) for n in (0, 1, 1000, 24, 5000, 0, 3)]
    for part in parts:
        column.extend(part)
    np.testing.assert_array_equal(column.values, np.concatenate(parts))
    assert len(column) == 6028


@pytest.mark.parametrize("hashes", [True, False])
def test_fingerprints_are_joined(hashes):
    frames = noise((20, 9, 12))
    columns = FingerprintColumns(hashes)
    with pytest.raises(h5vidstack.SourceError, match="camera holds no frames"):
        columns.joined("camera")
    for some in (frames[:3], frames[3:]):
        columns.extend(fingerprint(some, hashes=hashes))
    joined, whole = columns.joined("camera"), fingerprint(frames, hashes=hashes)
    assert len(columns) == len(joined) == 20
    np.testing.assert_array_equal(joined.crc32, whole.crc32)
    assert (
        joined.hashes.keys()
        == whole.hashes.keys()
        == ({"phash", "ahash", "dhash"} if hashes else set())
    )
    for name, table in whole.hashes.items():
        np.testing.assert_array_equal(joined.hashes[name], table)
