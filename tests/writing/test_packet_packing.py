"""`pack --copy`: the packets of H.264 files as blocks, bit for bit what the file decodes to."""

import json
import os
import re
import tempfile
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from click.testing import CliRunner
from frames import moving
from hypothesis import given, settings
from hypothesis import strategies as st
from places import SPEC_READER
from videos import access_units, copied, luma, write_video

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.codecs import av_engine, h264
from h5vidstack.sources.video import packets

VIDEOS = {
    "p.mp4": {"bf": "0"},
    "b.mp4": {"bf": "2"},
    "pyramid.mkv": {"bf": "3", "params": "b-pyramid=normal:ref=4:weightp=2"},
    "raw.h264": {"bf": "2"},
    "stream.ts": {"bf": "2", "size": (48, 64)},
    "slices.mp4": {"params": "slices=4", "size": (96, 64)},
    "full.mp4": {"pixel_format": "yuvj420p"},
    "ten.mp4": {"pixel_format": "yuv420p10le"},
    "mono.mp4": {"pixel_format": "gray", "size": (31, 45)},
    "lossless.mp4": {"qp": "0", "bf": "2"},
    "intra.mp4": {"gop": 1},
    "single.mp4": {"count": 1},
    "one-gop.mp4": {"gop": 250},
    "cavlc.mp4": {"params": "cabac=0:8x8dct=0", "bf": "0", "size": (48, 64)},
}


@pytest.mark.parametrize("name", VIDEOS)
def test_copied_is_what_the_file_decodes_to(name):
    write_video(name, **VIDEOS[name])
    expected = luma(name)
    report = copied(name)
    assert report.lossless
    assert report.method == "video"
    assert report.codings == (h264.AS_THEY_CAME,)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], expected, strict=True)
        assert stack.verify() == []
        run = min(VIDEOS[name].get("gop", 8), len(expected))
        assert stack.chunks == (run, *expected.shape[1:])
        for number in np.random.default_rng(0).permutation(len(expected)):
            with h5vidstack.open("x.h5") as fresh:  # decodes no further than this frame
                np.testing.assert_array_equal(fresh[int(number)], expected[number])
    np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), expected, strict=True)
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][:], expected)
        assert set(file["stack/hashes"]) == {"phash", "ahash", "dhash"}
    assert h5vidstack.verify("x.h5", against=name, gray=True) == []


@pytest.mark.parametrize("name", ["p.mp4", "b.mp4", "raw.h264", "ten.mp4", "mono.mp4"])
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_export_gives_a_video_of_the_same_packets(name, ending):
    write_video(name, **VIDEOS[name])
    copied(name)
    done = h5vidstack.export("x.h5", f"out.{ending}", fps=10)
    assert (done.copied, done.codec) == (True, "h264")
    np.testing.assert_array_equal(luma(f"out.{ending}"), luma(name))
    with av.open(f"out.{ending}") as video:
        times = [float(frame.pts * frame.time_base) for frame in video.decode(video=0)]
    assert times == pytest.approx(np.arange(21) / 10)
    assert _slices(f"out.{ending}") == _slices(name)


def test_parameter_sets_that_stand_only_once():
    write_video("p.h264", bf="0")
    first, *rest = access_units("p.h264")
    bare = [h264.without(unit, (h264.SPS, h264.PPS)) for unit in rest]
    Path("once.h264").write_bytes(first + b"".join(bare))
    copied("once.h264")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[17], luma("once.h264")[17])
        assert stack.verify() == []


def _slices(path):
    """The coded pictures of a file, without parameter sets and what else may stand around."""
    found = []
    with av.open(path) as video:
        stream = video.streams.video[0]
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in video.demux(stream):
            for whole in to_annex_b.filter(packet if packet.size else None):
                units = h264.units(bytes(whole))
                found += [unit.rstrip(b"\0") for unit in units if h264.kind(unit) in (1, 5)]
    return found


