"""Axes and columns against plain numpy: flat, take and join; and through a file."""

import math

import numpy as np
import pytest
from frames import noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

import h5vidstack
from h5vidstack import Coordinate, MetadataError
from h5vidstack.metadata.description import Metadata
from h5vidstack.metadata.files import SourceFiles
from h5vidstack.metadata.words import Words, WordsKind

NAMES = ("T", "C", "Z")
DTYPES = some.sampled_from(["?", "u1", "i4", "f4", "f8", "S3", "M8[ms]", "m8[s]"])


@some.composite
def described(draw, first=None, inner=None):
    """A stack of several axes with columns along some of them, in any order, and what is said."""
    inner = draw(some.lists(some.integers(1, 3), max_size=2)) if inner is None else inner
    leading = (draw(some.integers(1, 4)) if first is None else first, *inner)
    dims = (*NAMES[: len(leading)], "y", "x")
    edges = dict(zip(dims, (*leading, 2, 5), strict=True))
    coords = {}
    for name in ("a", "b"):
        along = draw(some.permutations(dims))[: draw(some.integers(1, 3))]
        shape = tuple(edges[dim] for dim in along)
        values = draw(arrays.arrays(np.dtype(draw(DTYPES)), shape))
        if values.dtype.kind == "S":
            values = np.char.add(values, b"")
        coords[name] = Coordinate.of(along, values, {"units": name})
    count = math.prod(leading)
    coords["number"] = Coordinate.of((dims[0] if len(leading) == 1 else "frame",), np.arange(count))
    words = {
        "said": Words(WordsKind.TEXT, [b"odd", b"even"], np.arange(count, dtype=np.uint32) % 2)
    }
    return Metadata(dims, coords, {"k": 1}, words).checked(leading, (2, 5)), leading


def full(coordinate, dims, leading):
    """The value of each pixel: the coordinate as an array along all axes, frames first."""
    edges = (*leading, 2, 5)
    data = coordinate.data
    if len(leading) != 1 and coordinate.dims[:1] == ("frame",):
        data = data.reshape(*leading, *data.shape[1:])
        coordinate = Coordinate.of((*dims[: len(leading)], *coordinate.dims[1:]), data)
    order = sorted(range(data.ndim), key=lambda axis: dims.index(coordinate.dims[axis]))
    data = data.transpose(order)
    held = [dims.index(dim) for dim in coordinate.dims]
    shape = [edge if axis in held else 1 for axis, edge in enumerate(edges)]
    return np.broadcast_to(data.reshape(shape), edges).reshape(-1, 2, 5)


@given(described(), some.data())
def test_flat_and_take(stack, data):
    metadata, leading = stack
    count = math.prod(leading)
    numbers = np.array(data.draw(some.lists(some.integers(0, count - 1), max_size=5)), np.intp)
    flat, taken = metadata.flat(leading), metadata.take(numbers, leading)
    taken.checked((len(numbers),), (2, 5))
    for name, coordinate in metadata.coords.items():
        want = full(coordinate, metadata.dims, leading)
        np.testing.assert_array_equal(full(flat.coords[name], flat.dims, (count,)), want)
        found = full(taken.coords[name], taken.dims, (len(numbers),))
        np.testing.assert_array_equal(found, want[numbers])
    if len(numbers):
        said = [taken.words["said"][frame] for frame in range(len(numbers))]
        assert said == [("odd", "even")[number % 2] for number in numbers]


@given(some.data())
def test_join(data):
    inner = data.draw(some.lists(some.integers(1, 3), max_size=2))
    one, first = data.draw(described(inner=inner))
    two, second = data.draw(described(inner=inner))
    # Values that do not go along the first axis must be equal, and those that do of one kind.
    coords = {}
    for name, found in one.coords.items():
        grows = found.dims[0] in ("frame", one.dims[0])
        if not grows and one.dims[0] in found.dims:
            return
        shape = (second[0] if found.dims[0] == "T" else math.prod(second), *found.shape[1:])
        more = data.draw(arrays.arrays(found.data.dtype, shape)) if grows else found.data
        coords[name] = Coordinate.of(found.dims, more, found.attrs)
    two = Metadata(one.dims, coords, two.attrs, two.words).checked(second, (2, 5))
    both = one.join(two, first, second)
    leading = (first[0] + second[0], *inner)
    both.checked(leading, (2, 5))
    for name in one.coords:
        want = [
            full(part.coords[name], one.dims, axes) for part, axes in ((one, first), (two, second))
        ]
        found = full(both.coords[name], both.dims, leading)
        np.testing.assert_array_equal(found, np.concatenate(want))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(described())
def test_through_a_file(stack):
    metadata, leading = stack
    frames = noise((math.prod(leading), 2, 5)).reshape(*leading, 2, 5)
    coords = {name: (found.dims, found, found.attrs) for name, found in metadata.coords.items()}
    options = {"overwrite": True, "dims": metadata.dims, "attrs": metadata.attrs, "coords": coords}
    h5vidstack.pack(frames, "x.h5", **options)
    with h5vidstack.open("x.h5") as opened:
        assert opened.dims == metadata.dims
        assert opened.coords.keys() == metadata.coords.keys()
        for name, coordinate in metadata.coords.items():
            assert opened.coords[name].equals(coordinate)
            if coordinate.dtype.kind != "U":
                assert opened.coords[name].dtype == coordinate.dtype
        assert opened.verify() == []


def column(values, **attrs):
    return Coordinate.of(("frame",), values, attrs)


BASE = Metadata(("frame", "y", "x"), {"t": column([1.0, 2.0], units="s")}, {"a": 1})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Metadata(("z", "y", "x")), "axes are frame, y, x, those of the frames to add z, y, x"),
        (Metadata(BASE.dims, {"t": column([1.0])}), "in s, .*in no units"),
        (Metadata(BASE.dims, {}, {"a": 2}), "attribute a is 1, .*2: leave it out"),
        (Metadata(BASE.dims, {"t": Coordinate.of(("y",), [1.0])}), "along frame.* along y"),
    ],
)
def test_contradictions(other, said):
    with pytest.raises(MetadataError, match=said):
        BASE.join(other, (2,), (1,))


def test_attributes_of_a_source_that_differ():
    kept, notes = BASE.agreeing(Metadata(BASE.dims, {}, {"a": 2, "b": 3}))
    assert kept.attrs == {"b": 3}
    assert notes == ["The attribute a of the frames to add is 2; that of the stack stays 1."]


def test_files_and_columns_that_only_one_has():
    open("a.png", "wb").close()
    other = Metadata(BASE.dims, {"q": column([7])}, files=SourceFiles.of(["a.png"]))
    both = BASE.join(other, (2,), (1,))
    np.testing.assert_array_equal(both.coords["t"].values, [1, 2, np.nan])
    assert both.coords["q"].values[2] == 7
    assert both.files.place(2, 3) == (0, 0)
    assert both.files.place(0, 3) == (None, None)
