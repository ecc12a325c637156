import os
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from array_likes import ArrayLike
from frames import moving, noise

import h5vidstack
from h5vidstack.codecs import block
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.layout.writer import PileWriter
from h5vidstack.writing.coders import BlockCoder
from h5vidstack.writing.pile_encoder import PileEncoder


def content(path="x.h5", stack="/stack"):
    with h5vidstack.open(path, stack) as opened:
        assert opened.verify() == []
        return opened[:]


def test_an_encoder_that_fails_leaves_nothing(monkeypatch):
    def fail(*args, **kwargs):
        raise h5vidstack.NotExactError("on purpose")

    monkeypatch.setattr(block, "encode", fail)
    with pytest.raises(h5vidstack.NotExactError):
        h5vidstack.pack(moving((40, 9, 9)), "x.h5")
    assert os.listdir() == []


def test_a_source_that_reuses_one_buffer():
    def frames():
        buffer = np.empty((20, 24), np.uint8)
        for i in range(40):
            buffer[...] = 3 * i
            yield buffer

    class Reader(ArrayLike):
        buffer = np.empty((100, 9, 9), np.uint8)

        def __getitem__(self, key):
            piece = self._array[key]
            self.buffer[: len(piece)] = piece
            return self.buffer[: len(piece)]

    h5vidstack.pack(frames(), "x.h5", workers=2)
    assert list(content()[:, 0, 0]) == [3 * i for i in range(40)]
    array = moving((100, 9, 9))
    h5vidstack.pack(Reader(array), "y.h5", workers=2)
    np.testing.assert_array_equal(content("y.h5"), array)


CHUNK = (4, 16, 32)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3) as threads:
        yield threads


@pytest.fixture
def data():
    """An empty dataset of frames that are no whole number of tiles."""
    coder = BlockCoder(Recipe(Coding("deflate")), True)
    with h5py.File("x.h5", "w") as file:
        yield file.create_dataset(
            "d", (0, 17, 45), "u1", maxshape=(None, 17, 45), chunks=CHUNK, **coder.options()
        )


def encoder(pool, data, recipe=None, **more):
    coder = BlockCoder(recipe or Recipe(Coding("deflate")), True)
    return PileEncoder(pool, 3, PileWriter(data), coder, CHUNK, **more)


@pytest.mark.parametrize("sizes", [[11], [1] * 11, [3, 5, 3], [8, 3], [2, 0, 9]])
def test_frames_in_pieces_of_any_size(pool, data, sizes):
    frames, written, rows = moving((11, 17, 45)), [], []
    one = encoder(pool, data, block=written.append, row=lambda: rows.append(len(data)))
    start = 0
    for size in sizes:
        one.add(frames[start : start + size])
        start += size
    one.finish()
    np.testing.assert_array_equal(data[...], frames, strict=True)
    assert sum(written) == 11  # each frame counts once, though it has four tiles
    assert len(written) == 3 * 4
    assert rows == [4, 8, 11]


def test_parts_of_a_row_are_put_together(pool, data):
    frames = moving((11, 17, 45))
    one = encoder(pool, data)
    for part in np.split(frames, [1, 3, 4, 10]):
        one.add(part)
    one.finish()
    np.testing.assert_array_equal(data[...], frames)


def test_a_pile_goes_on_behind_its_whole_rows(pool, data):
    frames = moving((11, 17, 45))
    first = encoder(pool, data)
    first.add(frames[:4])
    first.finish()
    more = encoder(pool, data, start=4)
    more.add(frames[4:])
    more.finish()
    np.testing.assert_array_equal(data[...], frames)


def test_what_a_lossy_coder_makes_is_measured(pool, data):
    frames = noise((11, 17, 45))
    one = encoder(pool, data, Recipe(Coding("deflate"), bound=5.0))
    one.add(frames)
    one.finish()
    got = data[...]
    apart = np.abs(got.astype(int) - frames)
    assert 0 < apart.max() <= 5
    worst = np.concatenate([loss.worst for loss in one.losses])
    np.testing.assert_array_equal(worst, apart.max((1, 2)))
    np.testing.assert_array_equal(np.concatenate(one.crc32), block.frame_crcs(got))