@pytest.mark.parametrize("chunk_frames", [None, 16])
def test_the_independent_reader_knows_b_pictures(chunk_frames):
    """And several IDR pictures in a block, and frames that were added."""
    write_video("b.mp4", bf="2")
    copied("b.mp4", chunk_frames=chunk_frames)
    h5vidstack.pack(moving((3, 46, 62)), "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), stack[:])
    h5vidstack.recover("x.h5", "saved.h5")
    with h5vidstack.open("saved.h5") as saved, h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(saved[:], stack[:])


IRREGULAR = {
    "p.mp4": {"bf": "0"},
    "b.mp4": {"bf": "2"},
    "pyramid.mkv": {"bf": "3", "params": "b-pyramid=normal:ref=4:weightp=2"},
    "stream.ts": {"bf": "2", "size": (48, 64)},
    "raw.h264": {"bf": "2"},
    "full.mkv": {"pixel_format": "yuv444p"},
    "ten.mp4": {"pixel_format": "yuv422p10le", "bf": "2"},
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_key_frames_wherever_they_are(name):
    """As x264 sets them: where the picture changes, and at the latest every 250 frames."""
    keys = (0, 3, 20, 41, 42, 60, 83)
    write_video(name, count=90, gop=250, keys=keys, **IRREGULAR[name])
    expected = luma(name)
    report = copied(name)
    assert (report.method, report.lossless) == ("video", True)
    assert report.piles == 3  # blocks of 23 and 22, of 20 and 18, and of 7 frames
    with h5vidstack.open("x.h5") as stack:
        assert [len(group.frames) for group in stack.groups] == [45, 38, 7]
        np.testing.assert_array_equal(stack[:], expected, strict=True)
        np.testing.assert_array_equal(np.stack(list(stack)), expected)
        assert stack.verify() == []
    for number in np.random.default_rng(0).permutation(90)[:30].tolist():
        with h5vidstack.open("x.h5") as fresh:
            np.testing.assert_array_equal(fresh[number], expected[number])
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][:], expected)
        np.testing.assert_array_equal(file["stack/frames"][44], expected[44])
    np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), expected, strict=True)
    assert h5vidstack.verify("x.h5", against=name, gray=True) == []
    assert h5vidstack.export("x.h5", "out.mkv").copied
    assert _slices("out.mkv") == _slices(name)


@given(st.sets(st.integers(1, 47)), st.integers(0, 3), st.sampled_from([None, 48, 20]))
@settings(max_examples=10, deadline=None)
def test_any_structure_of_gops(keys, b_pictures, most):
    with tempfile.TemporaryDirectory() as folder:
        name, target = f"{folder}/v.mkv", f"{folder}/x.h5"
        write_video(name, count=48, gop=20, keys=keys, bf=str(b_pictures), size=(16, 32))
        copied(name, target, hashes=False, chunk_frames=most)
        with h5vidstack.open(target) as stack, h5py.File(target) as file:
            frames = stack[:]
            np.testing.assert_array_equal(file["stack/frames"][:], frames)
            for number in range(0, 48, 5):
                np.testing.assert_array_equal(stack[number], frames[number])
        assert h5vidstack.verify(target, against=name, gray=True) == []


def test_adding_gops_of_other_lengths():
    write_video("a.mp4", bf="2")
    write_video("b.mp4", count=40, gop=250, keys=(7, 9, 31), bf="2")
    both = np.concatenate([luma("a.mp4"), luma("b.mp4")])
    copied("a.mp4")
    with h5vidstack.open("x.h5") as stack:
        stack.append("b.mp4", copy=True, gray=True)
        np.testing.assert_array_equal(stack[:], both)
        assert stack.verify() == []
    copied("b.mp4", "y.h5")
    with h5vidstack.open("y.h5") as stack:
        stack.append("a.mp4", copy=True, gray=True)
        stack.append(both[:3])
        np.testing.assert_array_equal(stack[40:], np.concatenate([both[:21], both[:3]]))
    np.testing.assert_array_equal(SPEC_READER["read_stack"]("y.h5")[:40], both[21:])
    h5vidstack.recover("y.h5", "z.h5")
    with h5vidstack.open("z.h5") as saved, h5vidstack.open("y.h5") as stack:
        np.testing.assert_array_equal(saved[:], stack[:])


