"""Stacks at URLs: the same frames, few requests, and servers that fail."""

import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import h5py
import numpy as np
import pytest
import xarray
from click.testing import CliRunner
from frames import moving, noise, pixels
from places import GOLDEN
from serving import serving

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.hdf5 import opening, remote_pages
from h5vidstack.layout import stack_group
from h5vidstack.reading import summary

OPEN, FRAME = 8, 2
"""Requests that opening and a random frame may take."""


def scenes(count, piles, edge):
    """Piles of frames that look alike, shuffled."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:edge, :edge]
    parts = []
    for pile in range(piles):
        a, b, c = rng.uniform(0.05, 0.5, 3)
        base = 127 + 60 * np.sin(8 * a * x + 9 * c) * np.cos(8 * b * y) + pile % 8 * 8
        steps = np.arange(count // piles)[:, None, None]
        parts.append(base + 8 * np.sin(3 * steps / len(steps) + x / 9))
    frames = np.concatenate(parts) + rng.integers(0, 2, (count, edge, edge))
    return frames[rng.permutation(count)].clip(0, 255).astype(np.uint8)


CASES = {
    "in order": (lambda: moving((43, 40, 50)), {"method": "video"}),
    "one pixel": (lambda: noise((1, 1, 1)), {}),
    "tiled": (lambda: moving((43, 40, 50)), {"chunk_frames": 5, "tile": (16, 32)}),
    "colour": (lambda: moving((20, 9, 8, 3)), {}),
    "copies": (lambda: np.repeat(noise((9, 8, 8)), 3, axis=0), {"method": "video"}),
    "reordered": (lambda: scenes(120, 4, 32), {"method": "groupvideo", "chunk_frames": 4}),
    "deflate": (lambda: moving((43, 40, 50)), {"method": "hdf5gzshuffle"}),
    "plain": (lambda: pixels((12, 9, 7), ">i2"), {"method": "hdf5"}),
    "means": (lambda: moving((43, 40, 50)), {"method": "group"}),
    "pca": (lambda: moving((43, 40, 50)), {"method": "pca", "components": 5}),
    "pca, exact": (lambda: moving((43, 40, 50)), {"method": "pca", "exact": True}),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_remote_equals_local(case, monkeypatch):
    make, options = CASES[case]
    monkeypatch.setattr(remote_pages, "PAGE", 512)  # so that small files have many
    for name, size in {"HEAD": 1024, "TAIL": 512, "STEP": 512, "MOST_AT_ONCE": 2048}.items():
        monkeypatch.setattr(remote_pages, name, size)
    h5vidstack.pack(make(), "x.h5::/entry/stack", **options)
    with (
        serving() as server,
        h5vidstack.open(f"{server.url}/x.h5::/entry/stack") as far,
        h5vidstack.open("x.h5::/entry/stack") as near,
    ):
        assert (far.shape, far.dtype, far.chunks) == (near.shape, near.dtype, near.chunks)
        assert dict(far.attrs) == dict(near.attrs)
        assert far.path == f"{server.url}/x.h5"
        np.testing.assert_array_equal(far[...], near[...], strict=True)
        np.testing.assert_array_equal(np.stack(list(far)), near[...], strict=True)
        np.testing.assert_array_equal(far[::-2, -1:], near[::-2, -1:], strict=True)
        np.testing.assert_array_equal(far[[0, -1, 0]], near[[0, -1, 0]], strict=True)
        np.testing.assert_array_equal(far.hashes(), near.hashes())
        for one, other in zip(far.groups, near.groups):
            np.testing.assert_array_equal(one.frames, other.frames)
            assert one.stored_bytes == other.stored_bytes
        assert far.find(near[0], 1)[0].frame == near.find(near[0], 1)[0].frame
        assert far.verify() == []


@pytest.mark.parametrize("name", ["order", "reordered"])
def test_requests(name, monkeypatch):
    """Few to open and to read a frame; neighbours together."""
    frames = noise((600, 32, 32)) if name == "order" else scenes(2000, 20, 32)
    method = "video" if name == "order" else "groupvideo"
    h5vidstack.pack(frames, "x.h5", method=method, preset="ffv1", chunk_frames=4)
    assert os.path.getsize("x.h5") > remote_pages.HEAD + remote_pages.TAIL
    with serving() as server:
        asked = server.requests
        with h5vidstack.open(f"{server.url}/x.h5", cache_bytes=0) as stack:
            assert len(asked) <= OPEN
            if name == "reordered":
                assert len(stack.groups) >= 5
            for number in np.random.default_rng(0).integers(0, len(stack), 40):
                before = len(asked)
                np.testing.assert_array_equal(stack[number], frames[number])
                assert len(asked) - before <= FRAME
            before = len(asked)
            np.testing.assert_array_equal(stack[100:300], frames[100:300])
            assert len(asked) - before <= (1 if name == "order" else 60)
            before = len(asked)
            assert stack.verify() == []
            assert len(asked) - before <= 6


def test_blocks_are_fetched_at_once():
    """Several connections are open together."""
    frames = noise((20, 300, 300))
    h5vidstack.pack(frames, "x.h5", method="video", preset="raw", chunk_frames=1)
    most, running, lock = 0, 0, threading.Event()

    def wait(number):
        nonlocal most, running
        running += 1
        most = max(most, running)
        lock.wait(0.05)
        running -= 1

    with serving() as server, h5vidstack.open(f"{server.url}/x.h5") as stack:
        server.fault = wait
        np.testing.assert_array_equal(stack[4:16:3], frames[4:16:3])
    assert most >= 2


def test_from_threads_and_with_garbage():
    """A collection in fsspec's thread, of h5py's objects, does not wait for ever."""
    frames = moving((64, 40, 50))
    h5vidstack.pack(frames, "x.h5", chunk_frames=2)

    def leave_garbage():
        for _ in range(30):
            loop = [h5py.File("x.h5")["stack/frames"]]
            loop.append(loop)

    with serving() as server:
        threshold = gc.get_threshold()
        gc.set_threshold(5)
        try:
            for _ in range(5):
                leave_garbage()
                with (
                    h5vidstack.open(f"{server.url}/x.h5", cache_bytes=0) as stack,
                    ThreadPoolExecutor(4) as pool,
                ):
                    for number, frame in enumerate(pool.map(stack.__getitem__, range(64))):
                        np.testing.assert_array_equal(frame, frames[number])
        finally:
            gc.set_threshold(*threshold)
            gc.collect()


def test_entry_points(monkeypatch):
    frames = scenes(60, 3, 32)
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    with serving() as server:
        url = f"{server.url}/x.h5"
        with h5vidstack.open(url) as stack:
            lazy = stack.to_dask()
            copy = pickle.loads(pickle.dumps(stack))
        np.testing.assert_array_equal(lazy[7:40].compute(), frames[7:40], strict=True)
        np.testing.assert_array_equal(copy[5], frames[5])
        copy.close()
        with xarray.open_dataset(url, engine="h5vidstack", storage_options={}) as dataset:
            np.testing.assert_array_equal(dataset.frames[3:9].values, frames[3:9])
        assert h5vidstack.unpack(url, "y.npy") == 60
        np.testing.assert_array_equal(np.load("y.npy"), frames, strict=True)
        assert h5vidstack.verify(url, against=frames) == []
        assert h5vidstack.pack(url, "z.h5").frames == 60
        assert h5vidstack.verify("z.h5", against=url) == []
        assert h5vidstack.check(url, frames).exact
        assert h5vidstack.export(url, "y.mkv").frames == 60
        with pytest.raises(h5vidstack.UnsupportedError, match="is a URL"):
            h5vidstack.open(url).append(frames)


def test_command_line():
    h5vidstack.pack(moving((20, 32, 32)), "x.h5", method="video", codec="x264")
    with serving() as server:
        url = f"{server.url}/x.h5"

        def run(*arguments):
            return CliRunner().invoke(main, arguments)

        facts = json.loads(run("info", url, "--json").stdout)
        assert (facts["file"], facts["file_bytes"]) == (url, os.path.getsize("x.h5"))
        assert "20 frames, every block, CRC and index sound" in run("verify", url).stdout
        assert json.loads(run("find", url, "--frame", "3", "--json").stdout)["matches"]
        for wrong in (
            ["append", url, "x.h5"],
            ["pack", "x.h5", url],
            ["recover", url, "y.h5"],
            ["unpack", "x.h5", f"{server.url}/frames"],
            ["rehash", url],
            ["info", f"{server.url}/none.h5"],
            ["info", f"{url}::stack"],
            ["info", "nonsense://x.h5"],
        ):
            done = run(*wrong)
            assert (done.exit_code, done.stdout) == (1, ""), wrong
            assert done.stderr.startswith("Error: "), done.stderr
            assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork():
    frames = moving((40, 16, 16))
    h5vidstack.pack(frames, "x.h5", chunk_frames=4)
    with serving() as server:
        code = f"""
