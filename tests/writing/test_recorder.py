"""Recording: each block can be read as soon as it is there, also after a crash."""

import gc
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import h5py
import numpy as np
import pytest
from frames import SHAPES, moving, pixels
from places import SPEC_READER

import h5vidstack
from h5vidstack.layout import writer

FRAMES = moving((40, 20, 30))


def record(frames, path="x.h5", **how):
    with h5vidstack.create(path, shape=frames.shape[1:], dtype=frames.dtype, **how) as recorder:
        for frame in frames:
            recorder.write(frame)
        assert recorder.frames == len(frames)


def check(frames, path="x.h5"):
    with h5vidstack.open(path) as stack:
        assert stack.verify() == []
        assert stack[:].tobytes() == frames.astype(frames.dtype.newbyteorder("=")).tobytes()
        assert stack.attrs["method"] == "video"
    with h5py.File(path) as file:
        assert file["stack/frames"].shape == frames.shape
    SPEC_READER["read_stack"](path)


@pytest.mark.parametrize("profile", ["fast", "balanced", "small"])
def test_recorded_is_packed(profile):
    record(FRAMES, profile=profile)
    check(FRAMES)
    h5vidstack.pack(FRAMES, "packed.h5", method="video")
    with h5vidstack.open("x.h5") as stack, h5vidstack.open("packed.h5") as packed:
        for name in ("phash", "ahash", "dhash"):
            np.testing.assert_array_equal(stack.hashes(name), packed.hashes(name))
        assert stack.find(FRAMES[7], 1)[0].frame == 7
        assert stack.groups[0].typical == 20


@pytest.mark.parametrize("shape", SHAPES)
def test_odd_sizes(shape):
    record(moving(shape))
    check(moving(shape))


@pytest.mark.parametrize("dtype", ["?", "i1", ">u2", "i4", "f2", ">f8"])
def test_dtypes(dtype):
    record(pixels((5, 17, 3), dtype), chunk_frames=2)
    check(pixels((5, 17, 3), dtype))


def test_tiles_presets_and_places():
    record(FRAMES, "x.h5::/a/b", tile=(8, 16), preset="ffv1", chunk_frames=7, hashes=False)
    with h5vidstack.open("x.h5::/a/b") as stack:
        assert stack.chunks == (7, 8, 16)
        assert stack.groups[0].coding == "ffv1"
        assert stack.verify() == []
        np.testing.assert_array_equal(stack[:], FRAMES)


def test_more_frames_than_a_chunk_of_a_table():
    frames = np.arange(5000, dtype=np.uint16).reshape(-1, 1, 1)
    record(frames, hashes=False)
    check(frames)


def test_a_recording_takes_more_frames_later():
    record(FRAMES[:21])
    h5vidstack.pack(FRAMES[21:], "x.h5", mode="a")
    check(FRAMES)


WATCH = """
    import sys, numpy as np, h5vidstack
    frames = np.load("frames.npy")
    with h5vidstack.open("x.h5") as stack:
        for line in sys.stdin:
            if line.strip() == "refresh":
                stack.refresh()
            assert (stack[:] == frames[: len(stack)]).all()
            print(len(stack), len(stack.verify()), flush=True)
"""


def test_another_process_reads_meanwhile():
    np.save("frames.npy", FRAMES)
    with h5vidstack.create("x.h5", FRAMES.shape[1:], "u1", chunk_frames=8) as recorder:
        for frame in FRAMES[:7]:
            recorder.write(frame)
        assert not Path("x.h5").exists()  # it appears with the first block
        for frame in FRAMES[7:17]:
            recorder.write(frame)
        recorder.flush()
        reader = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WATCH)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        def ask(word):
            reader.stdin.write(word + "\n")
            reader.stdin.flush()
            return reader.stdout.readline().split()

        assert ask("read") == ["16", "1"]
        for frame in FRAMES[17:]:
            recorder.write(frame)
        recorder.flush()
        assert ask("read") == ["16", "1"]
        assert ask("refresh") == ["40", "1"]
    assert ask("refresh") == ["40", "0"]
    reader.communicate()
    assert reader.returncode == 0
    check(FRAMES)


