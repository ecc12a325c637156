import zlib

import h5py
import numpy as np
import pytest
from frames import DTYPES, moving
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import h5vidstack
from h5vidstack.writing import coders


def test_group_is_smaller_than_gzip_on_scenes():
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 256, (2, 1, 60, 80)).astype(np.uint8)
    frames = np.concatenate([scene.repeat(40, axis=0) for scene in scenes])
    frames += rng.integers(0, 2, frames.shape).astype(np.uint8)
    sizes = {
        method: h5vidstack.pack(frames, f"{method}.h5", method=method).stored_bytes
        for method in ("group", "hdf5gzshuffle")
    }
    assert sizes["group"] < 0.6 * sizes["hdf5gzshuffle"]
    with h5vidstack.open("group.h5") as stack:
        assert 2 <= len(stack.groups) <= 5
        for pile in stack.groups:
            assert len({int(frame) < 40 for frame in pile.frames}) == 1  # of one scene
            assert len(pile.frames) >= 16
            assert list(pile.frames) == sorted(pile.frames)


def test_group_needs_no_hash_tables():
    frames = moving((40, 17, 23))
    for hashes in (True, False):
        h5vidstack.pack(frames, "x.h5", method="group", hashes=hashes, overwrite=True)
        with h5py.File("x.h5") as file:
            assert ("hashes" in file["stack"]) == hashes
            piles = {name: pile["members"][...] for name, pile in file["stack/groups"].items()}
        if hashes:
            with_tables = piles
    for name, members in piles.items():
        np.testing.assert_array_equal(members, with_tables[name])


@given(st.sampled_from([d for d in DTYPES if not d.startswith(">")]), st.integers(1, 5), st.data())
def test_means_lie_among_their_frames(dtype, count, data):
    frames = data.draw(npst.arrays(dtype, (count, 2, 3)))
    finite = np.nan_to_num(frames.astype(np.float64), nan=0, posinf=0, neginf=0)
    finite = finite.clip(-1e307, 1e307)  # sums of larger ones are infinite
    total = finite.sum(axis=0)
    mean = coders.mean_frame(total, count, np.dtype(dtype))
    assert mean.dtype == dtype
    least, most = finite.min(axis=0), finite.max(axis=0)
    slack = 1 + 1e-3 * np.maximum(abs(least), abs(most))
    assert (mean.astype(float) >= least - slack).all()
    assert (mean.astype(float) <= most + slack).all()


@pytest.mark.parametrize("name", ["mean", "difference"])
def test_damaged_groups(name):
    frames = moving((9, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="group")
    with h5py.File("x.h5", "r+") as file:
        pile = file["stack/groups/000000"]
        node = pile[name]
        raw = zlib.compress(bytes(node.dtype.itemsize * np.prod(node.chunks)))
        node.id.write_direct_chunk((0,) * node.ndim, raw)
    assert any("CRC-32" in problem for problem in h5vidstack.verify("x.h5"))
    with h5py.File("x.h5", "r+") as file:
        pile = file["stack/groups/000000"]
        del pile[name]
        pile[name] = np.zeros((3, 3), np.uint8)
    with pytest.raises(h5vidstack.FormatError):
        h5vidstack.open("x.h5")
