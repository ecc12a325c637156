import zlib

import h5py
import numpy as np
import pytest
from frames import DTYPES, moving, noise, wave
from packing import packed

import h5vidstack
from h5vidstack.choosing.profiles import PROFILES


# A short run has every profile with every third dtype, gray or in colour.
@pytest.mark.parametrize(
    ("dtype", "profile", "colour"),
    [
        pytest.param(
            dtype, profile, colour, marks=[pytest.mark.long] * ((row + column + 3 * colour) % 6 > 0)
        )
        for row, dtype in enumerate(DTYPES)
        for column, profile in enumerate(PROFILES)
        for colour in (False, True)
    ],
)
def test_every_dtype_in_every_profile(dtype, profile, colour):
    frames = (wave((21, 18, 25)) * 60).astype(np.dtype(dtype).newbyteorder("="))
    if colour:
        frames = np.stack([frames, frames[::-1], frames[:, ::-1]], axis=-1)
    given = frames.astype(dtype)
    report, got, attrs = packed(given, profile=profile)
    np.testing.assert_array_equal(got, frames, strict=True)
    assert report.lossless
    assert attrs["lossless"]
    assert h5vidstack.verify("x.h5", against=given) == []
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames, strict=True)
        assert list(file["stack/index/crc32"]) == [zlib.crc32(frame.tobytes()) for frame in frames]


def test_profiles_differ_as_they_say():
    frames = np.concatenate([moving((64, 90, 120)) // 16 * 16, noise((16, 90, 120)) // 64])
    sizes = {name: packed(frames, profile=name)[0] for name in PROFILES}
    assert sizes["small"].stored_bytes <= sizes["balanced"].stored_bytes * 1.001
    assert sizes["balanced"].stored_bytes <= sizes["fast"].stored_bytes
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks[0] == 256
