"""What a stack says of its frames besides their pixels."""

import pickle

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.reading.described import OnDemand

FRAMES = np.arange(6 * 8 * 10, dtype=np.uint16).reshape(3, 2, 8, 10)
FLAT = moving((6, 8, 9))


def pack(**options):
    h5vidstack.pack(FRAMES, "x.h5", overwrite=True, **options)
    return h5vidstack.open("x.h5")


def test_nothing_was_said():
    with pack() as stack:
        assert stack.dims == ("axis_0", "axis_1", "y", "x")
        assert not stack.coords
        assert not stack.source.files
        assert not stack.source.words
        assert stack.source.file(0) is None
        assert stack.names is None


@pytest.mark.parametrize(
    ("dims", "values", "attrs"),
    [
        (("T",), [0.5, 1.5, 9.0], {"units": "s"}),
        (("C",), ["gfp", "ü/%"], {}),
        (("T",), np.array(["2020", "2021", "NaT"], "M8[us]"), {"long_name": "when"}),
        (("T",), np.array([1, 2, 3], "m8[ms]"), {}),
        (("T", "C"), [[True, False]] * 3, {"dtype": "mine", "dims": 3, "CLASS": "a", "NAME": "b"}),
        (("y", "x"), np.arange(80.0).reshape(8, 10), {"axis": np.arange(3)}),
        ((), 3.5, {"units": "m"}),
        ((), "a text", {}),
        ((), np.datetime64("2020-01-02", "s"), {}),
        (("frame",), np.arange(6, dtype="i2"), {}),
    ],
    ids=str,
)
def test_coordinates(dims, values, attrs):
    with pack(dims=list("TCyx"), coords={"it": (dims, values, attrs)}) as stack:
        found = stack.coords["it"]
        assert (found.dims, found.shape) == (dims, np.shape(values))
        np.testing.assert_array_equal(found.values, values)
        assert found.attrs.keys() == attrs.keys()
        for name, value in attrs.items():
            np.testing.assert_array_equal(found.attrs[name], value)
        kept = pickle.loads(pickle.dumps(stack))
        np.testing.assert_array_equal(kept.coords["it"].values, values)
        kept.close()


def test_an_axis_that_is_called_frame():
    coords = {"frame": ("frame", [5, 6]), "serial": ("all_frames", np.arange(6))}
    with pack(dims=["cam", "frame", "y", "x"], coords=coords) as stack:
        assert stack.nd.dims == ("cam", "frame", "y", "x")
        np.testing.assert_array_equal(stack.coords["frame"], [5, 6])
        np.testing.assert_array_equal(stack.coords["serial"], np.arange(6))
        h5vidstack.pack(stack, "y.h5")
        flat = stack.metadata.flat(stack.leading_shape)
        assert {name: found.dims for name, found in flat.coords.items()} == {
            "frame": ("frame",),
            "serial": ("frame",),
        }
    with h5py.File("y.h5") as file:
        assert set(file["stack"]) >= {"frame", "all_frames", "serial", "nd"}


def test_attributes_have_any_name():
    attrs = {"CLASS": "a", "NAME": "b", "shape": 3, "dims": "c", "units": "counts", "empty": []}
    with pack(attrs=attrs) as stack:
        kept = dict(stack.metadata.attrs)
        assert list(kept.pop("empty")) == attrs.pop("empty")
        assert kept == attrs


def test_what_other_programs_find():
    coords = {"lat": (("y", "x"), np.ones((8, 10))), "C": ["a", "b"], "n n": 3}
    with pack(dims=list("TCyx"), coords=coords):
        pass
    with h5py.File("x.h5") as file:
        nd = file["stack/nd"]
        assert [axis.label for axis in nd.dims] == ["T", "C", "y", "x"]
        assert nd.attrs["coordinates"] == b"lat"
        assert nd.dims[1][0] == file["stack/C"]
        np.testing.assert_array_equal(nd[...], FRAMES)
    with pack():
        pass
    with h5py.File("x.h5") as file:
        assert "coordinates" not in file["stack/frames"].attrs


def test_values_on_demand():
    asked = []
    found = OnDemand(("a", "b"), lambda name: asked.append(name) or name * 2)
    assert list(found) == ["a", "b"]
    assert found["a"] == found["a"] == "aa"
    assert asked == ["a"]
    with pytest.raises(KeyError):
        found["c"]


def test_a_stack_that_nobody_described():
    h5vidstack.pack(FLAT, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.dims == ("frame", "y", "x")
        assert dict(stack.coords) == {}
        assert (stack.names, len(stack.source.files), dict(stack.source.words)) == (None, 0, {})
        assert repr(stack.coords) == "<nothing>"


def test_names_and_coordinates():
    names = [f"cell {number}" for number in range(6)]
    h5vidstack.pack(FLAT, "x.h5", coords={"name": names, "t": (np.arange(6), {"units": "s"})})
    with h5vidstack.open("x.h5") as stack:
        assert stack.names.tolist() == names
        assert list(stack.coords) == ["name", "t"]
        assert stack.coords["t"].units == "s"
        assert stack.coords["t"] is stack.coords["t"]
        with pytest.raises(KeyError):
            stack.coords["q"]
        h5vidstack.pack(FLAT[:1], "x.h5", mode="a", coords={"t": ([9], {"units": "s"})})
        stack.refresh()
        np.testing.assert_array_equal(stack.coords["t"], [0, 1, 2, 3, 4, 5, 9])
        assert stack.names.tolist() == [*names, ""]


def test_packed_again():
    h5vidstack.pack(FLAT, "x.h5", dims=("t", "y", "x"), coords={"t": np.arange(6)}, attrs={"a": 1})
    with h5vidstack.open("x.h5") as stack:
        metadata = stack.metadata
        assert metadata.dims == ("t", "y", "x")
        assert metadata.attrs == {"a": 1}
        assert metadata.coords["t"].equals(stack.coords["t"])
