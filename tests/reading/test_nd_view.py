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


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cut=st.tuples(*(st.one_of(st.none(), st.slices(edge), st.integers(-edge, edge - 1)) for edge in SHAPE)),
    data=st.data(),
)  # fmt: skip
def test_any_index_at_some_places(view, cut, data):
    given = {name: place for name, place in zip(DIMS, cut, strict=True) if place is not None}
    part = view.at(**given)
    wanted = frames()[tuple(slice(None) if place is None else place for place in cut)]
    assert part.shape == wanted.shape
    assert len(part.chunks) == part.ndim
    if wanted.ndim:
        key = data.draw(keys(wanted.shape)) if wanted.size else ...
        np.testing.assert_array_equal(part[key], wanted[key], strict=True)
    if wanted.ndim and len(wanted):
        half = part.at(**{part.dims[0]: slice(None, None, -2)})
        np.testing.assert_array_equal(half, wanted[::-2])


def test_packed_with_what_is_known_of_its_frames(tmp_path):
    numbers = np.arange(24)
    coords = {
        "C": ["gfp", "rfp"], "T": (np.arange(4.0), {"units": "s"}), "y": np.arange(9) * 0.5,
        "time": numbers / 7, "e": (("C", "Z"), np.arange(6).reshape(2, 3)), "name": [f"f{i}" for i in numbers],
    }  # fmt: skip
    h5vidstack.pack(frames(), tmp_path / "x.h5", dims=DIMS, coords=coords, attrs={"title": "a"})
    with h5vidstack.open(tmp_path / "x.h5") as stack:
        whole = stack.nd
        for cut, shape in (
            ({"T": slice(3, 0, -1), "C": 1}, (3, 3)),
            ({"T": slice(1, 3), "y": slice(2, 8)}, (2, 2, 3)),
            ({"T": 2, "Z": -1}, (2,)),
        ):
            part = whole.at(**cut)
            h5vidstack.pack(part, tmp_path / "part.h5", overwrite=True)
            index = tuple(cut.get(name, slice(None)) for name in DIMS)
            wanted = numbers.reshape(SHAPE[:3])[index[:3]].ravel()
            with h5vidstack.open(tmp_path / "part.h5") as found:
                assert found.dims == part.dims
                assert found.leading_shape == shape
                np.testing.assert_array_equal(found.nd, frames()[index])
                np.testing.assert_array_equal(found.coords["time"], wanted / 7)
                assert found.names.tolist() == [f"f{i}" for i in wanted]
                assert [found.source.image(i) for i in range(len(found))] == wanted.tolist()
                assert found.attrs["title"] == "a"
                np.testing.assert_array_equal(found.coords["y"], stack.coords["y"][index[3]])
                one = stack.coords["e"].values[index[1], index[2]]
                np.testing.assert_array_equal(found.coords["e"], one)
        h5vidstack.pack(whole, tmp_path / "all.h5")
        h5vidstack.pack(whole.at(y=0, T=0), tmp_path / "rows.h5")
        with h5vidstack.open(tmp_path / "all.h5") as found:
            assert found.coords["time"].dims == ("frame",)
            assert all(found.coords[name].equals(stack.coords[name]) for name in coords)
        with h5vidstack.open(tmp_path / "rows.h5") as found:
            assert found.dims == ("C", "Z", "x")
            np.testing.assert_array_equal(found.nd, frames()[0, :, :, 0])
            np.testing.assert_array_equal(found.coords["time"], np.arange(6).reshape(2, 3) / 7)
