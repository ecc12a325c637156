"""The virtual dataset over piles: few mappings, right pixels."""

import h5py
import numpy as np
import pytest
from frames import noise
from hypothesis import given
from hypothesis import strategies as st

import h5vidstack
from h5vidstack.hdf5 import virtual


def expand(runs, n):
    group, position = np.full((2, n), -1)
    for run in runs:
        frames = run.first + run.step * np.arange(run.length)
        assert (group[frames] == -1).all()
        group[frames] = run.group
        position[frames] = run.position + np.arange(run.length)
    return group, position


@given(st.data())
def test_runs_say_where_frames_are(data):
    n = data.draw(st.integers(1, 40))
    group = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    position = np.array(data.draw(st.lists(st.integers(0, 12), min_size=n, max_size=n)))
    found = expand(virtual.runs(group, position), n)
    assert (found[0] == group).all()
    assert (found[1] == position).all()


@pytest.mark.parametrize(
    ("group", "position", "count"),
    [
        (np.zeros(1000), np.arange(1000), 1),
        (np.tile([0, 1], 500), np.repeat(np.arange(500), 2), 2),  # interleaved scenes
        (np.tile([0, 1, 2, 3], 250), np.repeat(np.arange(250), 4), 4),
        (np.repeat([1, 0], 500), np.tile(np.arange(500), 2), 2),
        (np.zeros(1000), np.tile(np.arange(100), 10), 10),  # a loop
        (np.zeros(1000), np.arange(1000)[::-1], 1000),  # backwards, HDF5 has no word for it
    ],
)
def test_few_runs(group, position, count):
    assert len(virtual.runs(group.astype(int), position.astype(int))) == count


def test_a_random_permutation_takes_two_thirds():
    position = np.random.default_rng(0).permutation(10_000)
    assert len(virtual.runs(np.zeros(10_000, int), position)) < 6_800


@pytest.mark.parametrize("shape", [(60, 7, 9), (60, 7, 9, 3)])
def test_slices_through_plain_h5py(shape):
    frames = noise(shape)
    order = np.random.default_rng(0).permutation(60)
    frames[10], frames[[50, 51, 52]] = frames[40], frames[3]
    h5vidstack.pack(frames[order], "x.h5", method="groupvideo", chunk_frames=4)
    with h5py.File("x.h5") as file:
        dataset = file["stack/frames"]
        assert dataset.is_virtual
        want = frames[order]
        for key in [
            ...,
            0,
            59,
            np.s_[3:50:7],
            np.s_[:, 2:5, 3],
            [1, 5, 40],
            np.s_[10:20, ::2, ::3],
        ]:
            np.testing.assert_array_equal(dataset[key], want[key], strict=True)


@pytest.mark.parametrize("stack", ["/a%b", "/50%", "/a%%b", "/a%%%b", "/x y/é"])
def test_names_that_hdf5_takes_for_formats(stack):
    frames = noise((20, 7, 9))
    h5vidstack.pack(frames, f"x.h5::{stack}", method="groupvideo")
    assert h5vidstack.verify(f"x.h5::{stack}") == []
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file[stack]["frames"][...], frames)
