"""Rows of features come back, from memory or from the file."""

from pathlib import Path

import numpy as np
import pytest

from h5vidstack.similar import feature_store
from h5vidstack.similar.feature_store import FeatureStore


@pytest.mark.parametrize("most", [10, 1000])
def test_rows_come_back_in_any_order(most, monkeypatch):
    monkeypatch.setattr(feature_store, "MOST_HELD", most)
    rows = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    store = FeatureStore(Path())
    for part in np.split(rows, [5, 5, 30]):
        store.extend(part)
    assert len(store) == 60
    for numbers in ([], [3], [4, 5, 6, 2, 59, 58], list(range(60)), [7, 7, 8]):
        np.testing.assert_array_equal(store.take(np.array(numbers, np.intp)), rows[numbers])
    np.testing.assert_array_equal(store.evenly(20), rows[::3])
    np.testing.assert_array_equal(store.evenly(100), rows)
    store.close()
    assert list(Path().iterdir()) == []


def test_features_that_are_in_memory():
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(FeatureStore.of(rows).take(np.array([2, 0])), rows[[2, 0]])