CRASH = """
    import os, signal, numpy as np, h5vidstack
    frames = np.load("frames.npy")
    recorder = h5vidstack.create("x.h5", frames.shape[1:], "u1", chunk_frames=4)
    for frame in frames[:18]:
        recorder.write(frame)
    recorder.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_crash_all_blocks_are_there():
    np.save("frames.npy", FRAMES)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(CRASH)], check=False)
    assert done.returncode == -9
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:16])
        (problem,) = stack.verify()
        assert "recover" in problem
    np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), FRAMES[:16])
    with pytest.raises(h5vidstack.FormatError, match="recover"):
        h5vidstack.pack(FRAMES[16:], "x.h5", mode="a")
    found = h5vidstack.recover("x.h5", "good.h5")
    assert (found.saved, found.lost, found.carved) == (16, (), False)
    h5vidstack.pack(FRAMES[16:], "good.h5", mode="a")
    check(FRAMES, "good.h5")
    with h5vidstack.open("good.h5") as stack:
        assert len(stack.hashes()) == 40


def test_room_without_blocks_is_not_read():
    """A writer makes room first: a reader between the two must not see zeros."""
    np.save("frames.npy", FRAMES)
    code = """
        import os, numpy as np, h5vidstack
        recorder = h5vidstack.create("y.h5", (20, 30), "u1", chunk_frames=4, tile=(16, 16))
        for frame in np.load("frames.npy")[:8]:
            recorder.write(frame)
        recorder.flush()
        # Private: a writer that dies between two steps leaves this behind.
        data = recorder._live.pile.data
        data.resize(12, axis=0)
        data.id.write_direct_chunk((8, 0, 0), data.id.read_direct_chunk((0, 0, 0))[1])
        data.flush()
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    with h5vidstack.open("y.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:8])
    np.testing.assert_array_equal(SPEC_READER["read_stack"]("y.h5"), FRAMES[:8])


def test_an_error_in_the_with_block_keeps_the_frames():
    def camera():
        yield from FRAMES[:5]
        raise ZeroDivisionError

    with (  # noqa: PT012
        pytest.raises(ZeroDivisionError),
        h5vidstack.create("x.h5", (20, 30), "u1") as recorder,
    ):
        for frame in camera():
            recorder.write(frame)
    check(FRAMES[:5])


def test_a_wrong_frame_is_refused_and_recording_goes_on():
    with h5vidstack.create("x.h5", (20, 30), "u1") as recorder:
        recorder.write(FRAMES[0])
        for wrong in (FRAMES[0, 1:], FRAMES[0].astype("u2"), FRAMES[:2], "no frame"):
            with pytest.raises(h5vidstack.SourceError, match="those of this recording"):
                recorder.write(wrong)
        buffer = FRAMES[1].copy()
        recorder.write(buffer)
        buffer[:] = 0  # the camera's buffer is its own again
    check(FRAMES[:2])
    with pytest.raises(h5vidstack.ClosedError):
        recorder.write(FRAMES[0])
    recorder.close()


def test_nothing_recorded_leaves_nothing():
    with pytest.raises(h5vidstack.SourceError, match="no frame"):
        h5vidstack.create("x.h5", (20, 30), "u1").close()
    with pytest.raises(ZeroDivisionError), h5vidstack.create("x.h5", (20, 30), "u1"):
        _ = 1 / 0
    assert list(Path().iterdir()) == []


def test_an_existing_file_is_replaced_only_on_request_and_late():
    record(FRAMES[:3])
    with pytest.raises(h5vidstack.OutputError, match="overwrite"):
        h5vidstack.create("x.h5", (20, 30), "u1")
    with h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=2, overwrite=True) as recorder:
        recorder.write(FRAMES[3])
        check(FRAMES[:3])
        recorder.write(FRAMES[4])
        recorder.flush()
    check(FRAMES[3:5])


