"""References: Zarr reads the HDF5 file in place."""

import json
import os

import fsspec
import h5py
import numcodecs
import numpy as np
import pytest
import xarray
import zarr
from click.testing import CliRunner
from frames import DTYPES, moving, noise, pixels
from serving import serving

import h5vidstack
from h5vidstack import references as describe
from h5vidstack.cli import main
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding


def group(found):
    """The Zarr group that references describe."""
    remote = any("://" in ref[0] for ref in found["refs"].values() if isinstance(ref, list))
    options = {"asynchronous": True} if remote else {}
    fs = fsspec.filesystem(
        "reference", fo=found, remote_options=options, asynchronous=True, skip_instance_cache=True
    )
    return zarr.open_group(zarr.storage.FsspecStore(fs, read_only=True), mode="r")


def check(path, **options):
    """All frames, bit for bit; the tables."""
    found = describe(path, **options)
    assert json.loads(json.dumps(found)) == found
    assert found["version"] == 1
    read = group(found)
    with h5vidstack.open(path) as stack:
        if "frames" in read:
            assert read["frames"].chunks == stack.chunks
            np.testing.assert_array_equal(read["frames"][:], stack[:], strict=True)
            np.testing.assert_array_equal(read["frames"][1:7, -3:], stack[1:7, -3:])
        else:
            places = zip(read["index/group"][:], read["index/position"][:])
            frames = [read[f"groups/{pile:06d}/video"][place] for pile, place in places]
            np.testing.assert_array_equal(np.stack(frames), stack[:], strict=True)
            for pile in stack.groups:
                members = read[f"groups/{pile.number:06d}/members"][:]
                np.testing.assert_array_equal(members, pile.frames)
        for name in ("phash", "ahash", "dhash"):
            np.testing.assert_array_equal(read[f"hashes/{name}"][:], stack.hashes(name))
        assert len(read["index/crc32"][:]) == len(stack)
        assert read.attrs["h5vidstack_format"] == stack.attrs["h5vidstack_format"]
        assert read.attrs["lossless"] == stack.attrs["lossless"]
    return read


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype):
    frames = pixels((19, 12, 10), dtype)
    h5vidstack.pack(frames, "x.h5", method="video")
    check("x.h5")


@pytest.mark.parametrize(
    "options",
    [
        {"method": "video", "chunk_frames": 5, "tile": (16, 32)},
        {"method": "video", "codec": "x264"},
        {"method": "video", "preset": "mp4"},
        {"method": "video", "max_error": 2},
        {"method": "hdf5"},
        {"method": "hdf5gz"},
        {"method": "hdf5gzshuffle", "tile": (16, 32)},
        {"method": "groupvideo", "chunk_frames": 4},
        {"profile": "fast"},
    ],
    ids=str,
)
def test_every_method(options):
    frames = moving((43, 41, 50))
    if options.get("method") == "groupvideo":
        frames = frames[np.random.default_rng(0).permutation(43)]
    h5vidstack.pack(frames, "x.h5::/a/b", **options)
    check("x.h5::/a/b")
    with serving() as server:
        check(f"{server.url}/x.h5::/a/b")


def test_colour_copies_added_and_one_frame():
    h5vidstack.pack(moving((20, 9, 8, 3)), "colour.h5", method="video")
    assert check("colour.h5")["frames"].attrs["_ARRAY_DIMENSIONS"][-1] == "c"
    h5vidstack.pack(np.repeat(noise((9, 8, 8)), 3, axis=0), "copies.h5", method="video")
    assert "frames" not in check("copies.h5")
    h5vidstack.pack(moving((20, 9, 8)), "x.h5", method="video")
    h5vidstack.pack(noise((3, 9, 8)), "x.h5", mode="a")
    assert check("x.h5")["frames"].shape == (23, 9, 8)
    h5vidstack.pack(noise((1, 1, 1)), "one.h5", method="video")
    assert describe("one.h5")["refs"]["frames/0.0.0"]


def test_recording():
    recorder = h5vidstack.create("x.h5", shape=(8, 8), dtype="uint8", chunk_frames=4)
    for frame in noise((23, 8, 8)):
        recorder.write(frame)
    recorder.flush()
    live = group(describe("x.h5"))
    assert list(live) == ["frames"]
    np.testing.assert_array_equal(live["frames"][:], noise((23, 8, 8))[:20])
    recorder.close()
    check("x.h5")


def test_dataset_with_raw_chunks_and_holes():
    """What Zarr cannot read in place is in the references themselves."""
    frames = pixels((20, 16, 12), ">u2")
    with h5py.File("x.h5", "w", userblock_size=512) as file:
        for name, code in {
            "data": h5vidstack.Video(),
            "z": {"compression": 1, "shuffle": True},
        }.items():
            data = file.create_dataset(
                name, frames.shape, frames.dtype, chunks=(4, 16, 12), fillvalue=7, **code
            )
            data[4:8] = frames[4:8]
            data.id.write_direct_chunk((8, 0, 0), frames[8:12].tobytes(), 3 if name == "z" else 1)
    found = describe("x.h5::/data")
    assert found["refs"]["frames/2.0.0"].startswith("base64:")
    read = group(found)["frames"]
    assert read.dtype == frames.dtype
    np.testing.assert_array_equal(read[4:12], frames[4:12])
    assert (read[:4] == 7).all()
    assert (read[12:] == 7).all()


def test_golden_files():
    from test_golden import GOLDEN

    for path in sorted(GOLDEN.glob("*.h5")):
        try:
            found = describe(path)
        except (h5vidstack.UnsupportedError, h5vidstack.FormatError):
            continue
        read = group(found)
        if "frames" in read:
            with h5vidstack.open(path) as stack:
                found = read["frames"][:].reshape(stack.shape)  # of several axes that count frames
                np.testing.assert_array_equal(found, stack[:], strict=True)


