"""Folders, globs, TIFF, NumPy files, videos, HDF5."""

from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from frames import moving, noise
from PIL import Image

import h5vidstack
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import SourceOptions


def all_frames(source, **options):
    opened = open_source(source, SourceOptions(**options))
    try:
        return np.concatenate(list(opened.batches(4)))
    finally:
        opened.close()


def save(frames, folder, ending, start=0):
    Path(folder).mkdir(exist_ok=True)
    for i, frame in enumerate(frames, start):
        Image.fromarray(frame).save(f"{folder}/img{i}{ending}")


def save_video(frames, path, pix_fmt, codec="ffv1"):
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        for frame in frames:
            kind = "gray" if frame.ndim == 2 else "rgb24"
            picture = av.VideoFrame.from_ndarray(frame, kind)
            for packet in stream.encode(picture.reformat(format=pix_fmt)):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp", ".PNG"])
@pytest.mark.parametrize("shape", [(12, 17, 23), (11, 9, 8, 3)])
def test_folder_and_glob_in_natural_order(ending, shape):
    frames = moving(shape)
    save(frames, "in", ending)
    Path("in/notes.txt").write_text("not an image")
    Path("in/.hidden.png").write_text("not an image")
    np.testing.assert_array_equal(all_frames("in"), frames, strict=True)
    np.testing.assert_array_equal(all_frames(Path("in")), frames)
    np.testing.assert_array_equal(all_frames(f"in/*{ending}"), frames)
    paths = [f"in/img{i}{ending}" for i in reversed(range(len(frames)))]
    np.testing.assert_array_equal(all_frames(paths), frames)