import os, sys, h5vidstack
stack = h5vidstack.open("{server.url}/x.h5")
stack[0]
child = os.fork()
same = stack[30].sum() == {frames[30].sum()}
if child == 0:
    os._exit(0 if same else 1)
sys.exit(os.waitpid(child, 0)[1] or not same)
"""  # and the stack is not closed when Python ends
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_server_without_ranges(packed):
    with (
        serving(ranges=False) as server,
        pytest.raises(h5vidstack.RemoteError, match="not support range requests.*download it"),
    ):
        h5vidstack.open(f"{server.url}/x.h5")
    assert server.bytes < 3 * os.path.getsize("x.h5")


def test_no_such_file_no_such_server(packed):
    with serving() as server:
        with pytest.raises(h5vidstack.RemoteError, match="the server says 404"):
            h5vidstack.open(f"{server.url}/none.h5")
        with pytest.raises(h5vidstack.RemoteError, match="TooManyRedirects"):
            h5vidstack.open(f"{server.url}/moved")
        url = f"{server.url}/x.h5"
    with pytest.raises(h5vidstack.RemoteError, match="cannot be opened: .*onnect"):
        h5vidstack.open(url)


def test_server_that_fails_once(packed):
    """A request that failed is made again."""
    for fault in ("close", "short", "cut", 503):
        with serving(fault=lambda number, fault=fault: fault if number % 2 else None) as server:
            stack = h5vidstack.open(f"{server.url}/x.h5")
            np.testing.assert_array_equal(stack[...], packed)
            stack.close()


@pytest.mark.parametrize("fault", ["close", "short", "cut", 503, 403])
def test_server_that_goes_wrong_for_good(packed, fault):
    with serving() as server:
        stack = h5vidstack.open(f"{server.url}/x.h5")
        stack[0]
        server.fault = lambda number: fault
        with pytest.raises(h5vidstack.RemoteError, match="cannot be fetched"):
            stack[300]
        with pytest.raises(h5vidstack.RemoteError, match="cannot be fetched"):
            stack[...]
        with pytest.raises(h5vidstack.RemoteError, match="cannot be fetched"):
            stack.verify()
        server.fault = None
        np.testing.assert_array_equal(stack[300], packed[300])
    with pytest.raises(h5vidstack.RemoteError, match="cannot be reached any more"):
        stack[350]
    stack.close()
    with pytest.raises(h5vidstack.ClosedError):
        stack[0]


@pytest.mark.filterwarnings("ignore::h5vidstack.RemoteWarning")
@pytest.mark.parametrize("etag", ["etag", None])
def test_file_that_changes(packed, etag):
    with serving(etag=etag) as server, h5vidstack.open(f"{server.url}/x.h5") as stack:
        np.testing.assert_array_equal(stack[0], packed[0])
        h5vidstack.pack(packed[::-1][1:], "x.h5", method="video", chunk_frames=2, overwrite=True)
        with pytest.raises(h5vidstack.FileChangedError, match="has changed since it was opened"):
            stack[300]
        with pytest.raises(h5vidstack.FileChangedError, match="another stack; open it again"):
            stack.refresh()


CHANGED = "has changed since it was opened"


@pytest.mark.parametrize("says", ["etag", "weak", "date"])
def test_every_answer_is_compared(packed, says):
    """A replaced file of the same size is noticed, though each request succeeds."""
    with serving(etag=says) as server, h5vidstack.open(f"{server.url}/x.h5") as stack:
        stack[0]
        Path("y.h5").write_bytes(Path("x.h5").read_bytes())
        os.replace("y.h5", "x.h5")
        os.utime("x.h5", (1e9, 1e9))
        with pytest.raises(h5vidstack.FileChangedError, match=CHANGED):
            stack[300]
        pickled = pickle.dumps(stack)
        with pytest.raises(h5vidstack.FileChangedError, match=CHANGED):
            pickle.loads(pickled)
        with h5vidstack.open(f"{server.url}/x.h5") as fresh:
            assert fresh != stack
            np.testing.assert_array_equal(fresh[300], packed[300])


def test_files_of_other_systems_are_compared_after_each_answer(packed):
    memory = fsspec.filesystem("memory")
    memory.pipe("/x.h5", Path("x.h5").read_bytes())
    with h5vidstack.open("memory:///x.h5") as stack:
        np.testing.assert_array_equal(stack[0], packed[0])
        h5vidstack.pack(packed[::-1].copy(), "y.h5", method="video")
        memory.pipe("/x.h5", Path("y.h5").read_bytes())
        with pytest.raises(h5vidstack.FileChangedError, match=CHANGED):
            stack[300]


def test_a_server_that_says_nothing_of_versions_is_named_once(packed):
    with serving(etag=None) as server:
        with pytest.warns(h5vidstack.RemoteWarning, match=f"{server.server_port} does not say"):
            stack = h5vidstack.open(f"{server.url}/x.h5")
        stack.close()
        h5vidstack.open(f"{server.url}/x.h5").close()  # a warning would be an error


def test_urls_that_fsspec_chains(packed, tmp_path):
    with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write("x.h5", "in.h5")
    with serving(etag="date") as server:
        for cache in ("simplecache", "filecache"):
            options = {cache: {"cache_storage": str(tmp_path / cache)}}
            url = f"{cache}::{server.url}/x.h5"
            with h5vidstack.open(url, storage_options=options) as stack:
                np.testing.assert_array_equal(stack[300], packed[300])
                with pickle.loads(pickle.dumps(stack)) as other:
                    assert other == stack
            with h5vidstack.open(f"{url}::/stack", storage_options=options) as stack:
                assert len(stack) == len(packed)
        with pytest.raises(h5vidstack.UnsupportedError, match="gives parts of both"):
            h5vidstack.open(f"blockcache::{server.url}/x.h5")
        for url in (
            f"zip://in.h5::{tmp_path}/a.zip",
            f"zip://in.h5::{tmp_path}/a.zip::/stack",
            f"zip://in.h5::{server.url}/a.zip",
        ):
            with h5vidstack.open(url) as stack:
                np.testing.assert_array_equal(stack[300], packed[300])
        with pytest.raises(h5vidstack.FormatError, match="no h5vidstack stack at /none"):
            h5vidstack.open(f"zip://in.h5::{tmp_path}/a.zip::/none")


def test_golden_files():
    folder = str(GOLDEN)
    names = [
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, files in os.walk(folder)
        for name in files
        if name.endswith(".h5")
    ]
    assert names
    with serving(folder) as server:
        for name in names:
            if opening.is_recording(os.path.join(folder, name)):
                with pytest.raises(h5vidstack.FormatError, match="is being recorded"):
                    h5vidstack.open(f"{server.url}/{name}")
                continue
            with h5py.File(os.path.join(folder, name)) as file:
                stacks = stack_group.find_stacks(file)
            for stack in stacks:
                with h5vidstack.open(os.path.join(folder, name), stack) as near:
                    expected, linked = near[...], summary.describe(f"{near.path}::{stack}")["parts"]
                if linked:
                    with pytest.raises(h5vidstack.FormatError, match="links parts in other files"):
                        h5vidstack.open(f"{server.url}/{name}", stack)
                    continue
                with h5vidstack.open(f"{server.url}/{name}", stack) as far:
                    np.testing.assert_array_equal(far[...], expected, strict=True)


def test_a_slow_server_keeps_nobody_waiting():
    """A local stack is opened while the server of another one does not answer."""
    h5vidstack.pack(moving((3, 8, 8)), "x.h5")
    asked, answered = threading.Event(), threading.Event()

    def slow(number):
        asked.set()
        assert answered.wait(60)

    with serving(fault=slow) as server, ThreadPoolExecutor(1) as pool:
        far = pool.submit(h5vidstack.open, f"{server.url}/x.h5")
        try:
            assert asked.wait(60)
            with h5vidstack.open("x.h5") as near:
                assert len(near) == 3
            assert not far.done()
        finally:
            answered.set()
        far.result().close()
