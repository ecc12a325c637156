"""Plain datasets: what unpack and --restore give them, and what stacks beside them show."""

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack import repack

FRAMES = moving((12, 16, 17)).reshape(3, 4, 16, 17)
COORDS = {
    "time": np.arange(12) / 7, "C": ["gfp", "rfp", "dapi", "bf"], "y": (np.arange(16) * 0.65, {"units": "um"}),
    "ok": (("T", "C"), np.arange(12).reshape(3, 4) > 5),
}  # fmt: skip


def packed():
    h5vidstack.pack(
        FRAMES,
        "x.h5",
        dims=("T", "C", "y", "x"),
        coords=COORDS,
        attrs={"title": "cells", "CLASS": "a"},
    )


def labels(data):
    return [axis.label for axis in data.dims]


def test_unpacked():
    packed()
    for _ in range(2):  # what is there already is shared, and not made again
        h5vidstack.unpack("x.h5", "y.h5::/g/data", overwrite=True)
    h5vidstack.unpack("x.h5", "y.h5::/g/more")
    h5vidstack.unpack("x.h5", "y.h5::/g/some", frames=[7, 2])
    with h5py.File("y.h5") as file:
        group = file["g"]
        assert set(group) == {
            "data", "more", "some", "T", "C", "y", "x", "frame", "time", "ok",
            "frame_1", "time_1", "ok_1", "C_1",
        }  # fmt: skip
        for name in ("data", "more"):
            assert labels(group[name]) == ["T", "C", "y", "x"]
            assert group[name].attrs["title"] == b"cells"
            np.testing.assert_array_equal(group[name].dims[2][0], np.arange(16) * 0.65)
            assert group[name].dims[1]["C"] == group["C"]
        assert group["y"].attrs["units"] == b"um"
        np.testing.assert_array_equal(group["time_1"][:], np.array([7, 2]) / 7)
        assert labels(group["some"]) == ["frame", "y", "x"]


def test_restored():
    packed()
    repack("x.h5", "y.h5", restore=True)
    with h5py.File("y.h5") as file:
        frames = file["stack/frames"]
        np.testing.assert_array_equal(frames, FRAMES)
        assert labels(frames) == ["T", "C", "y", "x"]
        assert file["stack/C"][:].tolist() == [b"gfp", b"rfp", b"dapi", b"bf"]
        assert file["stack"].attrs["title"] == b"cells"


def test_beside_a_dataset():
    with h5py.File("raw.h5", "w") as file:
        data = file.create_dataset("entry/data", data=moving((40, 48, 64)), chunks=(1, 48, 64))
        file["entry/t"] = np.arange(40) / 25
        file["entry/t"].attrs["units"] = "s"
        file["entry/t"].make_scale("t")
        data.dims[0].attach_scale(file["entry/t"])
        data.dims[0].label = "time"
        data.attrs.update(title="beside", gain=[1.0, 2.0], method="mine")
        data.attrs["ref"] = file["entry/t"].ref
    repack("raw.h5", "packed.h5", profile="fast")
    with h5vidstack.open("packed.h5::/entry/data") as stack:
        assert stack.dims == ("time", "y", "x")
        np.testing.assert_array_equal(stack.coords["time"], np.arange(40) / 25)
        assert stack.coords["time"].units == "s"
        assert stack.attrs["title"] == "beside"
        assert stack.attrs["method"] == "video"
        assert stack.attrs["method_"] == "mine"
        assert stack.metadata.attrs.keys() == {"title", "gain", "method"}
        assert stack.verify() == []
    repack("packed.h5", "back.h5", restore=True)
    with h5py.File("back.h5") as file:
        assert file["entry/data"].dims[0]["t"] == file["entry/t"]


@pytest.mark.parametrize("shape", [(40, 48, 64), (5, 8, 48, 64)])
def test_a_bare_dataset(shape):
    frames = moving((40, 48, 64)).reshape(shape)
    with h5py.File("raw.h5", "w") as file:
        data = file.create_dataset(
            "data", data=frames, chunks=(*(1 for _ in shape[:-3]), 8, 48, 64), **h5vidstack.Video()
        )
        data.dims[0].label = data.dims[1].label = "same"
        data.attrs["title"] = "bare"
    with h5vidstack.open("raw.h5::/data") as stack:
        assert stack.dims[:2] == ("same", "same_1")
        assert stack.dims[-1] == "x"
        assert stack.attrs["title"] == "bare"
        assert dict(stack.coords) == {}


def test_unpacked_for_other_programs_and_back():
    times = np.array(["2026-01-01T10", "NaT", "2026-01-03"], "M8[s]")
    coords = {
        "T": times, "ok": (("T",), [True, False, True]), "lag": (("T",), np.arange(3) * np.timedelta64(1, "s")),
        "site": ((), "B2"), "a b": (("T",), [1, 2, 3]), "half": (("T",), np.arange(3, dtype="f2")),
    }  # fmt: skip
    h5vidstack.pack(FRAMES, "x.h5", dims=("T", "C", "y", "x"), coords=coords)
    for name in ("one", "two"):
        h5vidstack.unpack("x.h5", f"y.h5::/g/{name}")
    with h5py.File("y.h5") as file:
        # The second one shares what the first one has.
        assert set(file["g"]) == {"one", "two", "C", "y", "x", *coords}
        assert file["g/two"].attrs["coordinates"] == b"ok lag site half"
        assert not any("dims" in node.attrs for node in file["g"].values())
    h5vidstack.pack("y.h5::/g/two", "z.h5")
    with h5vidstack.open("x.h5") as before, h5vidstack.open("z.h5") as after:
        assert after.dims == before.dims
        assert set(after.coords) == set(before.coords)
        for name, coordinate in after.coords.items():
            assert coordinate.equals(before.coords[name]), name
            assert coordinate.dtype == before.coords[name].dtype
