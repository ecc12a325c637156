"""Columns of a recording: fixed by the first frame, readable meanwhile, and after a crash."""

import shutil

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack import SourceError
from h5vidstack.metadata.coordinates import Coordinate
from h5vidstack.metadata.description import Metadata
from h5vidstack.writing.recorded_columns import RecordedColumns

FRAMES = moving((70, 16, 17))
VALUES = {
    "time": np.arange(70) / 40, "exposure": np.arange(70, dtype="f4"), "gain": np.arange(70, dtype="u2"),
    "ok": np.arange(70) % 3 == 0, "label": np.array([f"é{i}" for i in range(70)]),
    "when": np.datetime64("2020-01-01T00:00:00", "ms") + np.arange(70),
}  # fmt: skip


def row(number, values=VALUES):
    return {name: column[number] for name, column in values.items()}


def recorder(**options):
    return h5vidstack.create("x.h5", FRAMES.shape[1:], FRAMES.dtype, chunk_frames=16, **options)


def same(stack, count):
    assert stack.shape[0] == count
    for name, values in VALUES.items():
        np.testing.assert_array_equal(stack.coords[name].values, values[:count], err_msg=name)
        assert stack.coords[name].shape == (count,)


def test_read_meanwhile_after_a_crash_and_in_the_end():
    with recorder(attrs={"title": "x"}) as recording:
        for number, frame in enumerate(FRAMES):
            recording.write(frame, **row(number))
            if number == 40:
                recording.flush()
                with h5vidstack.open("x.h5") as stack:
                    same(stack, 32)
        recording.flush()
        shutil.copy("x.h5", "crashed.h5")
    with h5vidstack.open("x.h5") as stack:
        same(stack, 70)
        assert stack.verify() == []
        assert stack.attrs["title"] == "x"
        assert stack.coords["time"].units == "s"
        assert stack.coords["label"].dtype == "U64"
    h5vidstack.recover("crashed.h5", "saved.h5")
    with h5vidstack.open("saved.h5") as stack:
        same(stack, 64)
        assert stack.verify() == []


def test_goes_on_by_append():
    with recorder() as recording:
        for number, frame in enumerate(FRAMES):
            recording.write(frame, **row(number))
    h5vidstack.pack(FRAMES[:3], "x.h5", mode="a", coords={"gain": VALUES["gain"][:3]})
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        assert stack.coords["time"].shape == (73,)
        assert np.isnan(stack.coords["time"].values[70:]).all()
        np.testing.assert_array_equal(stack.coords["gain"].values[69:], [69, 0, 1, 2])


def test_a_frame_that_is_refused_is_not_taken():
    with recorder() as recording:
        recording.write(FRAMES[0], **row(0))
        for name, value, said in (
            ("time", "late", "cannot hold 'late'"),
            ("time", [1, 2], "one column for each"),
            ("exposure", 0.1, "float32, and cannot hold 0.1"),
            ("gain", -1, "uint16, and cannot hold -1"),
            ("label", "a" * 65, "up to 64 bytes, not of 65"),
            ("ok", 1, "holds bool"),
            ("when", 1, "cannot hold 1"),
            ("when", np.datetime64("2020-01-01T00:00:00.0001"), "cannot hold"),
        ):
            with pytest.raises(SourceError, match=said):
                recording.write(FRAMES[1], **row(1) | {name: value})
        with pytest.raises(SourceError, match="the columns time; each frame .* time, exposure"):
            recording.write(FRAMES[1], time=1.0)
        with pytest.raises(SourceError, match="no columns"):
            recording.write(FRAMES[1])
        recording.write(FRAMES[1], **row(1))
        assert recording.frames == 2
    with h5vidstack.open("x.h5") as stack:
        same(stack, 2)


def test_declared():
    coords = {
        "dose": (np.empty(0, "f4"), {"units": "mGy"}), "y": (np.arange(16) * 0.5, {"units": "um"}),
    }  # fmt: skip
    with recorder(dims=("t", "y", "x"), coords=coords) as recording:
        with pytest.raises(SourceError, match="no dose"):
            recording.write(FRAMES[0], time=0)
        with pytest.raises(SourceError, match="y is a coordinate of the whole recording"):
            recording.write(FRAMES[0], dose=1, y=2)
        with pytest.raises(SourceError, match="x is an axis"):
            recording.write(FRAMES[0], dose=1, x=2)
        recording.write(FRAMES[0], dose=1, t=0.5, time=0)
        recording.write(FRAMES[1], dose=2.5, t=1.5, time=0.25)
    with h5vidstack.open("x.h5") as stack:
        assert stack.dims == ("t", "y", "x")
        assert stack.coords["dose"].units == "mGy"
        assert stack.coords["dose"].dtype == np.float32
        assert stack.coords["time"].values.tolist() == [0, 0.25]
        assert stack.coords["t"].dims == ("t",)
    with h5py.File("x.h5") as file:
        assert file["stack/frames"].dims[0]["t"][()].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    "options", [{"dims": ("a",)}, {"coords": {"y": [1]}}, {"attrs": {"a": {}}}]
)
def test_what_does_not_fit_is_refused_at_once(options):
    with pytest.raises(h5vidstack.MetadataError):
        recorder(**options)


def test_values_are_given_in_runs():
    columns = RecordedColumns(
        Metadata(("t", "y", "x"), {"z": Coordinate.of(("t",), np.empty(0, "i2"))}, {})
    )
    columns.add({"z": 3})
    columns.add({"z": np.int64(-4)})
    assert len(columns) == 2
    taken = columns.take()["z"]
    assert (taken.tolist(), taken.dtype) == ([3, -4], np.int16)
    assert (len(columns), columns.take()) == (0, {})
