import h5py
import numpy as np
import pytest
from frames import moving
from packing import packed

import h5vidstack
from h5vidstack import shapes


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        pytest.param((3, 720, 1280), (16, 180, 1280), marks=pytest.mark.long),
        pytest.param((2, 720, 1280, 3), (16, 180, 1280, 3), marks=pytest.mark.long),
        ((2, 521, 2003), (16, 131, 2003)),
        ((2, 480, 640), (16, 240, 640)),
        ((20, 60, 80), (16, 60, 80)),
    ],
)
def test_fast_cuts_large_frames_into_strips(shape, chunks):
    frames = np.ascontiguousarray(np.broadcast_to(moving(shape[:3])[..., None], (*shape[:3], 3)))
    frames = frames if len(shape) == 4 else frames[..., 0]
    _, got, _ = packed(frames, profile="fast")
    np.testing.assert_array_equal(got, frames)
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks == chunks
        np.testing.assert_array_equal(stack[1, 100:400:7], frames[1, 100:400:7])
    h5vidstack.pack(frames[::-1] ^ 1, "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack, h5py.File("x.h5") as file:
        both = np.concatenate([frames, frames[::-1] ^ 1])
        np.testing.assert_array_equal(stack[:], both)
        np.testing.assert_array_equal(file["stack/frames"][:], both)
    packed(frames, profile="fast", tile=(0, 0))
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks == (chunks[0], *shape[1:])


def content(path="x.h5", stack="/stack"):
    with h5vidstack.open(path, stack) as opened:
        assert opened.verify() == []
        return opened[:]


@pytest.mark.parametrize(
    ("frame", "itemsize", "chunk"),
    [
        ((200, 300), 1, (16, 200, 300)),
        ((200, 300, 3), 1, (16, 200, 300, 3)),
        ((2048, 2048), 1, (16, 2048, 2048)),
        ((2048, 2048), 2, (8, 2048, 2048)),
        ((2048, 2049), 1, (16, 1024, 688)),
        ((4096, 4096), 1, (16, 1024, 1024)),
        ((10000, 10000), 1, (2, 1008, 1008)),
        ((60000, 60000), 1, (1, 1024, 1024)),
        ((1, 40000), 1, (16, 1, 1008)),
    ],
)
def test_default_chunks(frame, itemsize, chunk):
    assert shapes.choose_chunk(frame, itemsize, None, None) == chunk
    assert np.prod(chunk) * itemsize <= shapes.MAX_BLOCK_BYTES


@pytest.mark.parametrize("tile", [(16, 16), (7, 100), (1, 1), (30, 41)])
def test_tiles(tile):
    frames = moving((6, 30, 41) if tile != (1, 1) else (6, 5, 9))
    h5vidstack.pack(frames, "x.h5", tile=tile, chunk_frames=4)
    np.testing.assert_array_equal(content(), frames)
