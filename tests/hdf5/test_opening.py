import os
import sys

import fsspec
import numpy as np
import pytest
from frames import moving, noise
from serving import serving

import h5vidstack


def test_not_hdf5_damaged_recording(packed, monkeypatch):
    with open("text.h5", "w") as file:
        file.write("text" * 1000)
    open("empty.h5", "w").close()
    with open("x.h5", "rb") as file:
        data = bytearray(file.read())
    data[100] ^= 255
    with open("bad.h5", "wb") as file:
        file.write(data)
    with serving() as server:
        for name in ("text.h5", "empty.h5", "bad.h5"):
            with pytest.raises(h5vidstack.FormatError, match=f"{name}.*(not an HDF5|damaged)"):
                h5vidstack.open(f"{server.url}/{name}")
        with pytest.raises(h5vidstack.FormatError, match="no h5vidstack stack at /other.*/stack"):
            h5vidstack.open(f"{server.url}/x.h5::/other")
        recorder = h5vidstack.create("live.h5", shape=(8, 8), dtype="uint8")
        for frame in noise((64, 8, 8)):
            recorder.write(frame)
        recorder.flush()
        with pytest.raises(h5vidstack.FormatError, match="live.h5 is being recorded"):
            h5vidstack.open(f"{server.url}/live.h5")
        recorder.close()
        with h5vidstack.open(f"{server.url}/live.h5") as stack:
            np.testing.assert_array_equal(stack[...], noise((64, 8, 8)))


def test_what_is_not_installed(monkeypatch):
    def open_without(module, url):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(h5vidstack.MissingError) as caught:
                h5vidstack.open(url)
            return str(caught.value)

    assert 'pip install "h5vidstack[remote]"' in open_without("fsspec", "https://localhost/x.h5")
    for module in ("fsspec", "s3fs"):
        assert 'pip install "h5vidstack[s3]"' in open_without(module, "s3://bucket/x.h5")


def test_urls_are_told_from_paths():
    h5vidstack.pack(moving((20, 16, 16)), "x.h5::/a/b")
    memory = fsspec.filesystem("memory")
    with open("x.h5", "rb") as file:
        memory.pipe("/far.h5", file.read())
    for url in ("memory://far.h5", f"file://{os.path.abspath('x.h5')}"):
        with h5vidstack.open(f"{url}::/a/b") as stack:
            assert (stack.stack, len(stack)) == ("/a/b", 20)
        with h5vidstack.open(url, "/a/b") as stack:
            np.testing.assert_array_equal(stack[...], moving((20, 16, 16)))
    with h5vidstack.open("simplecache::memory://far.h5::/a/b") as stack:
        np.testing.assert_array_equal(stack[3], moving((20, 16, 16))[3])
    os.mkdir("http:")
    os.rename("x.h5", "http:/x.h5")
    with h5vidstack.open("http:/x.h5", "/a/b") as stack:
        assert len(stack) == 20
