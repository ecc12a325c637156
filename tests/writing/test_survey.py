import h5py
import numpy as np
import pytest
from frames import moving, noise

import h5vidstack

METHODS = ["auto", "video", "groupvideo"]


def content(path="x.h5"):
    with h5vidstack.open(path) as opened:
        assert opened.verify() == []
        return opened[:]


@pytest.mark.parametrize("method", METHODS)
def test_copies_are_stored_once(method):
    frames = noise((50, 12, 15))
    frames[[7, 20, 49]] = frames[3]
    frames[21:30] = frames[20]
    frames[30], frames[31] = frames[0], frames[48]
    report = h5vidstack.pack(frames, "x.h5", method=method, chunk_frames=4)
    assert report.copies == 14
    np.testing.assert_array_equal(content(), frames)
    with h5py.File("x.h5") as file:
        group = file["stack"]
        assert (
            sum(
                pile["members"].shape[0]
                for name, pile in group["groups"].items()
                if name != "ordered"
            )
            == 36
        )
        places = np.stack([group["index/group"], group["index/position"]], axis=1)
        for copy in (7, 20, 49, 25):
            assert (places[copy] == places[3]).all()
        np.testing.assert_array_equal(group["frames"][...], frames)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [iter, np.asarray], ids=["iterable", "array"])
def test_equal_crcs_are_no_copies(make, method, monkeypatch):
    """Frames count as equal by their pixels, whatever their CRC says."""
    from h5vidstack.similar import fingerprints

    monkeypatch.setattr(fingerprints, "frame_crcs", lambda frames: np.zeros(len(frames), np.uint32))
    frames = noise((60, 9, 8))
    frames[[33, 44]] = frames[2]
    report = h5vidstack.pack(make(frames), "x.h5", method=method, chunk_frames=4)
    assert report.copies == 2
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)


@pytest.mark.parametrize("method", METHODS)
def test_all_frames_identical(method):
    frames = np.tile(noise((1, 12, 15)), (300, 1, 1))
    report = h5vidstack.pack(iter(frames), "x.h5", method=method)
    assert report.copies == 299
    np.testing.assert_array_equal(content(), frames)
    with h5vidstack.open("x.h5") as stack:
        assert [list(group) for group in stack.near_duplicates(0)] == [list(range(300))]
        assert [match.rmse for match in stack.find(frames[5], 3)] == [0, 0, 0]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][5:250:60], frames[:5])


def test_copies_in_large_tiled_colour_frames():
    frames = moving((9, 40, 70, 3))
    frames = np.concatenate([frames, frames[::-1], frames[[4] * 5]])
    for method in METHODS:
        report = h5vidstack.pack(
            iter(frames), "x.h5", method=method, tile=(16, 32), chunk_frames=2, overwrite=True
        )
        assert report.copies == 14
        np.testing.assert_array_equal(content(), frames)