def test_the_version_of_x264_is_kept():
    """FFmpeg decodes 4:4:4 by it, and only the first packet of a file tells it."""
    write_video("new.h264", pixel_format="yuv444p", params="cabac=0")
    data = Path("new.h264").read_bytes()
    version = re.search(rb"x264 - core \d{3}", data)
    assert len(re.findall(rb"x264 - core \d{3}", data)) == 1
    Path("old.h264").write_bytes(data.replace(version[0], b"x264 - core 142"))
    for chunk_frames in (None, 16):
        copied("old.h264", chunk_frames=chunk_frames, overwrite=True)
        assert Path("x.h5").read_bytes().count(b"x264 - core 142") == 3
        np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), luma("old.h264"))


def test_a_frame_is_decoded_from_the_gop_that_it_is_in(monkeypatch):
    write_video("v.mkv", count=48, gop=8, bf="2")
    expected = luma("v.mkv")
    copied("v.mkv", chunk_frames=48)
    fed: list[int] = []
    real = av_engine._decoded
    with h5vidstack.open("x.h5") as stack:
        # Private: nothing public tells how many packets a decoder was given.
        monkeypatch.setattr(
            av_engine, "_decoded",
            lambda context, packets, units: real(context, _counted(packets, fed), units),
        )  # fmt: skip
        np.testing.assert_array_equal(stack[42], expected[42])
        assert len(fed) <= 8
        np.testing.assert_array_equal(stack[7], expected[7])
        assert len(fed) <= 8 + 8 + 4


def _counted(packets, fed):
    for packet in packets:
        fed.append(len(packet))
        yield packet


def test_stays_as_small_as_the_video():
    write_video("b.mp4", count=200, size=(96, 128), gop=25, bf="2")
    report = copied("b.mp4", hashes=False)
    assert report.stored_bytes < os.path.getsize("b.mp4") * 1.1
    anew = h5vidstack.pack("b.mp4", "anew.h5", gray=True)
    assert report.stored_bytes < anew.stored_bytes / 2
    with h5py.File("x.h5") as file:
        assert "hashes" not in file["stack"]


def test_blocks_of_several_gops():
    write_video("b.mp4", bf="2")
    expected = luma("b.mp4")
    for frames in (8, 16, 24, 100):
        copied("b.mp4", chunk_frames=frames, overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            assert stack.chunks[0] == min(frames, 21)
            np.testing.assert_array_equal(stack[:], expected)
            np.testing.assert_array_equal(stack[13], expected[13])
    copied("b.mp4", chunk_frames=10, overwrite=True)
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks[0] == 8
    with pytest.raises(h5vidstack.UnsupportedError, match="GOPs of up to 8 frames"):
        copied("b.mp4", "y.h5", chunk_frames=7)


def test_adding_to_a_copied_stack_and_copying_to_another():
    write_video("b.mp4", bf="2")
    expected = luma("b.mp4")
    copied("b.mp4")
    more = moving((5, 46, 62), seed=1)
    h5vidstack.pack(more, "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        assert len(stack.groups) == 1
        np.testing.assert_array_equal(stack[:], np.concatenate([expected, more]))
        assert stack.groups[0].coding.startswith(f"{h264.AS_THEY_CAME}, then ")
        stack.append("b.mp4", copy=True, gray=True)
        np.testing.assert_array_equal(stack[:], np.concatenate([expected, more, expected]))
        assert stack.verify() == []
        assert [group.preset for group in stack.groups] == [None, None]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][26:], expected)
    assert h5vidstack.export("x.h5", "x.mkv").copied


def test_damage_costs_one_block():
    write_video("b.mp4", bf="2")
    expected = luma("b.mp4")
    copied("b.mp4")
    with h5py.File("x.h5") as file:
        place = file["stack/frames"].id.get_chunk_info(1)
    data = bytearray(Path("x.h5").read_bytes())
    data[place.byte_offset + place.size - 9] ^= 255
    Path("x.h5").write_bytes(data)
    with h5vidstack.open("x.h5") as stack, pytest.raises(h5vidstack.BlockError, match="8-15"):
        stack[:]
    found = h5vidstack.recover("x.h5", "saved.h5")
    with h5vidstack.open("saved.h5") as stack:
        np.testing.assert_array_equal(stack[:], np.delete(expected, found.lost, axis=0))
    assert {*found.lost} <= {*range(8, 16)}
    assert h5vidstack.verify("saved.h5") == []


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"params": "open-gop=1", "bf": "2"}, h5vidstack.UnsupportedError, "open GOPs: of 3 key"),
        ({"flags": "+ildct+ilme", "size": (64, 64)}, h5vidstack.UnsupportedError, "interlaced"),
        ({"codec": "libx265", "x265-params": "log-level=none"}, h5vidstack.UnsupportedError, "hevc"),
        ({"codec": "mpeg4"}, h5vidstack.UnsupportedError, "mpeg4"),
        ({"params": "slice-max-mbs=1", "size": (320, 16)}, h5vidstack.UnsupportedError, "NAL units"),
    ],
)  # fmt: skip
def test_refused(options, error, says):
    write_video("v.mp4", **options)
    with pytest.raises(error, match=says) as caught:
        copied("v.mp4")
    assert "Without --copy (copy=True) it is coded anew, losslessly" in str(caught.value)
    assert os.listdir() == ["v.mp4"]


