"""`Stack` against numpy on the same array."""

import contextlib
import multiprocessing
import os
import pickle
import random
import threading

import h5py
import numpy as np
import pytest
from frames import SHAPES, moving

import h5vidstack
from h5vidstack.codecs import block
from h5vidstack.reading.session import KEPT_SHARE

GRIDS = [{}, {"chunk_frames": 5, "tile": (16, 32)}, {"chunk_frames": 1}, {"chunk_frames": 100}]


@pytest.fixture(params=GRIDS, ids=str)
def packed(request):
    frames = moving((43, 40, 50))
    h5vidstack.pack(frames, "x.h5", preset="x264-fast", **request.param)
    with h5vidstack.open("x.h5") as stack:
        yield stack, frames


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


def counting(monkeypatch):
    calls, decode = [], block._decode

    def counted(parsed, pixels):
        calls.append(len(pixels))
        decode(parsed, pixels)

    monkeypatch.setattr(block, "_decode", counted)
    return calls


def test_decodes_no_more_than_needed(monkeypatch):
    frames = moving((48, 40, 50))
    h5vidstack.pack(frames, "x.h5", preset="x264-fast", tile=(20, 25))
    calls = counting(monkeypatch)
    with h5vidstack.open("x.h5") as stack:
        stack[18, 3, 4]
        assert calls == [3]  # one tile, three frames of it
        calls.clear()
        stack[17, 1, 1]
        assert calls == []  # cached
        stack[20, 1, 1]
        assert calls == [16]  # further into the same block: all of it
        calls.clear()
        stack[16:32, :20, :25]
        assert calls == []
        stack[0:48:16]
        assert len(calls) == 11  # one of the twelve tiles is cached
        calls.clear()
        stack[[47, 0, 47, 1]]
        assert sorted(calls) == [16] * 8


def test_frames_that_stand_alone_are_decoded_alone(monkeypatch):
    frames = moving((48, 40, 50))
    h5vidstack.pack(frames, "x.h5", profile="fast")
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks[0] == 16
        calls = counting(monkeypatch)
        np.testing.assert_array_equal(stack[18], frames[18])
        np.testing.assert_array_equal(stack[37:40], frames[37:40])
        np.testing.assert_array_equal(stack[[14, 11, 14]], frames[[14, 11, 14]])
        np.testing.assert_array_equal(stack[14:11:-1], frames[14:11:-1])
        assert calls == [1, 3, 4, 3]
        for number, decoded in ((2, [1]), (2, [16]), (2, []), (9, []), (40, [16]), (20, [1])):
            calls.clear()  # the same again: all of the block is kept
            np.testing.assert_array_equal(stack[number], frames[number])
            assert calls == decoded
        calls.clear()
    with h5vidstack.open("x.h5") as stack:
        for number in (3, 7) * 50:
            np.testing.assert_array_equal(stack[number], frames[number])
        assert calls == [1] * 8 + [16]
        calls.clear()
        np.testing.assert_array_equal(stack[32], frames[32])
        np.testing.assert_array_equal(stack[33], frames[33])
        np.testing.assert_array_equal(stack[34:48], frames[34:48])
        assert calls == [1, 16]
        calls.clear()
    with h5vidstack.open("x.h5", cache_bytes=16 * 40 * 50 - 1) as stack:
        for number in range(48):
            np.testing.assert_array_equal(stack[number], frames[number])
        assert calls == [1] * 48


def test_the_cache_is_bounded(monkeypatch):
    frames = moving((64, 40, 50))
    h5vidstack.pack(frames, "x.h5", preset="x264-fast")
    limit = 2 * 16 * 40 * 50
    with h5vidstack.open("x.h5", cache_bytes=limit) as stack:
        for i in list(range(64)) + list(range(63, -1, -5)):
            np.testing.assert_array_equal(stack[i], frames[i])
            assert stack._session.cache.nbytes <= limit
        held = stack._session.cache.nbytes
        assert held * KEPT_SHARE < frames.nbytes
        np.testing.assert_array_equal(stack[:], frames)  # goes past the cache
        assert stack._session.cache.nbytes == held
    calls = counting(monkeypatch)
    with h5vidstack.open("x.h5", cache_bytes=0) as stack:
        stack[3], stack[3]
        assert calls == [4, 4]


def test_cached_pixels_cannot_be_changed_through_results():
    frames = moving((16, 10, 12))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        stack[3][...] = 0
        stack[2:5][...] = 0
        for frame in stack:
            frame[...] = 0
        np.testing.assert_array_equal(stack[:], frames)


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


def test_pickle_keeps_its_settings(packed, monkeypatch, tmp_path_factory):
    stack, frames = packed
    data = pickle.dumps(stack)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pickle.loads(data) as other:
        np.testing.assert_array_equal(other[5:9], frames[5:9])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(packed):
    stack, frames = packed
    stack[3:40]
    child = os.fork()
    if child == 0:
        right = np.array_equal(stack[:], frames) and np.array_equal(stack[9], frames[9])
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(stack[:], frames)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_iteration_does_not_go_on_after_a_fork():
    h5vidstack.pack(moving((100, 16, 17)), "x.h5", chunk_frames=2)
    with h5vidstack.open("x.h5") as stack:
        frames = iter(stack)
        next(frames)
        child = os.fork()
        if child == 0:
            try:
                list(frames)
            except h5vidstack.ClosedError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(frames)) == 99


