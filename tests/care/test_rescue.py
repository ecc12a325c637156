from pathlib import Path

import h5py
import numpy as np
import pytest
from damaging import FRAMES, METHODS, check, chunks, damage

import h5vidstack


@pytest.mark.parametrize("method", METHODS)
def test_frames_before_the_damage_are_saved(method):
    how = {"exact": True} if method == "pca" else {}
    if method in ("video", "groupvideo"):
        how["codec"] = "ffv1"
    h5vidstack.pack(FRAMES, "bad.h5", method=method, **how)
    before = Path("bad.h5").read_bytes()
    check([])
    name = {"group": "difference", "pca": "residual"}.get(method, "video")
    start, length = chunks(f"groups/000000/{name}")[2]
    damage(start + length * 2 // 3)
    damaged = Path("bad.h5").read_bytes()
    found = h5vidstack.recover("bad.h5", "good.h5", overwrite=True)
    block = 1 if name == "difference" or method.startswith("hdf5") else 16
    assert 1 <= len(found.lost) <= block + 4  # copies are lost with their frame
    if block > 1:
        assert len(found.lost) < 12
    check(list(found.lost))
    assert Path("bad.h5").read_bytes() == damaged != before


def test_sound_blocks_are_copied_as_they_are():
    h5vidstack.pack(FRAMES, "bad.h5", method="video", codec="x264")
    start, _ = chunks("groups/000000/video")[1]
    damage(start)
    found = h5vidstack.recover("bad.h5", "good.h5")
    assert not set(found.lost) - set(range(16, 32))
    with h5py.File("bad.h5") as bad, h5py.File("good.h5") as good:
        old, new = (file["stack/groups/000000/video"].id for file in (bad, good))
        assert new.read_direct_chunk((0, 0, 0)) == old.read_direct_chunk((0, 0, 0))
        assert new.read_direct_chunk((16, 0, 0)) == old.read_direct_chunk((32, 0, 0))


def test_lossy_stacks_stay_as_lossy_as_they_are():
    h5vidstack.pack(FRAMES, "bad.h5", method="video", crf=20)
    with h5vidstack.open("bad.h5") as stack:
        pixels, attrs = stack[:], stack.attrs
    start, length = chunks("groups/000000/video")[1]
    damage(start + length - 3)
    found = h5vidstack.recover("bad.h5", "good.h5")
    with h5vidstack.open("good.h5") as stack:
        kept = np.setdiff1d(np.arange(len(FRAMES)), found.lost)
        np.testing.assert_array_equal(stack[:], pixels[kept])
        for name in ("lossless", "max_error", "mse", "psnr"):
            assert stack.attrs[name] == attrs[name]


def test_differences_are_not_saved_as_frames():
    h5vidstack.pack(FRAMES, "bad.h5", method="pca", exact=True)
    ((start, length), *_) = chunks("groups/000000/pca/components")
    damage(start + length // 2)
    with pytest.raises(h5vidstack.FormatError, match="no intact"):
        h5vidstack.recover("bad.h5", "good.h5")
    assert not Path("good.h5").exists()
