import json
import pickle

import h5py
import numcodecs
import numpy as np
import pytest
import zarr
from frames import DTYPES, moving, pixels

import h5vidstack
from h5vidstack.integrations.numcodecs import VideoBlock

# --- numcodecs and Zarr


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 17, 21), (2, 9, 8, 3), (2, 3, 9, 8)], ids=str)
def test_codec_round_trip(shape, dtype):
    frames = pixels((-(-np.prod(shape) // 72), 9, 8), dtype)
    frames = frames.ravel()[: np.prod(shape)].reshape(shape)
    codec = numcodecs.get_codec({"id": "h5vidstack", "shape": list(shape), "dtype": dtype})
    data = codec.encode(frames)
    decoded = codec.decode(data)
    assert (decoded.shape, decoded.dtype) == (shape, np.dtype(dtype))
    assert decoded.tobytes() == frames.tobytes()
    assert codec.encode(frames.tobytes()) == data
    assert codec.encode(frames[:, ::-1][:, ::-1]) == data
    out = np.empty(shape, dtype)
    assert codec.decode(memoryview(data), out) is out
    assert out.tobytes() == frames.tobytes()
    again = numcodecs.get_codec(json.loads(json.dumps(codec.get_config())))
    assert again == codec == pickle.loads(pickle.dumps(codec))


def test_codec_shrinks_video_and_takes_presets():
    frames = moving((16, 64, 64))
    for preset in ("x264-interm", "ffv1"):
        codec = VideoBlock(frames.shape, frames.dtype, preset)
        data = codec.encode(frames)
        assert len(data) < 0.7 * frames.nbytes
        np.testing.assert_array_equal(codec.decode(data), frames, strict=True)


def test_codec_reads_blocks_of_stacks():
    frames = moving((20, 17, 18))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    with h5py.File("x.h5") as file:
        data = file["stack/frames"].id.read_direct_chunk((16, 0, 0))[1]
    decoded = VideoBlock((16, 17, 18), "u1").decode(data)
    np.testing.assert_array_equal(decoded[:4], frames[16:])
    assert not decoded[4:].any()


def test_codec_refuses():
    codec, frames = VideoBlock((4, 9, 8), "u1"), moving((4, 9, 8))
    for wrong in (frames[:3], frames.astype("u2"), frames.tobytes()[1:], frames.reshape(4, 8, 9)):
        with pytest.raises(h5vidstack.UnsupportedError, match="the codec got"):
            codec.encode(wrong)
    with pytest.raises(h5vidstack.UnsupportedError, match="C order"):
        codec.encode(np.asfortranarray(frames))
    data = bytearray(codec.encode(frames))
    with pytest.raises(h5vidstack.BlockError):
        VideoBlock((4, 9, 8, 3), "u1").decode(data)
    with pytest.raises(h5vidstack.BlockError):
        VideoBlock((3, 9, 8), "u1").decode(data)
    data[-1] ^= 1
    with pytest.raises(h5vidstack.BlockError):
        codec.decode(data)
    for options in (
        {"preset": "mp4"},
        {"preset": "x"},
        {"dtype": "c8"},
        {"shape": (9, 8)},
        {"shape": (0, 9, 8)},
    ):
        with pytest.raises(h5vidstack.UnsupportedError):
            VideoBlock(**{"shape": (4, 9, 8), "dtype": "u1", **options})


@pytest.mark.parametrize("dtype", ["u1", ">u2", "f4"])
def test_zarr_array(dtype):
    frames = (moving((43, 40, 50)) * 3).astype(dtype)
    options = {"shape": frames.shape, "chunks": (16, 40, 32), "dtype": dtype, "zarr_format": 2}
    array = zarr.create_array(
        "x.zarr",
        compressors=VideoBlock((16, 40, 32), dtype, "x264-interm"),
        filters=None,
        **options,
    )
    array[:] = frames
    array = zarr.open_array("x.zarr", mode="r+")
    np.testing.assert_array_equal(array[:], frames)
    np.testing.assert_array_equal(array[5:20, 3, 30:40], frames[5:20, 3, 30:40])
    assert array.nbytes_stored() < frames.nbytes
    array[7, 3] = 0  # reads and codes its chunks anew
    frames[7, 3] = 0
    np.testing.assert_array_equal(array[:], frames)
    with pytest.raises(h5vidstack.UnsupportedError, match="C order"):
        zarr.create_array(
            "y.zarr",
            compressors=VideoBlock((16, 40, 32), dtype),
            filters=None,
            order="F",
            **options,
        )[:] = frames