def test_multi_page_tiff():
    frames = moving((9, 14, 15))
    pages = [Image.fromarray(frame) for frame in frames]
    pages[0].save("m.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(all_frames("m.tif"), frames)
    Path("in").mkdir()
    Path("m.tif").rename("in/a1.tif")
    pages[3].save("in/a2.tif")
    np.testing.assert_array_equal(all_frames("in"), np.concatenate([frames, frames[3:4]]))


@pytest.mark.parametrize("shape", [(10, 3, 20, 31), (2, 3, 20, 31, 3)])
def test_npy_with_leading_axes(shape):
    frames = moving((shape[0] * shape[1], *shape[2:])).reshape(shape)
    np.save("a.npy", frames)
    opened = open_source("a.npy")
    assert opened.leading_shape == shape[:2]
    np.testing.assert_array_equal(all_frames("a.npy"), frames.reshape(-1, *shape[2:]))


def test_gray_video_is_exact():
    frames = moving((9, 21, 33))
    save_video(frames, "v.mkv", "gray")
    np.testing.assert_array_equal(all_frames("v.mkv"), frames, strict=True)


@pytest.mark.parametrize("pix_fmt", ["bgr0", "yuv444p"])
def test_colour_video(pix_fmt):
    frames = moving((5, 20, 32, 3))
    save_video(frames, "v.mkv", pix_fmt)
    got = all_frames("v.mkv")
    assert got.shape == frames.shape
    if pix_fmt == "bgr0":
        np.testing.assert_array_equal(got, frames)


def test_gray_of_a_video_is_its_luma():
    frames = moving((5, 20, 33, 3))
    save_video(frames, "v.mkv", "yuv444p")
    want = [np.frombuffer(f.planes[0], np.uint8).reshape(20, -1)[:, :33]
            for f in av.open("v.mkv").decode(video=0)]  # fmt: skip
    np.testing.assert_array_equal(all_frames("v.mkv", gray=True), np.stack(want))


def test_a_video_of_16_bits():
    frames = noise((4, 16, 16)).astype(np.uint16) * 257
    with av.open("v.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "gray16le"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "gray16le")))
        container.mux(stream.encode(None))
    h5vidstack.pack("v.mkv", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames, strict=True)


def test_truncated_video():
    save_video(moving((30, 60, 80)), "v.mkv", "gray")
    data = Path("v.mkv").read_bytes()
    Path("cut.mkv").write_bytes(data[:50])
    with pytest.raises(h5vidstack.SourceError, match=r"cut\.mkv"):
        all_frames("cut.mkv")


def test_a_name_with_colons():
    frames = moving((5, 20, 32))
    save_video(frames, "v.mkv", "gray")
    Path("v.mkv").rename("12:30.mkv")
    np.testing.assert_array_equal(all_frames("12:30.mkv"), frames)
    np.save("a::b.npy", frames)
    np.testing.assert_array_equal(all_frames("a::b.npy"), frames)


def test_a_stack_through_links_and_without_the_slash():
    frames = moving((5, 9, 9))
    h5vidstack.pack(frames, "a.h5")
    h5vidstack.pack(frames, "b.h5::/hard")
    with h5py.File("b.h5", "r+") as file:
        file["soft"] = h5py.SoftLink("/hard")
        file["ext"] = h5py.ExternalLink("a.h5", "/stack")
    for name in ("a.h5::stack", "b.h5::/soft", "b.h5::/ext"):
        np.testing.assert_array_equal(all_frames(name), frames)


def test_text_and_play_lists_are_no_videos():
    save_video(moving((3, 20, 32)), "v.mkv", "gray")
    Path("lie.mp4").write_text("ffconcat version 1.0\nfile v.mkv\n")
    Path("notes.txt").write_text("hello\n" * 100)
    for name in ("lie.mp4", "notes.txt"):
        with pytest.raises(h5vidstack.SourceError, match="no input that h5vidstack knows"):
            all_frames(name)


def bad_sources():
    Path("empty").mkdir()
    save(moving((1, 9, 9)), "odd", ".png")
    save(moving((2, 9, 8)), "odd", ".png", start=1)
    save(moving((1, 9, 9)), "broken", ".png")
    Path("broken/img1.png").write_bytes(b"no")
    save(moving((1, 99, 99)), "cut", ".png")
    data = Path("cut/img0.png").read_bytes()
    Path("cut/img0.png").write_bytes(data[: len(data) // 2])
    save(moving((1, 9, 9)), "mixed", ".png")
    save(moving((1, 9, 9)).astype(np.uint16) * 9, "mixed", ".png", start=1)
    Path("text.txt").write_text("hello")
    Path("bad.npy").write_bytes(b"\x93NUMPY but no more")
    np.save("object.npy", np.array([{}, []], object), allow_pickle=True)
    Path("bad.tif").write_bytes(b"II*\0nonsense")
    Path("bad.h5").write_bytes(b"\x89HDF\r\n\x1a\nnonsense")
    with h5py.File("s.h5", "w") as file:
        file["entry/good"] = np.zeros((2, 3, 4), np.uint8)
        file["entry/flat"] = np.zeros((3, 4), np.uint8)


BAD = {
    "none.npy": "no such file",
    "none/*.png": "no file matches",
    "empty": "holds no image",
    "odd": r"odd/img1.png is 9x8 uint8, but odd/img0.png is 9x9 uint8",
    "broken": r"broken/img1.png",
    "cut": r"cut/img0.png: .*truncated",
    "mixed": "uint16",
    "text.txt": "no input that h5vidstack knows",
    "bad.npy": r"bad.npy",
    "object.npy": r"object.npy",
    "bad.tif": r"bad.tif",
    "bad.h5": "damaged",
    "s.h5": r"::/entry/good \(2, 3, 4\) uint8",
    "s.h5::/none": "entry/good",
    "s.h5::/entry/flat": "entry/good",
    "s.h5::/entry": "entry/good",
    "text.txt::/d": "not an HDF5 file",
    "empty::/d": "is a folder",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sources(name):
    bad_sources()
    with pytest.raises(h5vidstack.Error, match=BAD[name]):
        h5vidstack.pack(name, "x.h5")
    assert not Path("x.h5").exists()


def test_hdf5_with_an_unknown_filter_names_it():
    with h5py.File("s.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 3, 4))
        plist.set_filter(32767, h5py.h5z.FLAG_OPTIONAL, ())  # one that no package has
        space = h5py.h5s.create_simple((2, 3, 4))
        h5py.h5d.create(file.id, b"d", h5py.h5t.NATIVE_UINT8, space, plist)
    with pytest.raises(h5vidstack.SourceError, match="32767.*pip install hdf5plugin"):
        h5vidstack.pack("s.h5::/d", "x.h5")