def _sum(stack, i):
    return int(stack[i].sum())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes(method):
    frames = moving((20, 16, 17))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        stack[0]
        with multiprocessing.get_context(method).Pool(2) as pool:
            sums = pool.starmap(_sum, [(stack, i) for i in range(20)])
    assert sums == [int(frame.sum()) for frame in frames]


def test_closed(packed):
    stack, _ = packed
    stack.close()
    stack.close()
    for use in (lambda: stack[0], lambda: list(stack), stack.verify):
        with pytest.raises(h5vidstack.ClosedError, match="closed"):
            use()


def test_closed_while_others_read(packed):
    stack, frames = packed
    odd = []

    def work(seed):
        chance = random.Random(seed)
        try:
            while True:
                i = chance.randrange(43)
                if not np.array_equal(stack[i : i + 20], frames[i : i + 20]):
                    odd.append(i)
                if not np.array_equal(stack[i], frames[i]):
                    odd.append(i)
        except h5vidstack.ClosedError:
            return
        except BaseException as error:  # noqa: BLE001
            odd.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    half_read = iter(stack)
    next(half_read)
    stack.close()
    for thread in threads:
        thread.join()
    assert not odd
    with contextlib.suppress(h5vidstack.ClosedError):  # not if all was decoded already
        list(half_read)


def test_damaged_block_names_its_frames():
    frames = moving((40, 20, 30))
    h5vidstack.pack(frames, "x.h5")
    with h5py.File("x.h5", "r+") as file:
        video = file["stack/frames"]
        data = bytearray(video.id.read_direct_chunk((16, 0, 0))[1])
        data[200] ^= 4
        video.id.write_direct_chunk((16, 0, 0), bytes(data))
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:16], frames[:16])
        for read in (lambda: stack[20], lambda: stack[:], lambda: list(stack)):
            with pytest.raises(h5vidstack.BlockError, match="frames 16-31"):
                read()


def test_settings_are_never_needed():
    frames = moving((3, 9, 8))
    h5vidstack.pack(frames, "x.h5")
    for settings in (np.bytes_("{"), np.bytes_("[1]"), "{}", 7, None):
        with h5py.File("x.h5", "r+") as file:
            file["stack"].attrs.pop("settings", None)
            if settings is not None:
                file["stack"].attrs["settings"] = settings
        with h5vidstack.open("x.h5") as stack:
            assert stack.attrs["settings"] == {}
            np.testing.assert_array_equal(stack[:], frames)


def test_frames_appended_through_h5py_are_read():
    frames = moving((25, 9, 8))
    h5vidstack.pack(frames[:20], "x.h5", method="video")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].resize(25, axis=0)
        file["stack/frames"][20:] = frames[20:]
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        assert any("index/crc32" in problem for problem in stack.verify())


def test_chunks_of_single_channels():
    frames = moving((5, 8, 9, 3))
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(5, 8, 9, 1), **h5vidstack.Video())
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        np.testing.assert_array_equal(stack[2, 3, ..., 1:], frames[2, 3, ..., 1:])


def test_bad_files(tmp_path):
    cases = {
        "no such file": "none.h5",
        "not an HDF5 file": "text.h5",
        "no h5vidstack stack": "plain.h5",
        "is a folder": ".",
    }
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File("plain.h5", "w") as file:
        file["d"] = np.zeros((2, 3, 4), np.uint8)
    for words, name in cases.items():
        with pytest.raises(h5vidstack.FormatError, match=words):
            h5vidstack.open(name)
    with pytest.raises(h5vidstack.FormatError, match="without h5vidstack's filter"):
        h5vidstack.open("plain.h5::/d")
    h5vidstack.pack(np.zeros((2, 3, 4), np.uint8), "x.h5")
    with pytest.raises(h5vidstack.FormatError, match="stacks in it: /stack"):
        h5vidstack.open("x.h5", "/other")
    with pytest.raises(h5vidstack.FormatError, match="cache_bytes"):
        h5vidstack.open("x.h5", workers=0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "h5vidstack_format",
            np.bytes_("1.1"),
            "is of format '1.1'; this h5vidstack .* reads format 1.0",
        ),
        ("h5vidstack_format", np.bytes_("0.9"), "reads format 1.0"),
        ("h5vidstack_format", np.bytes_("x"), "reads format 1.0"),
        ("h5vidstack_format", "1.0", "no string of fixed length"),
        ("shape", [1, 2], "damaged"),
        ("shape", [2, 3, 5], "damaged"),
        ("shape", "x", "damaged"),
        ("leading_shape", "x", "damaged"),
        ("leading_shape", 7, "damaged"),
        ("lossless", [True, False], "damaged"),
        ("max_error", "x", "damaged"),
        ("dtype", "f8", "damaged"),
        ("dtype", "nonsense", "damaged"),
        ("shape", None, "damaged"),
    ],
)
def test_other_or_damaged_stacks(name, value, words):
    h5vidstack.pack(np.zeros((2, 3, 4), np.uint8), "x.h5")
    with h5py.File("x.h5", "r+") as file:
        if name in file["stack"].attrs:
            del file["stack"].attrs[name]
        if value is not None:
            file["stack"].attrs[name] = value
    with pytest.raises(h5vidstack.FormatError, match=words):
        h5vidstack.open("x.h5")
