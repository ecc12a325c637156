import os
from pathlib import Path

import h5py
import numpy as np
from frames import SHUFFLE, SWEEP
from PIL import Image

import h5vidstack
from h5vidstack.sources import spool
from h5vidstack.writing import pack_options


def content(path="x.h5"):
    with h5vidstack.open(path) as opened:
        assert opened.verify() == []
        return opened[:]


def test_spooled_read_again_or_kept_in_order(long):
    frames = SWEEP[SHUFFLE]
    Path("images").mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(f"images/{number:03}.png")
    Image.fromarray(frames[0]).save(
        "pages.tif", save_all=True, append_images=[Image.fromarray(f) for f in frames[1:]]
    )
    np.save("a.npy", frames)
    with h5py.File("s.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(8, 40, 56), compression="gzip")
        file["contiguous"] = frames
    h5vidstack.pack(frames, "stack.h5", method="video")
    cases = {
        "images": ("spooled", "read again"),
        "pages.tif": ("spooled", "read again"),
        "s.h5::/d": ("spooled", "read again"),
        "stack.h5": ("spooled", "read again"),
        "s.h5::/contiguous": ("read again", "read again"),
        "a.npy": ("read again", "read again"),
        "iterable": ("spooled", "time order: the source runs only once"),
    }
    for name, sentences in cases.items():
        for limit, words in zip((pack_options.SPOOL_BYTES, 100_000), sentences, strict=True):
            for method in ("groupvideo", "auto") if long or name == "iterable" else ("auto",):
                source = iter(frames) if name == "iterable" else name
                report = h5vidstack.pack(
                    source, "x.h5", method=method, spool_bytes=limit, overwrite=True
                )
                assert words in report.order, (name, limit, report.order)
                np.testing.assert_array_equal(content(), frames, err_msg=name)
    assert sorted(os.listdir()) == sorted(
        ["a.npy", "images", "pages.tif", "s.h5", "stack.h5", "x.h5"]
    )


def test_a_disk_that_fills_up_while_spooling(monkeypatch):
    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, data):
            if self._file.tell() + memoryview(data).nbytes > 50_000:
                raise OSError(28, "No space left on device")
            self._file.write(data)

        def __getattr__(self, name):
            return getattr(self._file, name)

    make = spool.tempfile.TemporaryFile
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda **options: Full(make(**options)))
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[:9]])
    report = h5vidstack.pack(iter(frames), "x.h5", method="groupvideo")
    assert "too large to be spooled" in report.order
    assert report.copies == 9
    np.testing.assert_array_equal(content(), frames)
