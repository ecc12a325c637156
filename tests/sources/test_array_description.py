"""What an array says of itself, collected for a stack."""

import numpy as np
import pytest

from h5vidstack.sources.array_description import ArrayDescription, json_value, plain_value
from h5vidstack.sources.array_source import ArraySource


def described(description, shape=(3, 8, 10)):
    source = ArraySource(np.zeros(shape, np.uint8), "it")
    description.describe(source)
    return source


def test_names_of_axes():
    for given, dims in {
        ("t", None, None): ("t", "y", "x"),
        ("y", None, "x"): ("y", "y_1", "x"),
        ("x", "x", "x"): ("x", "x_1", "x_2"),
        (None, None, None): (),
        ("t", "y"): (),
    }.items():
        description = ArrayDescription((3, 8, 10), "it")
        description.name_axes(given)
        assert description.dims == dims
    description = ArrayDescription((3, 8, 10), "it")
    description.name_axes("txx")
    (note,) = described(description).notes
    assert "kept as x_1" in note


def test_coordinates_that_do_not_fit():
    description = ArrayDescription((3, 8, 10), "it")
    description.name_axes("tyx")
    description.add_coordinate("edges", ("x",), np.arange(11), {})
    description.add_coordinate("far", ("q",), np.arange(3), {})
    description.add_coordinate("x", ("y", "x"), np.ones((8, 10)), {"units": "m", "no": None})
    source = described(description)
    assert list(source.metadata.coords) == ["x_values"]
    for what in ("edges (it is 11 values long)", "far (it is along q)", "attribute no of x"):
        assert what in " ".join(source.notes)


@pytest.mark.parametrize(
    "value", ["a", b"a", 1, 1.5, True, np.int8(3), np.float32(2), np.arange(3), ["a", "b"], []]
)
def test_values_that_hdf5_has(value):
    kept = plain_value(value)
    np.testing.assert_array_equal(kept, value)
    assert np.asarray(kept).dtype == np.asarray(value).dtype


@pytest.mark.parametrize("value", [None, {"a": 1}, [1, [2]], [None, "a"], "a\0", 1j, object()])
def test_values_that_hdf5_lacks(value):
    with pytest.raises(TypeError):
        plain_value(value)


def test_values_of_json():
    value = {"a": [np.int8(1), (2.5, None)], 3: b"\xff", "n": np.arange(2)}
    assert json_value(value) == {"a": [1, [2.5, None]], "3": "\udcff", "n": [0, 1]}
    with pytest.raises(TypeError, match="a set"):
        json_value({"a": {1}})
