"""Estimates beside what packing gives, for every kind of source; nothing is written."""

import dataclasses
import itertools
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving
from PIL import Image
from videos import write_video

import h5vidstack
from h5vidstack import Estimate, PackOptions, estimate, pack
from h5vidstack.errors import Error, OutputError, SourceError, UnsupportedError

FRAMES = moving((96, 64, 96))


def put_images():
    Path("imgs").mkdir()
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(f"imgs/{number:03}.png", dpi=(254, 254))


def put_hdf5():
    with h5py.File("d.h5", "w") as file:
        file.create_dataset("a/b", data=FRAMES, chunks=(4, 64, 96), compression="gzip")


def put_tiff():
    first, *others = map(Image.fromarray, FRAMES)
    first.save("p.tif", save_all=True, append_images=others)


SOURCES = {
    "imgs": put_images,
    "imgs/*.png": put_images,
    "p.tif": put_tiff,
    "a.npy": lambda: np.save("a.npy", FRAMES),
    "v.mkv": lambda: write_video("v.mkv", 96, (64, 96), "gray", codec="ffv1"),
    "d.h5::/a/b": put_hdf5,
    "s.h5": lambda: pack(FRAMES, "s.h5"),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_sizes_are_near_those_of_packing(source, seconds):
    SOURCES[source]()
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    found = estimate(source, "x.h5", seconds=seconds, method="video")
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    made = pack(source, "x.h5", method="video")
    assert found.shape == made.shape
    assert found.dtype == made.dtype
    assert found.raw_bytes == made.raw_bytes
    assert found.source_bytes == made.source_bytes
    assert found.stored_bytes == pytest.approx(made.stored_bytes, rel=0.15)
    assert found.file_bytes == pytest.approx(made.written_bytes, rel=0.15)
    assert found.lossless
    assert found.whole == (seconds > 0)


@pytest.mark.parametrize("profile", ["fast", "balanced", "small"])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_profiles_and_dtypes(profile, dtype):
    frames = np.random.default_rng(0).normal(1000, 8, (40, 64, 80)).astype(dtype)
    found, made = (
        estimate(frames, seconds=60, profile=profile),
        pack(frames, "x.h5", profile=profile),
    )
    assert found.coding
    assert found.stored_bytes == pytest.approx(made.stored_bytes, rel=0.1)
    assert found.profile == profile
    assert found.why


@pytest.mark.parametrize(
    "options",
    [{"crf": 30}, {"max_error": 2}, {"max_error": "1%"}, {"preset": "mp4"}, {"method": "hdf5gz"}],
    ids=str,
)
def test_lossy_and_plain(options):
    found, made = estimate(FRAMES, seconds=60, **options), pack(FRAMES, "x.h5", **options)
    assert found.stored_bytes == pytest.approx(made.stored_bytes, rel=0.2)
    assert found.lossless == made.lossless


def test_copies_of_frames_are_counted_once():
    frames = np.concatenate([FRAMES, FRAMES])
    found = estimate(frames, seconds=60, method="video")
    assert found.stored_bytes == pytest.approx(
        pack(frames, "x.h5", method="video").stored_bytes, rel=0.1
    )


def test_a_copied_video():
    write_video("v.mp4", 60, (64, 96), gop=10)
    found, made = (
        estimate("v.mp4", gray=True, copy=True),
        pack("v.mp4", "x.h5", gray=True, copy=True),
    )
    assert found.coding == "H.264 packets as they are"
    assert found.stored_bytes == pytest.approx(made.stored_bytes, rel=0.5)
    with pytest.raises(UnsupportedError, match="--gray"):
        estimate("v.mp4", copy=True)


def test_metadata_that_is_kept():
    put_images()
    found = estimate("imgs", seconds=0, attrs={"who": "me"}, digest=False)
    assert "axes: frame, y, x" in found.kept
    assert any(line.startswith("coordinates: ") and "y [" in line for line in found.kept)
    assert "attributes: who" in found.kept
    assert any("96 paths" in line and "without SHA-256" in line for line in found.kept)
    assert any("files do not" in line for line in found.left)
    with pytest.raises(h5vidstack.MetadataError):
        estimate("imgs", dims="a,b")


def test_times_of_a_video_are_kept():
    write_video("v.mp4", 20, (64, 96))
    assert "coordinates: time [s]" in h5vidstack.estimate("v.mp4", gray=True).kept


def test_a_folder_of_several_pictures_a_file():
    Path("gifs").mkdir()
    images = [Image.fromarray(frame) for frame in FRAMES]
    for number in range(12):
        first, *others = images[8 * number : 8 * number + 8]
        first.save(f"gifs/{number:02}.tif", save_all=True, append_images=others)
    found = estimate("gifs", seconds=0, method="video")
    assert found.shape == (96, 64, 96)


def test_what_is_refused_is_refused_as_by_pack():
    write_video("v.mp4", 20, (64, 96))
    Path("x.h5").write_bytes(b"")
    cases = [
        (FRAMES, "x.h5", {}, OutputError, "--overwrite"),
        ("none.tif", None, {}, SourceError, "no such file"),
        (np.zeros((4, 5, 6), "c8"), None, {}, Error, "integers"),
        (FRAMES, None, {"method": "pca"}, UnsupportedError, "needs all frames"),
        (FRAMES, None, {"method": "group"}, UnsupportedError, "needs all frames"),
        (FRAMES, None, {"mode": "a"}, UnsupportedError, "leave out mode"),
        (iter(FRAMES), None, {}, SourceError, r"itertools\.islice"),
        ((frame for frame in FRAMES), None, {}, SourceError, r"itertools\.islice"),
    ]
    for source, path, options, error, words in cases:
        with pytest.raises(error, match=words):
            estimate(source, path, **options)
    with h5py.File("raw.h5", "w") as file:
        file["data"] = FRAMES
    os.mkdir("folder")
    Path("junk.h5").write_text("junk")
    over = {"overwrite": True}
    for path, options in [
        ("none/x.h5", {}), ("raw.h5", over), ("raw.h5::/data", {}), ("raw.h5::/data/x", {}),
        ("junk.h5", over), ("folder", over), ("junk.h5::/x", {}), ("raw.h5::/", {}),
    ]:  # fmt: skip
        said = []
        for make in (estimate, h5vidstack.pack):
            with pytest.raises(OutputError) as caught:
                make(FRAMES, path, **options)
            said.append(str(caught.value))
        assert said[0] == said[1]
    with pytest.raises(TypeError, match="did you mean profile"):
        estimate(FRAMES, profil="fast")


def test_an_iterator_still_has_all_frames_after_it_was_refused():
    frames = iter(FRAMES)
    with pytest.raises(SourceError):
        estimate(frames)
    assert len(list(frames)) == len(FRAMES)
    some = estimate(list(itertools.islice(iter(FRAMES), 32)), seconds=60, method="video")
    assert some.shape[0] == 32


def test_frames_of_different_sizes_are_found_where_they_are_looked_at():
    Path("imgs").mkdir()
    for number in range(8):
        Image.fromarray(FRAMES[number][: 32 + 32 * (number % 2)]).save(f"imgs/{number}.png")
    with pytest.raises(SourceError, match="all frames must be of one size"):
        estimate("imgs", seconds=0)


def test_conversions_are_said():
    write_video("v.mp4", 20, (64, 96))
    found = estimate("v.mp4", seconds=0)
    assert "yuv420p" in found.conversion
    assert estimate("v.mp4", seconds=0, gray=True).conversion is None


def test_the_result_is_frozen_and_options_may_be_given_at_once():
    found = estimate(FRAMES, options=PackOptions(profile="fast"), seconds=0)
    assert isinstance(found, Estimate)
    assert found.ratio == found.raw_bytes / found.stored_bytes
    assert found.growth is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.seconds = 0