def test_xarray_reads_it():
    frames = moving((20, 16, 12))
    h5vidstack.pack(frames, "x.h5", method="video")
    with open("refs.json", "w") as file:
        json.dump(describe("x.h5"), file)
    options = {"fo": "refs.json"}
    dataset = xarray.open_zarr(
        "reference://", storage_options=options, consolidated=False, zarr_format=2
    )
    assert dataset.frames.dims == ("frame", "y", "x")
    np.testing.assert_array_equal(dataset.frames[3:9].values, frames[3:9], strict=True)
    dataset.close()


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4"])
def test_no_pixel_is_missing_to_xarray(dtype):
    """It takes a fill value for missing pixels: zeros became NaN, and integers floats."""
    frames = moving((20, 16, 12)).astype(dtype)
    frames[:, :4] = 0
    h5vidstack.pack(frames, "x.h5", method="video")
    store = {"fo": describe("x.h5")}
    options = {"storage_options": store, "consolidated": False, "zarr_format": 2}
    with xarray.open_zarr("reference://", **options) as dataset:
        np.testing.assert_array_equal(dataset.frames.values, frames, strict=True)


def test_command_line():
    h5vidstack.pack(moving((20, 16, 12)), "x.h5")
    runner = CliRunner()
    printed = runner.invoke(main, ["references", "x.h5"])
    assert printed.exit_code == 0
    assert group(json.loads(printed.stdout))["frames"].shape == (20, 16, 12)
    elsewhere = ["references", "x.h5", "-o", "refs.json", "--url", "https://host/x.h5"]
    done = runner.invoke(main, elsewhere)
    assert (done.exit_code, done.output) == (0, "")
    with open("refs.json") as file:
        assert json.load(file)["refs"]["frames/0.0.0"][0] == "https://host/x.h5"
    done = runner.invoke(main, elsewhere)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "refs.json exists" in done.stderr
    assert runner.invoke(main, [*elsewhere, "--overwrite"]).exit_code == 0
    for wrong in ("none.h5", "x.h5::/none", "{{x}}.h5"):
        done = runner.invoke(main, ["references", wrong, "-o", "new.json"])
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert not os.path.exists("new.json")
    done = runner.invoke(main, ["references", "x.h5", "-o", "./x.h5", "--overwrite"])
    assert done.exit_code == 1
    assert "the output is the source" in done.stderr
    assert h5vidstack.verify("x.h5") == []


@pytest.mark.parametrize("options", [{"method": "group"}, {"method": "pca"}], ids=str)
def test_what_cannot_be_said(options):
    h5vidstack.pack(moving((43, 20, 20)), "x.h5", **options)
    with pytest.raises(h5vidstack.UnsupportedError, match="--method video"):
        describe("x.h5")


def test_missing_chunk_and_unknown_filter():
    h5vidstack.pack(moving((40, 16, 16)), "x.h5", method="video")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].resize(60, axis=0)
    with pytest.raises(h5vidstack.FormatError, match="1 chunks are missing"):
        describe("x.h5")
    with h5py.File("y.h5", "w") as file:
        video = h5vidstack.Video()
        file.create_dataset("d", (4, 8, 8), "u1", chunks=(4, 8, 8), scaleoffset=0)
        plist = file["d"].id.get_create_plist().copy()
        plist.set_filter(h5vidstack.FILTER_ID, 0, tuple(video["compression_opts"]))
        space = file["d"].id.get_space()
        h5py.h5d.create(file.id, b"e", file["d"].id.get_type(), space, plist)
    with pytest.raises(h5vidstack.UnsupportedError, match="HDF5 filter"):
        describe("y.h5::/e")


def test_codec_is_found_by_name():
    """As Zarr finds it: by the configuration in the references."""
    frames = moving((4, 8, 8))
    h5vidstack.pack(frames, "x.h5", method="video", preset="ffv1", chunk_frames=4)
    (config,) = json.loads(describe("x.h5")["refs"]["frames/.zarray"])["filters"]
    assert config == {"id": "h5vidstack", "shape": [4, 8, 8], "dtype": "|u1", "preset": "ffv1"}
    block = h5vidstack.codecs.block.encode(frames, Recipe(Coding("ffv1")))
    np.testing.assert_array_equal(numcodecs.get_codec(config).decode(block), frames)


@pytest.mark.filterwarnings("ignore")  # zarr's, of strings that are not in its specification yet
@pytest.mark.parametrize("frames", [4, 8, 16, 3, 64])
def test_axes_and_coordinates(scan, frames):
    h5vidstack.pack("scan.h5", "x.h5", method="video", chunk_frames=frames)
    options = {"consolidated": False, "storage_options": {"fo": describe("x.h5")}}
    found = xarray.open_dataset("reference://", engine="zarr", backend_kwargs=options)
    np.testing.assert_array_equal(found.frames.values, scan.reshape(24, 9, 12))
    whole = xarray.open_dataset("x.h5", engine="h5vidstack")
    assert ("nd" in found) == (frames != 3)
    if "nd" in found:
        xarray.testing.assert_equal(found.nd, whole.frames.drop_vars("serial"))
        np.testing.assert_array_equal(found.serial, np.arange(24))
    else:
        assert {"T", "C", "Z", "good", "serial", "lat", "site"} <= found.frames.coords.keys()
        np.testing.assert_array_equal(found.C, np.tile(np.repeat(whole.C.values, 4), 3))
    whole.close()
