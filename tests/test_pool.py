import threading

import numpy as np
from frames import moving, noise

import h5vidstack


def test_memory_is_bounded_by_workers_not_by_length():
    alive, peak = 0, 0
    lock = threading.Lock()

    class Frame(np.ndarray):
        def __del__(self):
            nonlocal alive
            with lock:
                alive -= 1

    def frames():
        nonlocal alive, peak
        base = moving((1, 64, 64))[0]
        for _ in range(1500):
            with lock:
                alive += 1
                peak = max(peak, alive)
            yield base.copy().view(Frame)

    h5vidstack.pack(frames(), "x.h5", workers=2, chunk_frames=10, preset="x264-fast")
    assert peak < 150


def test_progress():
    calls = []

    def note(step):
        call = (step.doing, step.frames, step.total)
        if call != (calls or [None])[-1]:  # a choice is told again while it takes long
            calls.append(call)
            sizes.append((step.raw_bytes, step.stored_bytes))

    sizes = []
    choosing, packing = ("choosing how to code", 0, 37), [("", n, 37) for n in (0, 16, 32, 37)]
    report = h5vidstack.pack(noise((37, 9, 9)), "x.h5", method="video", progress=note)
    assert calls == [choosing, *packing]
    assert [raw for raw, _ in sizes] == [81 * n for _, n, _ in calls]
    assert sizes[-1] == (report.raw_bytes, report.stored_bytes)
    calls.clear()
    frames = (frame for frame in noise((5, 9, 9)))
    h5vidstack.pack(frames, "y.h5", method="video", progress=note)
    assert calls == [("choosing how to code", 0, None), ("", 0, None), ("", 5, None)]
    calls.clear()
    h5vidstack.pack(noise((37, 9, 9)), "z.h5", method="groupvideo", progress=note)
    assert calls == [("looking", 37, 37), ("choosing an order", 0, 37), choosing, *packing]


def test_progress_goes_by_blocks():
    done = []
    frames = noise((10, 32, 48))
    h5vidstack.pack(
        frames, "x.h5", method="video", preset="raw", tile=(16, 16), chunk_frames=10,
        progress=lambda step: done.append((step.frames, step.raw_bytes, step.stored_bytes)),
    )  # fmt: skip
    assert [frames for frames, *_ in done] == [0, 0, 1, 3, 5, 6, 8, 10]
    assert [raw for _, raw, _ in done] == [32 * 48 * frames for frames, *_ in done]
    stored = [stored for *_, stored in done]
    assert stored[:2] == [0, 0]
    assert stored[1:] == sorted(set(stored))
