"""Frames that are added to a stack: equal to numpy's concatenate, whatever there was before."""

import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import SHAPES, moving, noise, pixels
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from places import SPEC_READER

import h5vidstack
from h5vidstack.cli import main

FRAMES = moving((60, 20, 30))


METHODS = ["auto", "video", "groupvideo", "hdf5", "hdf5gz", "hdf5gzshuffle", "group", "pca"]


def check(path, want):
    """All that is said of the stack is true, in three ways to read it."""
    with h5vidstack.open(path) as stack:
        assert stack.verify() == []
        np.testing.assert_array_equal(stack[:], want, strict=True)
        rng = np.random.default_rng(0)
        some = rng.integers(-len(want), len(want), 20)
        np.testing.assert_array_equal(stack[some], want[some])
        assert stack.attrs["shape"] == want.shape
        piles, method = stack.groups, stack.attrs["method"]
        hashes = stack.hashes() if h5py.is_hdf5(path) else None
    np.testing.assert_array_equal(SPEC_READER["read_stack"](path), want, strict=True)
    with h5py.File(path) as file:
        if "frames" in file["stack"]:
            np.testing.assert_array_equal(file["stack/frames"][...], want, strict=True)
    h5vidstack.pack(want, "whole.h5", method="video", overwrite=True)
    with h5vidstack.open("whole.h5") as whole:
        np.testing.assert_array_equal(whole.hashes(), hashes)
    return piles, method


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_more_frames(method):
    how = {"exact": True} if method == "pca" else {}
    h5vidstack.pack(FRAMES[:21], "x.h5", method=method, **how)
    want = FRAMES[:21]
    for more in (
        FRAMES[21:23],
        FRAMES[3:6],
        FRAMES[[30, 2, 30, 31]],
        FRAMES[23:],
        noise((20, 20, 30)),
    ):
        report = h5vidstack.pack(more, "x.h5", mode="a")
        want = np.concatenate([want, more])
        assert (report.frames, report.shape) == (len(more), want.shape)
    piles, found = check("x.h5", want)
    expected = {"auto": ("video", "groupvideo"), "pca": ("mixed",)}.get(method, (method,))
    assert found in expected
    if method in ("video", "hdf5", "hdf5gz", "hdf5gzshuffle"):
        assert len(piles) == 1


def test_old_blocks_stay_and_the_half_full_one_is_filled():
    def blocks(path):
        with h5py.File(path) as file:
            data = file["stack/groups/000000/video"].id
            count = range(data.get_num_chunks())
            return [data.read_direct_chunk((16 * i, 0, 0))[1] for i in count]

    h5vidstack.pack(FRAMES[:40], "x.h5", method="video")
    before = blocks("x.h5")
    h5vidstack.pack(FRAMES[40:], "x.h5", mode="a")
    after = blocks("x.h5")
    assert (len(before), len(after)) == (3, 4)
    assert before[:2] == after[:2]
    with h5py.File("x.h5") as file:
        assert file["stack/frames"] == file["stack/groups/000000/video"]
    check("x.h5", FRAMES)


def test_piles_that_are_there_are_not_touched():
    piles = np.concatenate([moving((40, 20, 30)), noise((40, 20, 30)) // 2])
    h5vidstack.pack(piles, "x.h5", method="groupvideo", codec="x264")
    with h5py.File("x.h5") as file:
        old = [
            data["video"].id.read_direct_chunk((0, 0, 0))
            for name, data in file["stack/groups"].items()
            if name != "ordered"
        ]
    h5vidstack.pack(moving((20, 20, 30), 7), "x.h5", mode="a")
    with h5py.File("x.h5") as file:
        new = [
            data["video"].id.read_direct_chunk((0, 0, 0))
            for name, data in file["stack/groups"].items()
            if name != "ordered"
        ]
    assert new[: len(old)] == old
    assert len(new) > len(old)
    check("x.h5", np.concatenate([piles, moving((20, 20, 30), 7)]))


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=9), min_size=2, max_size=4),
    st.sampled_from(["auto", "video", "groupvideo", "hdf5gz", "group"]),
    st.integers(1, 5),
)
@hypothesis_settings(max_examples=25)
def test_any_frames_in_any_parts(parts, method, chunk):
    source = np.concatenate([moving((16, 9, 7)), noise((15, 9, 7))])
    h5vidstack.pack(source[parts[0]], "p.h5", method=method, chunk_frames=chunk, overwrite=True)
    for part in parts[1:]:
        h5vidstack.pack(source[part], "p.h5", mode="a", chunk_frames=chunk)
    want = source[[number for part in parts for number in part]]
    with h5vidstack.open("p.h5") as stack:
        np.testing.assert_array_equal(stack[:], want)
        assert stack.verify() == []


