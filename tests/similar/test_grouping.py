"""Very many frames are ordered group by group."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from h5vidstack.similar import feature_store, grouping
from h5vidstack.similar.feature_store import FeatureStore
from h5vidstack.similar.ordering import chain


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(feature_store, "MOST_HELD", 64)
    monkeypatch.setattr(grouping, "MOST_HELD", 64)
    monkeypatch.setattr(grouping, "SAMPLE", 200)
    monkeypatch.setattr(grouping, "BATCH", 100)


def ordered(features):
    with contextlib.closing(FeatureStore(Path())) as store:
        for part in np.array_split(features, 7):
            store.extend(part.astype(np.float32))
        return grouping.order(store)


def length(features, order):
    return np.linalg.norm(np.diff(features[order], axis=0), axis=1).sum()


def test_scenes_that_recur_lie_together():
    random = np.random.default_rng(0)
    scene = random.integers(0, 30, 1500)
    features = random.normal(0, 50, (30, 16))[scene] + random.normal(0, 0.5, (1500, 16))
    order = ordered(features)
    assert sorted(order) == list(range(1500))
    breaks = np.count_nonzero(np.diff(scene[order]))
    assert breaks < 2 * 30  # in the given order it is some 1450
    assert length(features, order) < 1.2 * length(features, chain(features.astype(np.float32)))


def test_a_curve_comes_out_in_order():
    t = np.random.default_rng(1).permutation(1000)
    features = np.stack([np.cos(t / 400), np.sin(t / 400), t / 1000], axis=1)
    along = t[ordered(features)]
    assert abs(np.diff(along)).sum() < 4 * 999  # of some 333,000


@pytest.mark.parametrize("value", [0, 1e17])
def test_frames_that_are_all_the_same(value):
    features = np.full((500, 5), value, np.float32)
    features[77] = 3
    assert sorted(ordered(features)) == list(range(500))


def test_few_frames_are_one_chain():
    features = np.random.default_rng(2).normal(size=(64, 9)).astype(np.float32)
    np.testing.assert_array_equal(ordered(features), chain(features))
