"""The chain puts similar frames side by side; piles are scenes."""

import numpy as np
import pytest
from frames import noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from h5vidstack.cli.demonstration import generate_uint8
from h5vidstack.similar import fingerprints, ordering
from h5vidstack.similar.feature_store import FeatureStore


def greedy(features):
    """The plain nearest-neighbour chain."""
    left = list(range(1, len(features)))
    order = [0]
    while left:
        distance = np.linalg.norm(features[left] - features[order[-1]], axis=1)
        order.append(left.pop(int(np.argmin(distance))))
    return np.array(order)


def length(features, order):
    return np.linalg.norm(np.diff(features[order], axis=0), axis=1).sum()


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 60), st.integers(1, 4)),
        elements=st.floats(-(2.0**56), 2.0**56, width=32),
    )
)
def test_a_chain_is_a_permutation(features):
    order = ordering.chain(features)
    assert sorted(order) == list(range(len(features)))
    piles = ordering.cut(order, FeatureStore.of(features), 3)
    assert list(np.concatenate(piles)) == list(order)
    assert len(piles) == 1 or min(map(len, piles)) >= 3


@pytest.mark.parametrize("n", [1, 2, 3, 192, 193, 400, 2000])
def test_shuffled_points_of_a_curve_come_out_in_order(n):
    t = np.random.default_rng(0).permutation(n)
    features = np.stack([np.cos(t / n * 3), np.sin(t / n * 3), t / n], axis=1).astype(np.float32)
    along = t[ordering.chain(features)]
    assert abs(np.diff(along)).sum() == n - 1


def test_no_longer_than_the_plain_greedy_chain():
    frames = generate_uint8((9, 9, 9), (24, 36))[np.random.default_rng(0).permutation(729)]
    features = fingerprints.block_means(frames)
    assert length(features, ordering.chain(features)) <= 1.03 * length(features, greedy(features))


def test_equal_and_noisy_points():
    assert list(ordering.chain(np.zeros((500, 7), np.float32))) == list(range(500))
    features = np.random.default_rng(0).normal(size=(700, 100)).astype(np.float32)
    order = ordering.chain(features)
    assert sorted(order) == list(range(700))
    assert len(ordering.cut(order, FeatureStore.of(features), 32)) == 1


def test_scenes_become_piles():
    one = generate_uint8((80, 1, 1), (40, 50))
    two = noise((1, 40, 50), 3) // 2 + np.arange(70, dtype=np.uint8)[:, None, None]
    scene = np.random.default_rng(0).permutation(np.repeat([0, 1], [80, 70]))
    frames = np.empty((150, 40, 50), np.uint8)
    frames[scene == 0], frames[scene == 1] = one, two
    features = fingerprints.block_means(frames)
    piles = ordering.cut(ordering.chain(features), FeatureStore.of(features), 32)
    assert sorted(map(len, piles)) == [70, 80]
    assert all(len(set(scene[pile])) == 1 for pile in piles)


def test_tiny_piles_are_put_together():
    centres = np.repeat(np.arange(30) * 1000, 5) + np.tile(np.arange(5), 30)
    features = centres[:, None].astype(np.float32)
    piles = ordering.cut(np.arange(150), FeatureStore.of(features), 1)
    assert [len(pile) for pile in piles] == [5] * 30
    piles = ordering.cut(np.arange(150), FeatureStore.of(features), 12)
    assert min(map(len, piles)) >= 12
    assert len(ordering.cut(np.arange(150), FeatureStore.of(features), 151)) == 1


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), min_size=1, max_size=200),
    st.integers(1, 20),
)
def test_piles_by_hash(hashes, least):
    hashes = np.array(hashes, np.uint64)
    piles = ordering.by_hash(hashes, least)
    assert sorted(np.concatenate(piles)) == list(range(len(hashes)))
    assert all(np.all(np.diff(pile) > 0) for pile in piles)
    assert len(piles) == 1 or min(map(len, piles)) >= least
    where = np.empty(len(hashes), int)
    for number, pile in enumerate(piles):
        where[pile] = number
    for value in np.unique(hashes):  # one hash, one pile
        assert len(set(where[hashes == value])) == 1


def test_near_hashes_share_a_pile():
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 2**63, 5).astype(np.uint64)
    scene = rng.integers(0, 5, 300)
    flipped = np.uint64(1) << rng.integers(0, 64, 300).astype(np.uint64)
    for pile in ordering.by_hash(scenes[scene] ^ flipped, 4):
        assert np.bincount(scene[pile]).max() >= len(pile) - 4