@pytest.mark.parametrize("dtype", ["?", "i1", ">u2", "i4", "f2", "f8"])
def test_dtypes(dtype):
    frames = pixels((9, 17, 3), dtype)
    h5vidstack.pack(frames[:4], "x.h5", method="video")
    h5vidstack.pack(frames[4:], "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        assert stack[:].tobytes() == frames.astype(frames.dtype.newbyteorder("=")).tobytes()
        assert stack.verify() == []


@pytest.mark.parametrize("shape", SHAPES)
def test_odd_sizes(shape):
    frames = moving(shape)
    h5vidstack.pack(frames, "x.h5")
    h5vidstack.pack(frames[::-1] ^ 1, "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], np.concatenate([frames, frames[::-1] ^ 1]))
        assert stack.verify() == []


def test_tiles_go_on():
    frames = moving((20, 70, 90))
    h5vidstack.pack(frames[:9], "x.h5", method="video", tile=(32, 48))
    h5vidstack.pack(frames[9:], "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks[1:] == (32, 48)
        assert len(stack.groups) == 1
    check("x.h5", frames)


def test_leading_axes_grow_where_they_go_on():
    h5vidstack.pack(FRAMES[:20].reshape(4, 5, 20, 30), "x.h5")
    h5vidstack.pack(FRAMES[20:30].reshape(2, 5, 20, 30), "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        assert stack.leading_shape == (6, 5)
        stack.append(FRAMES[30:31])
        assert stack.leading_shape == (31,)
        assert stack.verify() == []


def test_lossy_frames_are_asked_for_and_said_of_all():
    first = FRAMES[:20].astype(np.float32)
    more = first[::-1] * 1.37
    h5vidstack.pack(first, "x.h5")
    report = h5vidstack.pack(more, "x.h5", mode="a", max_error=0.5)
    assert 0 < report.max_error <= 0.5
    with h5vidstack.open("x.h5") as stack:
        got = stack[:]
        assert stack.attrs["max_error"] == np.abs(got[20:] - more).max()
        assert not stack.attrs["lossless"]
        mse = float(np.mean((got[20:].astype(float) - more) ** 2)) / 2
        assert stack.attrs["mse"] == pytest.approx(mse, rel=1e-6)
        np.testing.assert_array_equal(got[:20], first)
        stack.append(first[:3] + 0.25)  # exactly, since nothing else is asked for
        np.testing.assert_array_equal(stack[-3:], first[:3] + 0.25)
        assert stack.attrs["mse"] == pytest.approx(mse * 40 / 43, rel=1e-6)
        assert stack.verify() == []


def test_hashes_only_where_all_have_them():
    h5vidstack.pack(FRAMES[:9], "x.h5", hashes=False)
    h5vidstack.pack(FRAMES[9:], "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        with pytest.raises(h5vidstack.FormatError, match="rehash"):
            stack.hashes()


def test_add_where_there_is_none_yet():
    h5vidstack.pack(FRAMES[:5], "x.h5", mode="a")
    h5vidstack.pack(FRAMES[5:9], "x.h5::/other", mode="a")
    h5vidstack.pack(FRAMES[9:12], "x.h5::/other", mode="a")
    with h5vidstack.open("x.h5") as one, h5vidstack.open("x.h5::/other") as other:
        np.testing.assert_array_equal(one[:], FRAMES[:5])
        np.testing.assert_array_equal(other[:], FRAMES[5:12])


BAD = {
    "size": (FRAMES[:, :-1], {}, "19x30 uint8, .* 20x30 uint8"),
    "dtype": (FRAMES.astype(np.uint16), {}, "uint16.*uint8"),
    "pca": (FRAMES, {"method": "pca"}, "auto"),
    "overwrite": (FRAMES, {"overwrite": True}, "overwrites nothing"),
    "nothing": (FRAMES[:0], {}, "no frames"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frames_leave_the_stack_as_it_was(name):
    frames, how, words = BAD[name]
    h5vidstack.pack(FRAMES[:9], "x.h5")
    before = Path("x.h5").read_bytes()
    with pytest.raises(h5vidstack.Error, match=words):
        h5vidstack.pack(frames, "x.h5", mode="a", **how)
    assert Path("x.h5").read_bytes() == before


def test_bad_stacks():
    with pytest.raises(h5vidstack.OutputError, match="mode"):
        h5vidstack.pack(FRAMES, "x.h5", mode="r+")
    Path("text.h5").write_text("no stack")
    with pytest.raises(h5vidstack.FormatError, match="not an HDF5 file"):
        h5vidstack.pack(FRAMES, "text.h5", mode="a")
    with h5py.File("bare.h5", "w") as file:
        file.create_dataset("stack", data=FRAMES, **h5vidstack.Video())
        file["other"] = FRAMES
    with pytest.raises(h5vidstack.FormatError, match="bare dataset"):
        h5vidstack.pack(FRAMES, "bare.h5", mode="a")
    with pytest.raises(h5vidstack.FormatError, match="without h5vidstack's filter"):
        h5vidstack.pack(FRAMES, "bare.h5::/other", mode="a")
    h5vidstack.pack(FRAMES[:20], "x.h5", method="video")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].resize(36, axis=0)
        file["stack/frames"][20:] = FRAMES[20:36]
    with pytest.raises(h5vidstack.FormatError, match="recover"):
        h5vidstack.pack(FRAMES, "x.h5", mode="a")


RACE = """
    import sys, numpy as np, h5vidstack
    sys.stdin.readline()
    try:
        h5vidstack.pack(np.full((1, 20, 30), int(sys.argv[1]), np.uint8), "x.h5", mode="a")
    except h5vidstack.OutputError as error:
        print("refused")
    else:
        print("done")
"""


def test_of_two_that_add_at_once_both_or_one_is_told():
    h5vidstack.pack(FRAMES[:9], "x.h5", method="video")
    code = textwrap.dedent(RACE)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(value)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for value in (1, 2, 3)
    ]
    said = [None] * 3
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    for number, racer in enumerate(racers):
        said[number] = racer.communicate()[0].strip()
    with h5vidstack.open("x.h5") as stack:
        assert len(stack) == 9 + said.count("done")
        assert stack.verify() == []
        there = set(stack[9:, 0, 0].tolist())
    assert there == {number + 1 for number, word in enumerate(said) if word == "done"}


def test_what_appears_meanwhile_is_not_replaced():
    def late(step):
        Path("x.h5").write_text("precious")

    with pytest.raises(h5vidstack.OutputError, match="meanwhile"):
        h5vidstack.pack(FRAMES, "x.h5", progress=late)
    assert Path("x.h5").read_text() == "precious"


def test_command():
    np.save("a.npy", FRAMES[:12])
    np.save("b.npy", FRAMES[12:])
    run = CliRunner().invoke
    assert run(main, ["append", "x.h5", "b.npy"]).exit_code == 1
    assert run(main, ["pack", "a.npy", "x.h5"]).exit_code == 0
    result = run(main, ["append", "x.h5", "b.npy"])
    assert result.exit_code == 0
    assert "added 48 x 20 x 30" in result.output
    assert "holds 60 frames now" in result.output
    result = run(main, ["append", "x.h5", "b.npy", "--json"])
    assert '"copies": 48' in result.output
    check("x.h5", np.concatenate([FRAMES, FRAMES[12:]]))


def test_named_axes_are_not_given_up():
    frames = moving((12, 16, 17))
    h5vidstack.pack(frames.reshape(3, 2, 2, 16, 17), "x.h5", dims="T,C,Z,y,x")
    with pytest.raises(
        h5vidstack.MetadataError, match=r"T, C, Z of 3 x 2 x 2 .* \(n, 2, 2, H, W\)"
    ):
        h5vidstack.pack(frames[:4], "x.h5", mode="a")
    h5vidstack.pack(frames[:4].reshape(1, 2, 2, 16, 17), "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        assert stack.leading_shape == (4, 2, 2)
    h5vidstack.pack(frames.reshape(3, 2, 2, 16, 17), "y.h5")  # whose axes nobody named
    h5vidstack.pack(frames[:4], "y.h5", mode="a")
    with h5vidstack.open("y.h5") as stack:
        assert stack.leading_shape == (16,)
