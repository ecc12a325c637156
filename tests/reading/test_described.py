"""What a stack says of its frames besides their pixels."""

import numpy as np
import pytest
from frames import moving

import h5vidstack

FRAMES = moving((6, 8, 9))


def test_a_stack_that_nobody_described():
    h5vidstack.pack(FRAMES, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.dims == ("frame", "y", "x")
        assert dict(stack.coords) == {}
        assert (stack.names, len(stack.source.files), dict(stack.source.words)) == (None, 0, {})
        assert repr(stack.coords) == "<nothing>"


def test_names_and_coordinates():
    names = [f"cell {number}" for number in range(6)]
    h5vidstack.pack(FRAMES, "x.h5", coords={"name": names, "t": (np.arange(6), {"units": "s"})})
    with h5vidstack.open("x.h5") as stack:
        assert stack.names.tolist() == names
        assert list(stack.coords) == ["name", "t"]
        assert stack.coords["t"].units == "s"
        assert stack.coords["t"] is stack.coords["t"]
        with pytest.raises(KeyError):
            stack.coords["q"]
        h5vidstack.pack(FRAMES[:1], "x.h5", mode="a", coords={"t": ([9], {"units": "s"})})
        stack.refresh()
        np.testing.assert_array_equal(stack.coords["t"], [0, 1, 2, 3, 4, 5, 9])
        assert stack.names.tolist() == [*names, ""]


def test_packed_again():
    h5vidstack.pack(
        FRAMES, "x.h5", dims=("t", "y", "x"), coords={"t": np.arange(6)}, attrs={"a": 1}
    )
    with h5vidstack.open("x.h5") as stack:
        metadata = stack.metadata
        assert metadata.dims == ("t", "y", "x")
        assert metadata.attrs == {"a": 1}
        assert metadata.coords["t"].equals(stack.coords["t"])