def test_a_gop_that_is_too_long(monkeypatch):
    write_video("v.mp4", gop=8)
    # Private: a video of a GiB would take a minute.
    monkeypatch.setattr(packets, "MAX_COPIED_BYTES", 7 * 46 * 62)
    with pytest.raises(h5vidstack.UnsupportedError, match=r"a GOP of 8 frames.*, 7 frames"):
        copied("v.mp4")
    monkeypatch.setattr(packets, "MAX_COPIED_BYTES", 15 * 46 * 62)
    with pytest.raises(h5vidstack.UnsupportedError, match=r"chunk-frames is 16.* at most 15"):
        copied("v.mp4", chunk_frames=16)
    assert os.listdir() == ["v.mp4"]


def test_colour_needs_gray():
    write_video("v.mp4")
    with pytest.raises(h5vidstack.UnsupportedError, match="--gray"):
        h5vidstack.pack("v.mp4", "x.h5", copy=True)
    assert os.listdir() == ["v.mp4"]


@pytest.mark.parametrize(
    "options",
    [["--method", "groupvideo"], ["--profile", "small"], ["--codec", "x264"], ["--crf", "20"],
     ["--preset", "x264-fast"], ["--max-error", "1"], ["--tile", "16"], ["--resume"],
     ["--no-verify"], ["--explain"], ["--scheduler", "tcp://127.0.0.1:1"], ["--exact"], ["--components", "3"]],
)  # fmt: skip
def test_options_that_contradict(options):
    write_video("v.mp4")
    result = CliRunner().invoke(main, ["pack", "v.mp4", "x.h5", "--gray", "--copy", *options])
    assert result.exit_code == 2, result.output
    assert "it takes no " in result.stderr
    assert os.listdir() == ["v.mp4"]


def test_contradictions_in_python():
    for options in ({"resume": True}, {"verify": False}, {"method": "pca"}, {"profile": "fast"}):
        with pytest.raises(h5vidstack.UnsupportedError, match="it takes no"):
            copied("v.mp4", **options)


def test_command_line():
    write_video("v.mp4", bf="2")
    runner, seen = CliRunner(), []
    done = runner.invoke(main, ["pack", "v.mp4", "x.h5", "--gray", "--copy", "--method", "video"])
    assert done.exit_code == 0, done.output
    assert "coded by H.264 packets as they came: lossless" in done.output
    assert (
        "video, H.264 packets as they came, lossless"
        in runner.invoke(main, ["info", "x.h5"]).output
    )
    facts = json.loads(runner.invoke(main, ["info", "x.h5", "--json"]).output)
    assert (facts["codec"], facts["preset"], facts["lossless"]) == ("x264", None, True)
    added = runner.invoke(main, ["append", "x.h5", "v.mp4", "--gray", "--copy"])
    assert added.exit_code == 0, added.output
    assert runner.invoke(main, ["verify", "x.h5"]).exit_code == 0
    h5vidstack.pack(
        "v.mp4",
        "y.h5",
        gray=True,
        copy=True,
        progress=lambda step: seen.append((step.frames, step.total)),
    )
    assert seen == [(8, 21), (16, 21), (21, 21)]


def test_what_export_makes_comes_back_as_it_was():
    frames = moving((40, 33, 47))
    h5vidstack.pack(frames, "a.h5", method="video", codec="x264", chunk_frames=10)
    assert h5vidstack.export("a.h5", "a.mp4").copied
    copied("a.mp4", "b.h5")
    with h5vidstack.open("b.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        assert stack.chunks[0] == 10
