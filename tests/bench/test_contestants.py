from pathlib import Path

import numpy as np
import pytest
from benched import STACKS

import h5vidstack
from h5vidstack.bench.roster import all_contestants


@pytest.mark.parametrize("kind", STACKS)
def test_every_contestant_gives_back_what_it_was_given(kind):
    frames = STACKS[kind]
    bound = 0.75 if frames.dtype.kind == "f" else None
    able = [
        one
        for one in all_contestants(frames, bound)
        if one.missing is None
        and one.refusal is None
        # The one needs more frames, the other patches h5py where it is imported.
        and not one.name.startswith(("pca ", "h5ffmpeg"))
        and (kind != "bool" or not one.name.endswith(" mp4"))
    ]
    assert sum(not one.ours for one in able) >= 3  # gzip, lzf need nothing but h5py
    for number, one in enumerate(able):
        path = Path(f"{number}.out")
        if kind == "uint16" and one.ours and " x264-" in one.name:
            with pytest.raises(h5vidstack.UnsupportedError, match="holds values of up to 10 bits"):
                one.write(frames, path)
            continue
        one.write(frames, path)
        with one.read(path) as reader:
            got = np.asarray(reader[:])
            singles = {n: np.asarray(reader[n]) for n in (7, 0, len(frames) - 1, 3)}
        assert (got.shape, got.dtype) == (frames.shape, frames.dtype), one.name
        if one.name.startswith(("bounded", "SZ3", "ZFP")):
            assert np.abs(got - frames).max() <= bound, one.name
        elif not one.name.endswith((" mp4", "torchcodec", "decord")):
            assert got.tobytes() == frames.tobytes(), one.name
        for n, single in singles.items():
            np.testing.assert_array_equal(single, got[n], err_msg=f"{one.name}, frame {n}")


@pytest.mark.parametrize(
    ("kind", "refusing"),
    [("RGBA", "x264 veryslow mkv"), ("float64", "JPEG-LS"), ("int32", "FFV1 mkv"),
     ("RGB", "h5ffmpeg x264 crf 0")],
)  # fmt: skip
def test_who_cannot_hold_the_frames_says_so(kind, refusing):
    (one,) = (one for one in all_contestants(STACKS[kind]) if one.name == refusing)
    assert one.refusal.startswith("takes no ")