BAD = {
    "shape": {"shape": (20,)},
    "empty": {"shape": (20, 0)},
    "channels": {"shape": (20, 30, 5)},
    "words": {"shape": "20x30"},
    "dtype": {"dtype": "c8"},
    "lossy": {"preset": "mp4"},
    "workers": {"workers": 0},
    "root": {"path": "x.h5::/"},
    "folder": {"path": "nowhere/x.h5"},
    "profile": {"profile": "quick"},
    "chunk": {"chunk_frames": 0},
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests(name):
    with pytest.raises(h5vidstack.Error):
        h5vidstack.create(**({"path": "x.h5", "shape": (20, 30), "dtype": "u1"} | BAD[name]))
    assert list(Path().iterdir()) == []


def test_ctrl_c_in_a_write_loses_nothing():
    code = """
        import signal, threading, time, numpy as np, h5vidstack
        frames = np.random.default_rng(0).integers(0, 256, (64, 50, 60), np.uint8)
        main, interrupted, taken = threading.main_thread().ident, 0, 0
        with h5vidstack.create("x.h5", (50, 60), "u1", profile="balanced") as recorder:
            # Private: the signal must come while a write is under way.
            take = recorder._take
            def slowly(frame, columns):
                if recorder.frames in (3, 20, 31):
                    signal.pthread_kill(main, signal.SIGINT)  # while it waits for this
                    time.sleep(0.2)
                take(frame, columns)
            recorder._take = slowly
            while recorder.frames < 60:
                try:
                    recorder.write(frames[taken])
                except KeyboardInterrupt:
                    interrupted += 1
                taken += 1
        assert interrupted == 3
        with h5vidstack.open("x.h5") as stack:
            assert (stack[:] == frames[:taken]).all() and len(stack) == taken
            assert stack.verify() == []
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_several_threads_write():
    with (
        h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=3) as recorder,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(recorder.write, FRAMES))
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        assert sorted(frame.tobytes() for frame in stack) == sorted(f.tobytes() for f in FRAMES)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("before", [3, 20])
def test_a_fork_leaves_the_recording_alone(before):
    code = """
        import os, sys, numpy as np, h5vidstack
        frames = np.load("frames.npy")
        recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=8)
        for frame in frames[:BEFORE]:
            recorder.write(frame)
        child = os.fork()
        if not child:
            for call in (recorder.flush, lambda: recorder.write(frames[0])):
                try:
                    call()
                except h5vidstack.ClosedError:
                    pass
                else:
                    os._exit(1)
            recorder.close()
            del recorder
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        for frame in frames[BEFORE:]:
            recorder.write(frame)
        recorder.close()
    """.replace("BEFORE", str(before))
    np.save("frames.npy", FRAMES)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    check(FRAMES)


def test_what_is_dropped_is_closed():
    recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=8)
    for frame in FRAMES[:11]:
        recorder.write(frame)
    with pytest.warns(ResourceWarning, match="not closed"):  # noqa: PT031
        del recorder
        gc.collect()
    check(FRAMES[:11])


def test_after_an_error_of_the_disk_nothing_is_taken(monkeypatch):
    recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=4)
    for frame in FRAMES[:10]:
        recorder.write(frame)
    recorder.flush()
    with monkeypatch.context() as patch:
        full = OSError(28, "No space left on device")
        patch.setattr(writer.PileWriter, "write_block", Mock(side_effect=full))
        with pytest.raises(h5vidstack.OutputError, match="No space"):  # noqa: PT012
            for frame in FRAMES[10:30]:
                recorder.write(frame)
                recorder.flush()
    for work in (lambda: recorder.write(FRAMES[0]), recorder.flush, recorder.close):
        with pytest.raises(h5vidstack.OutputError, match="could not be written"):
            work()
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:8])


def test_a_recording_that_is_removed_meanwhile():
    recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=1)
    recorder.write(FRAMES[0])
    Path("x.h5").unlink()
    with pytest.raises(h5vidstack.OutputError, match="No such file"):
        recorder.close()


def test_two_recordings_of_one_name():
    with (  # noqa: PT012
        pytest.raises(h5vidstack.OutputError, match="meanwhile"),
        h5vidstack.create("x.h5", (20, 30), "u1") as one,
    ):
        record(FRAMES[:20])
        for frame in FRAMES:
            one.write(frame)
    check(FRAMES[:20])


def test_an_open_recording_is_a_source():
    np.save("frames.npy", FRAMES)
    subprocess.run([sys.executable, "-c", textwrap.dedent(CRASH)], check=False)
    h5vidstack.pack("x.h5", "packed.h5")
    with h5vidstack.open("packed.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:16])
    from h5vidstack.care.rehashing import rehash

    with pytest.raises(h5vidstack.OutputError, match="recover"):
        rehash("x.h5")
