import numpy as np
from frames import noise
from packing import packed


def test_fast_looks_at_all_of_an_array():
    flat = np.zeros((40, 120, 160), np.uint8)
    flat[:, 50:60] = np.arange(40, dtype=np.uint8)[:, None, None]
    frames = np.concatenate([noise((4, 120, 160)), flat])
    np.save("a.npy", frames)
    for source in (frames, "a.npy"):
        assert packed(source, profile="fast")[0].codings[0] != "raw"
    _, got, _ = packed(iter(frames), profile="fast")
    np.testing.assert_array_equal(got, frames)
