"""The codecs of Zarr 3."""

import json

import h5py
import numpy as np
import pytest
import zarr
from frames import DTYPES, moving, pixels
from zarr.registry import register_codec

import h5vidstack
from h5vidstack.integrations.zarr import NAME, BlockCodec, TranslatedCodec

# As the entry points of an installed package do.
register_codec(NAME, BlockCodec)
register_codec(f"numcodecs.{NAME}", TranslatedCodec)


def stored(frames, chunks, **options):
    """Write frames to an array in memory; return it, opened anew."""
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store, shape=frames.shape, chunks=chunks, dtype=frames.dtype, compressors=None, **options
    )
    array[:] = frames
    return zarr.open_array(store, mode="r")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", "<>")
def test_every_dtype_there_and_back(dtype, order):
    frames = pixels((21, 17, 19), np.dtype(dtype).newbyteorder(order))
    array = stored(frames, (8, 17, 19), serializer=BlockCodec())
    want = frames.astype(array.dtype)  # zarr keeps no byte order
    assert array[:].tobytes() == want.tobytes()
    assert array[13, 2:5].tobytes() == want[13, 2:5].tobytes()
    assert array.metadata.to_dict()["codecs"][0]["name"] == NAME


def test_colour_tiles_leading_axes_and_shards():
    for shape, chunks in [
        ((9, 20, 30, 3), (4, 20, 30, 3)),
        ((9, 20, 30), (4, 7, 11)),
        ((3, 5, 20, 30), (1, 2, 20, 30)),
    ]:
        frames = moving((int(np.prod(shape)) // 600, 20, 30)).reshape(shape)
        np.testing.assert_array_equal(stored(frames, chunks, serializer=BlockCodec())[:], frames)
    frames = moving((32, 64, 64))
    array = stored(frames, (8, 64, 64), shards=(16, 64, 64), serializer=BlockCodec("lpc-fast"))
    np.testing.assert_array_equal(array[:], frames)


def test_it_is_small():
    frames = moving((16, 64, 64))
    array = stored(frames, frames.shape, serializer=BlockCodec("x264-interm"))
    assert array.nbytes_stored() < 0.7 * frames.nbytes


def test_what_it_refuses():
    with pytest.raises(h5vidstack.UnsupportedError, match="lossy"):
        BlockCodec("mp4")
    with pytest.raises(h5vidstack.UnsupportedError, match="no preset"):
        BlockCodec("zip")
    with pytest.raises(h5vidstack.UnsupportedError, match="its configuration has preset"):
        BlockCodec.from_dict({"name": NAME, "configuration": {"level": 3}})
    with pytest.raises(h5vidstack.Error):
        stored(np.zeros((3, 4, 5), "c8"), (3, 4, 5), serializer=BlockCodec())
    with pytest.raises(h5vidstack.Error):
        stored(np.zeros(7, "u1"), (7,), serializer=BlockCodec())
    with pytest.raises(h5vidstack.UnsupportedError, match="known only when it was coded"):
        BlockCodec().compute_encoded_size(9, None)


def test_damage_is_an_error():
    frames = moving((8, 20, 30))
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store, shape=frames.shape, chunks=frames.shape, dtype="u1", compressors=None,
        serializer=BlockCodec(),
    )  # fmt: skip
    array[:] = frames
    name = next(name for name in store._store_dict if name.startswith("c/"))
    data = bytearray(store._store_dict[name].to_bytes())
    data[len(data) // 2] ^= 1
    store._store_dict[name] = zarr.core.buffer.cpu.Buffer.from_bytes(bytes(data))
    with pytest.raises(h5vidstack.BlockError):
        array[:]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_virtualizarr_makes_of_references(dtype):
    """It translates the codec of numcodecs by name, and puts the codec of bytes before it."""
    frames = pixels((21, 17, 19), dtype)
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(8, 17, 19), **h5vidstack.Video())
        block = file["d"].id.read_direct_chunk((0, 0, 0))[1]
    (config,) = json.loads(h5vidstack.references("x.h5::/d")["refs"]["frames/.zarray"])["filters"]
    given = {key: value for key, value in config.items() if key != "id"}
    codec = TranslatedCodec.from_dict({"name": f"numcodecs.{NAME}", "configuration": given})
    assert TranslatedCodec.from_dict(codec.to_dict()) == codec
    assert codec.get_config() == config
    endian = "big" if np.dtype(dtype).str[0] == ">" else "little"
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store, shape=frames.shape, chunks=(8, 17, 19), dtype=dtype, compressors=codec,
        serializer=zarr.codecs.BytesCodec(endian=endian),
    )  # fmt: skip
    array[:] = frames
    np.testing.assert_array_equal(zarr.open_array(store, mode="r")[:], frames)
    place = zarr.core.sync.sync(store.list_prefix("c/0").__anext__())
    buffer = zarr.core.buffer.default_buffer_prototype().buffer  # a block that zarr did not write
    zarr.core.sync.sync(store.set(place, buffer.from_bytes(block)))
    np.testing.assert_array_equal(zarr.open_array(store, mode="r")[:8], frames[:8])


@pytest.mark.parametrize(
    "given", [{}, {"shape": [1, 2, 3]}, {"shape": [1, 2, 3], "dtype": "u1", "x": 1}]
)
def test_what_the_translated_codec_refuses(given):
    with pytest.raises(h5vidstack.UnsupportedError, match="must have shape and dtype"):
        TranslatedCodec(given)
