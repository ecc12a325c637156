import json
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner
from films import avi, drift, jpeg, noisy, packets, read, write
from videos import write_video

import h5vidstack
from h5vidstack.cli import main


def damage(path, bad, number):
    """Make the second half of a packet zeros."""
    packet, data = packets(path)[number], bytearray(Path(path).read_bytes())
    assert data.count(packet) == 1
    at = data.find(packet)
    data[at + len(packet) // 2 : at + len(packet)] = bytes(len(packet) - len(packet) // 2)
    Path(bad).write_bytes(data)


def test_pictures_at_uneven_times():
    with av.open("x.mkv", "w") as output:
        stream = output.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        times = np.random.default_rng(0).integers(1, 6, 24).cumsum()
        for picture, time in zip(drift(), times, strict=True):
            picture.pts, picture.time_base = int(time), Fraction(1, 50)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    got, source = read("x.mkv", gray=True)
    assert (len(got), source.notes) == (24, [])


@pytest.mark.parametrize("skipped", [(4,), (4, 5, 11)])
@pytest.mark.parametrize("ending", ["mkv", "mp4", "ts"])
def test_gaps_in_time(ending, skipped):
    with av.open(f"x.{ending}", "w") as output:
        stream = output.add_stream("mpeg4" if ending != "ts" else "mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = iter(drift(60))
        for time in (time for time in range(63) if time not in skipped):
            picture = next(pictures, None)
            if picture is not None:
                picture.pts, picture.time_base = time, Fraction(1, 25)
                output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    _, source = read(f"x.{ending}", gray=True)
    behind = "frame 3" if len(skipped) == 1 else "frames 3, 8"
    assert len(source.notes) == 1
    assert f"behind {behind}: frames were dropped" in source.notes[0]


def test_frames_that_an_avi_dropped():
    pictures = [b"" if number in (4, 5) else jpeg(number) for number in range(12)]
    Path("x.avi").write_bytes(avi(b"MJPG", pictures, 24, fourcc=b"MJPG"))
    got, source = read("x.avi")
    assert len(got) == 10
    assert "gaps of 2 frames in all, behind frame 3" in source.notes[0]


def test_counts_that_are_wrong():
    pictures = list(map(jpeg, range(12)))
    for stated in (0, 9, 12):
        Path("x.avi").write_bytes(avi(b"MJPG", pictures, 24, fourcc=b"MJPG", stated=stated))
        got, source = read("x.avi")
        assert len(got) == 12
        assert ("states 9 frames, but has 12" in " ".join(source.notes)) == (stated == 9)
    Path("x.avi").write_bytes(avi(b"MJPG", pictures, 24, fourcc=b"MJPG", stated=15))
    with pytest.raises(h5vidstack.SourceError, match=r"states 15 frames, but only 12.*frame 11"):
        read("x.avi")
    got, source = read("x.avi", accept_damaged=True)
    assert len(got) == 12
    assert "cut off" in source.notes[0]


CUT = {"mp4": "libx264", "mkv": "libx264", "avi": "mjpeg", "mov": "prores_ks", "webm": "libvpx-vp9",
       "flv": "libx264", "mxf": "mpeg2video", "ivf": "libvpx", "ts": "libx264"}  # fmt: skip


@pytest.mark.parametrize("ending", CUT)
@pytest.mark.parametrize("container", [{}, {"movflags": "faststart"}])
def test_a_file_that_was_cut_off_is_refused(ending, container):
    """At whatever byte, unless only what stands behind the frames is lost."""
    if container and ending not in ("mp4", "mov"):
        pytest.skip("only for MP4 and MOV")
    name = "yuvj420p" if CUT[ending] == "mjpeg" else "yuv420p"
    name = "yuv422p10le" if ending == "mov" else name
    pictures = [picture.reformat(format=name) for picture in drift()]
    write(f"x.{ending}", pictures, CUT[ending], container=container)
    data, whole = Path(f"x.{ending}").read_bytes(), read(f"x.{ending}", gray=True)[0]
    cuts = np.linspace(1, len(data) - 1, 25).astype(int)
    refused = 0
    for cut in cuts[cuts % 188 > 0]:
        Path(f"cut.{ending}").write_bytes(data[:cut])
        try:
            np.testing.assert_array_equal(read(f"cut.{ending}", gray=True)[0], whole)
        except h5vidstack.SourceError:
            refused += 1
    assert refused >= 20


def test_what_is_left_of_a_cut_file():
    write("x.avi", [one.reformat(format="yuvj420p") for one in drift()], "mjpeg")
    data = Path("x.avi").read_bytes()
    Path("x.avi").write_bytes(data[: data.find(packets("x.avi")[14]) - 8])
    with pytest.raises(
        h5vidstack.SourceError, match=r"24 frames, but only 14 came.*after frame 13"
    ):
        read("x.avi", gray=True)
    report = h5vidstack.pack("x.avi", "x.h5", gray=True, accept_damaged=True)
    assert (report.shape[0], report.doubtful) == (14, ())
    assert "states 24 frames, but only 14 came" in report.notes[0]


@pytest.mark.parametrize("times", [1, 2])  # FFmpeg's log does not repeat a message by itself
@pytest.mark.parametrize("slices", [1, 4])
def test_checksums_of_ffv1(slices, times):
    options = {"level": "3", "slicecrc": "1", "slices": str(slices), "g": "1"}
    write(
        "x.mkv",
        noisy(size=(48, 128)),
        "ffv1",
        {**options, "slices": "4"} if slices > 1 else options,
    )
    whole = read("x.mkv")[0]
    packet, data = packets("x.mkv")[7], bytearray(Path("x.mkv").read_bytes())
    data[data.find(packet) + len(packet) // 2] ^= 16
    Path("x.mkv").write_bytes(data)
    for _ in range(times):
        with pytest.raises(h5vidstack.SourceError, match=r"frame 7 of x.mkv is damaged.*CRC"):
            read("x.mkv")
    got, source = read("x.mkv", accept_damaged=True)
    assert source.doubtful == [7]
    assert "Doubtful" in source.notes[0]
    np.testing.assert_array_equal(np.delete(got, 7, 0), np.delete(whole, 7, 0))


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_damaged_packet_of_h264(bframes):
    options = {"g": "8", "keyint_min": "8", "sc_threshold": "0", "bf": str(bframes)}
    write("x.mp4", drift(rough=8), "libx264", options)
    whole = read("x.mp4", gray=True)[0]
    damage("x.mp4", "bad.mp4", 9)
    with pytest.raises(h5vidstack.SourceError, match=r"frame 9 of bad.mp4 is damaged: h264"):
        read("bad.mp4", gray=True)
    report = h5vidstack.pack("bad.mp4", "x.h5", gray=True, accept_damaged=True)
    assert set(report.doubtful) <= {*range(8, 16)}
    assert {*range(11, 16)} <= set(report.doubtful)
    with h5vidstack.open("x.h5") as stack:
        assert len(stack) == 24
        sound = np.setdiff1d(np.arange(24), report.doubtful)
        np.testing.assert_array_equal(stack[:][sound], whole[sound])
        assert stack.attrs["settings"]["doubtful"] == list(report.doubtful)
    done = CliRunner().invoke(main, ["pack", "bad.mp4", "y.h5", "--gray", "--accept-damaged"])
    assert (done.exit_code, "Doubtful" in done.stderr) == (0, True)
    shown = CliRunner().invoke(main, ["info", "x.h5"]).output
    assert re.search(rf"doubtful +{len(report.doubtful)}: frames", shown)
    facts = json.loads(CliRunner().invoke(main, ["info", "x.h5", "--json"]).output)
    assert facts["settings"]["doubtful"] == list(report.doubtful)


def test_copying_refuses_damage_likewise():
    write("whole.mp4", drift(rough=8), "libx264", {"g": "8", "bf": "2"})
    damage("whole.mp4", "x.mp4", 9)
    with pytest.raises(h5vidstack.SourceError, match="is damaged"):
        h5vidstack.pack("x.mp4", "x.h5", gray=True, copy=True)
    assert not Path("x.h5").exists()


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"preset": "veryfast", "x264-params": "keyint=10:bframes=2:repeat-headers=1"}),
     ("mpeg2video", {"g": "10", "bf": "2"}),
     ("libx265", {"preset": "ultrafast",
                  "x265-params": "log-level=none:keyint=10:repeat-headers=1"})],
)  # fmt: skip
def test_a_recording_that_begins_in_the_middle(codec, options):
    write("x.ts", noisy(30, (120, 160), "yuv420p"), codec, options)
    whole = read("x.ts", gray=True)[0]
    with av.open("x.ts") as video:
        at = [packet.pos for packet in video.demux(video=0) if packet.size][4]
    Path("cut.ts").write_bytes(Path("x.ts").read_bytes()[at // 188 * 188 :])
    got, source = read("cut.ts", gray=True)
    assert len(got) < 30
    np.testing.assert_array_equal(got, whole[-len(got) :])
    assert len(source.notes) == 1
    assert "Before its first key frame cut.ts has" in source.notes[0]


def test_frames_outside_an_edit_list():
    write_video("x.mp4", first=-3, bf="0")
    got, source = read("x.mp4", gray=True)
    assert len(got) == 18
    assert source.notes == ["Players do not show 3 frames of x.mp4, by an edit list; left out."]


def test_a_file_cut_before_its_first_frame():
    write("x.mkv", noisy(6), "ffv1")
    data = Path("x.mkv").read_bytes()
    Path("cut.mkv").write_bytes(data[: data.index(packets("x.mkv")[0])])
    with pytest.raises(h5vidstack.SourceError) as caught:
        read("cut.mkv")
    assert "frame -1" not in str(caught.value)
