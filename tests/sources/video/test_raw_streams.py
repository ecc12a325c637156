import contextlib
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import av
import pytest
from films import drift, jpeg, noisy, read, write

import h5vidstack

STREAMS = {"mjpeg": "mjpeg", "m2v": "mpeg2video", "h264": "libx264", "hevc": "libx265", "m4v": "mpeg4",
       "obu": "libsvtav1", "ts": "mpeg2video", "mpg": "mpeg2video", "nut": "ffv1",
       "mxf": "mpeg2video", "y4m": "wrapped_avframe", "mkv": "ffv1", "mp4": "mpeg4"}  # fmt: skip


def in_zip(name, data):
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr(name, data)
        archive.writestr("notes.txt", "of the author")
    return Path("x.zip").read_bytes()


def in_tar(name, data):
    with tarfile.open("x.tar", "w") as archive:
        Path(name).write_bytes(data)
        archive.add(name)
    return Path("x.tar").read_bytes()


def in_database(name, data):
    Path("x.db").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect("x.db")) as base:
        base.execute("create table t (name, data)")
        base.execute("insert into t values (?, ?)", (name, data))
        base.commit()
    return Path("x.db").read_bytes()


@pytest.mark.parametrize("ending", STREAMS)
def test_raw_streams_begin_with_what_they_begin_with(ending):
    name = f"x.{ending}"
    try:
        if ending == "mjpeg":
            Path(name).write_bytes(b"".join(map(jpeg, range(24))))
        else:
            write(name, drift(24, (96, 128)), STREAMS[ending])
    except (av.codec.codec.UnknownCodecError, av.FFmpegError):
        pytest.skip("this FFmpeg cannot write it")
    data = Path(name).read_bytes()
    assert len(read(name, gray=True)[0]) == 24
    for around in (in_zip, in_tar, in_database, lambda _, data: b"%PDF-1.4\n" + data):
        for suffix in ("bin", ending):
            Path(f"y.{suffix}").write_bytes(around(name, data))
            with pytest.raises(h5vidstack.SourceError):
                read(f"y.{suffix}", gray=True)


def test_jpegs_with_something_between_are_no_video():
    pictures = list(map(jpeg, range(12)))
    Path("x.mjpeg").write_bytes(b"".join(pictures))
    assert len(read("x.mjpeg")[0]) == 12
    for between in (b"\0", b"some text between", b"\xff\xd9", pictures[0][:300]):
        Path("y.mjpeg").write_bytes(b"".join([*pictures[:6], between, *pictures[6:]]))
        with pytest.raises(h5vidstack.SourceError, match=r"JPEGs from end to end.*picture [67]"):
            read("y.mjpeg")
    Path("y.mjpeg").write_bytes(b"".join(pictures)[:-2])
    with pytest.raises(h5vidstack.SourceError, match="end to end"):
        read("y.mjpeg")


def test_y4m_cut_within_a_frame():
    write("x.y4m", noisy(5), "wrapped_avframe")
    data = Path("x.y4m").read_bytes()
    assert len(read("x.y4m")[0]) == 5
    for cut in (1, 2000):
        Path("y.y4m").write_bytes(data[:-cut])
        with pytest.raises(h5vidstack.SourceError, match="ends within a frame"):
            read("y.y4m")
        assert len(read("y.y4m", accept_damaged=True)[0]) == 4
