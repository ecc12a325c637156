import h5py
import numpy as np
import pytest
from counting import counting
from frames import moving

import h5vidstack


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
