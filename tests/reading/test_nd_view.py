"""The view of a stack with all its axes: everything as numpy gives it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import h5vidstack
from h5vidstack.reading.nd_view import evenly

SHAPE = (4, 2, 3, 9, 12)
DIMS = ("T", "C", "Z", "y", "x")
KINDS = {
    "in order": {"method": "video", "chunk_frames": 4},
    "tiled": {"method": "video", "chunk_frames": 3, "tile": (4, 8)},
    "reordered": {"method": "groupvideo", "chunk_frames": 4},
}


def frames():
    """Frames of a few kinds, mixed, so that similar ones are put side by side."""
    noise = np.random.default_rng(2).integers(0, 5, SHAPE)
    return (
        noise + np.random.default_rng(3).permutation(24).reshape(*SHAPE[:3], 1, 1) % 3 * 80
    ).astype(np.uint8)


@pytest.fixture(scope="module", params=KINDS, ids=str)
def view(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("nd") / "x.h5"
    h5vidstack.pack(frames(), path, dims=DIMS, **KINDS[request.param])
    with h5vidstack.open(path) as stack:
        yield stack.nd


def keys(shape):
    basic = hnp.basic_indices(shape, allow_newaxis=True)
    arrays = hnp.integer_array_indices(shape)
    mixed = st.tuples(
        *(st.one_of(st.slices(edge), st.integers(-edge, edge - 1),
                    st.lists(st.integers(-edge, edge - 1), min_size=2, max_size=2))
          for edge in shape)
    )  # fmt: skip
    return st.one_of(basic, arrays, mixed)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(key=keys(SHAPE))
def test_any_index(view, key):
    np.testing.assert_array_equal(view[key], frames()[key], strict=True)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(key=keys((4, 3, 9, 12)))
def test_any_index_at_one_place(view, key):
    np.testing.assert_array_equal(view.at(C=-1)[key], frames()[:, 1][key], strict=True)


def test_masks(view):
    whole = frames()
    for mask in (whole > 80, whole[..., 0, 0] > 80, np.array([True, False, False, True])):
        np.testing.assert_array_equal(view[mask], whole[mask], strict=True)


def test_it_is_an_array(view):
    whole = frames()
    assert (view.shape, view.ndim, view.size, view.nbytes) == (SHAPE, 5, whole.size, whole.nbytes)
    assert (view.dims, view.dtype, len(view)) == (DIMS, np.uint8, 4)
    assert len(view.chunks) == 5
    np.testing.assert_array_equal(np.asarray(view), whole)
    np.testing.assert_array_equal(np.asarray(view, dtype=float), whole)
    np.testing.assert_array_equal(np.stack(list(view)), whole)
    np.testing.assert_array_equal(np.stack(list(view.at(T=2))), whole[2])
    with pytest.raises(ValueError, match="always a copy"):
        np.asarray(view, copy=False)
    assert repr(view) == "<T: 4, C: 2, Z: 3, y: 9, x: 12; uint8>"
    part = view.at(T=1).at(Z=2)
    assert (part.dims, part.shape) == (("C", "y", "x"), (2, 9, 12))


@pytest.mark.parametrize("key", [4, (0, 2), (0,) * 6, "x", (..., ...), ([0, 1], [0, 1, 2])])
def test_what_numpy_refuses(view, key):
    with pytest.raises(IndexError):
        view[key]


def test_no_such_place(view):
    for places in ({"Q": 0}, {"C": 2}, {"C": -3}):
        with pytest.raises(h5vidstack.SelectionError, match=next(iter(places))):
            view.at(**places)


def test_one_axis_that_counts_frames():
    h5vidstack.pack(frames().reshape(24, 9, 12), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert (stack.nd.dims, stack.nd.shape) == (("frame", "y", "x"), stack.shape)
        assert stack.nd.chunks == stack.chunks
        np.testing.assert_array_equal(np.stack(list(stack.nd)), stack[:])


def test_only_the_blocks_of_what_is_asked_for():
    h5vidstack.pack(frames(), "x.h5", method="video", chunk_frames=6)
    with h5vidstack.open("x.h5", cache_bytes=0) as stack:
        parsed = stack.nd._flattened(  # how many blocks are read shows nowhere else
            h5vidstack.reading.selection.parse((2, slice(None), 1), SHAPE)
        )
        assert len(list(stack.live().chunk_reads(parsed))) == 1


def test_even_distances():
    for numbers in ([], [3], [1, 4, 7], [5, 3, 1], [2, 1, 0]):
        assert list(evenly(np.array(numbers, np.intp))) == numbers
    for numbers in ([1, 1], [0, 1, 3]):
        assert evenly(np.array(numbers)) is None
