import h5py
import numpy as np
import pytest
from whole_files import drifting, pipeline

import h5vidstack
from h5vidstack.repacking.repacker import repack


@pytest.mark.parametrize("method", ["video", "groupvideo", "pca", "hdf5gz"])
def test_stacks_that_pack_made(method):
    frames = np.concatenate([drifting((30, 32, 40)), drifting((30, 32, 40))[::-1]])
    h5vidstack.pack(frames, "in.h5::/s", method=method, exact=method == "pca")
    with h5py.File("in.h5", "r+") as file:
        file["s"].attrs["mine"] = "kept"
        file["beside"] = drifting((20, 64, 64))
    report = repack("in.h5", "out.h5")
    assert [one.path for one in report.replaced] == ["/beside"]
    with h5vidstack.open("out.h5::/s") as stack:
        assert np.array_equal(stack[:], frames)
        assert stack.verify() == []
        assert stack.attrs["mine"] == "kept"
    report = repack("out.h5", "plain.h5", restore=True)
    assert {one.path for one in report.replaced} == {"/s", "/beside"}
    with h5py.File("plain.h5") as file:
        assert dict(file["s"].attrs) == {"mine": "kept"}
        assert list(file["s"]) == ["frame", "frames", "x", "y"]
        assert [axis.label for axis in file["s/frames"].dims] == ["frame", "y", "x"]
        assert np.array_equal(file["s/frames"], frames)
        assert np.array_equal(file["beside"], drifting((20, 64, 64)))
        kinds = {code for path in ("s/frames", "beside") for code, *_ in pipeline(file[path])}
        assert h5vidstack.FILTER_ID not in kinds


def test_leading_axes_come_back_when_a_stack_is_restored():
    frames = drifting((4, 6, 20, 30))
    h5vidstack.pack(frames, "in.h5")
    repack("in.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["stack/frames"], frames)
