"""`Stack` against numpy on the same array."""

import random
import threading

import numpy as np
import pytest
from frames import SHAPES, moving

import h5vidstack

KEYS = [
    np.s_[0], np.s_[-1], np.s_[7, 3], np.s_[7, 3, 4], np.s_[3:30], np.s_[::-1], np.s_[40:2:-7],
    np.s_[..., 5], np.s_[:, 8:20:3, ::-2], np.s_[None, 4], np.s_[5:5], [4, 1, 1, 42, -1], [],
    np.s_[[3, 30], [1, 2], [3, 4]], np.s_[::9, [1, 2], [3, 4]], np.s_[[9, 2], :, 7], np.s_[[[1], [2]], 3],
    np.arange(43) % 5 == 0, np.s_[:, np.arange(40) > 30], np.s_[2, ..., np.arange(50) < 3],
    np.s_[[40, 0], 30:, [2, 1]], (), np.s_[...], np.s_[10:20, 17, 33],
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing(packed, key):
    stack, frames = packed
    np.testing.assert_array_equal(stack[key], frames[key], strict=True)
    out = np.empty_like(frames[key])
    if out.ndim:
        assert stack.read(key, out=out) is out
        np.testing.assert_array_equal(out, frames[key])


def test_mask_of_several_axes(packed):
    stack, frames = packed
    mask = frames % 7 == 0
    np.testing.assert_array_equal(stack[mask], frames[mask])
    np.testing.assert_array_equal(stack[mask[..., 0]], frames[mask[..., 0]])


def test_attributes_and_protocols(packed):
    stack, frames = packed
    assert (stack.shape, stack.dtype, stack.ndim, stack.size) == ((43, 40, 50), np.uint8, 3, 86000)
    assert (stack.nbytes, len(stack), stack.leading_shape) == (86000, 43, (43,))
    np.testing.assert_array_equal(np.asarray(stack), frames, strict=True)
    assert np.asarray(stack, dtype="f4").dtype == np.float32
    with pytest.raises(ValueError, match="copy"):
        np.array(stack, copy=False)
    assert np.mean(stack[...]) == frames.mean()
    np.testing.assert_array_equal(np.stack(list(stack)), frames)
    assert "43" in repr(stack)
    assert stack.attrs["settings"]["codings"] == ["x264-fast"]


def test_scalar_is_a_scalar(packed):
    stack, frames = packed
    assert isinstance(stack[1, 2, 3], np.uint8)
    assert stack[1, 2, 3] == frames[1, 2, 3]


@pytest.mark.parametrize("key", [43, -44, np.s_[0, 40], [0, 99], 1.5, "a", np.s_[0, 0, 0, 0]])
def test_bad_index(packed, key):
    with pytest.raises(IndexError):
        packed[0][key]


def test_random_keys(packed):
    stack, frames = packed
    chance = random.Random(0)
    for _ in range(200):
        key = tuple(
            chance.choice([
                chance.randrange(-n, n),
                slice(chance.randrange(-n, n), chance.randrange(-n, n), chance.choice([1, 2, -1, -3])),
                [chance.randrange(-n, n) for _ in range(3)],
            ])
            for n in frames.shape[: chance.randrange(1, 4)]
        )  # fmt: skip
        np.testing.assert_array_equal(stack[key], frames[key], strict=True, err_msg=str(key))


@pytest.mark.parametrize("shape", SHAPES)
def test_odd_shapes(shape):
    frames = moving(shape)
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames, strict=True)
        np.testing.assert_array_equal(stack[-1], frames[-1])
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_out_into_a_view_and_bad_out(packed):
    stack, frames = packed
    room = np.zeros((86, 80, 100), np.uint8)
    stack.read(np.s_[:], out=room[::2, ::-2, ::2])
    np.testing.assert_array_equal(room[::2, ::-2, ::2], frames)
    locked = np.empty((40, 50), np.uint8)
    locked.flags.writeable = False
    for out in (np.empty((40, 51), np.uint8), np.empty((40, 50), np.uint16), locked):
        with pytest.raises(h5vidstack.OutputError, match="out is"):
            stack.read(0, out=out)


def test_iteration_may_stop_early_and_run_twice(packed):
    stack, frames = packed
    for i, frame in enumerate(stack):
        np.testing.assert_array_equal(frame, frames[i])
        if i == 20:
            break
    pairs = list(zip(stack, stack, strict=True))
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert len(pairs) == 43


def test_threads(packed):
    stack, frames = packed
    wrong = []

    def work(seed):
        for i in np.random.default_rng(seed).integers(0, 43, 60):
            if not np.array_equal(stack[i], frames[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
