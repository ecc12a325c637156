import os
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from benched import bench, stack
from frames import noise

import h5vidstack
from h5vidstack.bench.comparison import compare
from h5vidstack.bench.roster import all_contestants as roster


def test_figures(whole):
    found, _page, seen = whole
    rows = {row.name: row for row in found.rows}
    assert found.shape == (48, 120, 180)
    assert found.raw_bytes == stack().nbytes
    h5vidstack.pack(stack(), "x.h5")
    assert rows["auto balanced"].file_bytes == pytest.approx(os.path.getsize("x.h5"), rel=0.05)
    with h5py.File("y.h5", "w") as file:
        file.create_dataset(
            "frames", data=stack(), chunks=(1, 120, 180), compression=4, shuffle=True
        )
    assert rows["gzip 4 + shuffle"].file_bytes == os.path.getsize("y.h5")
    for row in found.rows:
        if row.problem is None:
            assert row.ratio == pytest.approx(found.raw_bytes / row.file_bytes)
            assert min(row.pack_speed, row.read_speed, row.frame_ms) > 0
            assert row.frame_p95_ms >= row.frame_ms
            lossy = row.name.endswith(" mp4") or row.name.startswith(("pca 20", "bounded"))
            if row.ours:
                assert row.exact == (not lossy), row
    bounded = [row for row in found.rows if row.name.startswith("bounded")]
    assert bounded
    assert all(0 < row.max_error <= 2 for row in bounded)
    if sys.platform == "linux":
        assert rows["auto balanced"].peak_bytes > 1e5
    able = sum(row.problem is None for row in found.rows)
    assert seen[0] == (0, able, "round 1/1: auto fast")
    assert seen[-1] == (able, able, "")
    assert [done for done, _, _ in seen] == list(range(able + 1))


def test_every_kind_of_contestant_takes_part():
    names = " ".join(one.name for one in roster(stack(), 2.0))
    for name in (
        "auto fast", "auto balanced", "auto small", "hdf5 ", "hdf5gz ", "hdf5gzshuffle", "group ",
        "pca 20", "video mp4", "video x264-slow", "groupvideo x264-interm", "gzip 9", "lzf",
        "Blosc2", "zstd 19", "bitshuffle", "SZ3", "ZFP", "h5ffmpeg", "JPEG XL", "JPEG 2000",
        "JPEG-LS", "mkv", "mp4 by PyAV", "torchcodec", "decord",
    ):  # fmt: skip
        assert name in names, name


def test_floats_are_bounded_unless_told(long):
    frames = stack("float32")
    found = compare(frames, methods=["bounded" if long else "bounded fast"], rounds=1)
    assert found.bound == pytest.approx(1e-3 * np.ptp(frames))
    assert all(row.max_error <= found.bound for row in found.rows)
    assert len(found.rows) == (3 if long else 1)


def test_a_constant_stack_and_pca_with_nan():
    constant = np.full((30, 100, 100), 0.5, "f4")
    found = compare(constant, methods=["auto fast", "pca", "bounded fast"], rounds=1)
    assert found.bound is None
    assert {row.name: row.exact for row in found.rows} == {
        "auto fast": True, "pca 20": True, "pca exact": True, "bounded fast": None,
    }  # fmt: skip
    constant[3, 4, 5] = np.nan
    found = compare(constant, methods=["pca 20", "hdf5"], name="sim.npy", rounds=1)
    (problem,) = (row.problem for row in found.rows if row.name == "pca 20")
    assert problem.startswith("sim.npy: frame 3 holds NaN or infinity")


def test_more_components_than_frames():
    with pytest.raises(
        h5vidstack.UnsupportedError, match="pca 20: .* 20 components were asked for, but 12 frames"
    ):
        compare(stack()[:12].repeat(5, axis=1), methods=["pca 20"], rounds=1)


def test_bad_input():
    np.save("few.npy", noise((7, 1000, 1000)))
    np.save("small.npy", noise((100, 10, 10)))
    np.save("x.npy", stack())
    assert "too small to bench: it has 7 frames" in bench("few.npy", code=1).stderr
    assert "too small to bench: it has 100 frames" in bench("small.npy", code=1).stderr
    assert "too small" in bench("x.npy", "--frames", 1, code=1).stderr
    named = compare(stack(), methods=["hdf5", "lzf", "SZ3 bounded"], rounds=1)
    assert [row.name for row in named.rows] == ["hdf5", "lzf + shuffle", "SZ3 bounded"]
    assert named.rows[2].problem == "takes no uint8"
    assert "--dtype" in bench("x.npy", "--dtype", "uint8", code=2).stderr
    assert "no such file" in bench("nothing.npy", code=1).stderr
    assert "no folder" in bench("x.npy", "--html", "none/x.html", code=1).stderr
    assert bench("x.npy", "--max-error", "-1", code=1).stderr
    with pytest.raises(h5vidstack.Error, match="at least 1"):
        compare(stack(), rounds=0)


def test_a_full_disk_is_seen_before_it_is_full(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=10**6))
    with pytest.raises(h5vidstack.SourceError, match="TMPDIR"):
        compare(stack())


def test_nothing_to_compare(monkeypatch):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "hdf5plugin" else find_spec(name)
    )
    np.save("c8.npy", np.zeros((20, 200, 200), "c8"))
    said = bench("c8.npy", "--methods", "SZ3,ZFP", "--html", "x.html", code=1).stderr
    assert "SZ3 bounded, ZFP bounded: not installed: pip install hdf5plugin" in said
    assert (
        "cannot hold pixels of dtype complex64"
        in bench("c8.npy", "--methods", "lzf", code=1).stderr
    )
    said = bench("demo", "--methods", "bounded", "--frames", 20, "--json", "x.json", code=1).stderr
    assert "bounded small: keeps a bound: give --max-error" in said
    assert "demo is too small" in bench("demo", "--frames", 2, "--methods", "lzf", code=1).stderr
    assert os.listdir() == ["c8.npy"]


def test_a_temporary_folder_that_is_not_there(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/no/folder")
    assert bench("demo", "--methods", "hdf5", code=1).stderr == (
        "Error: cannot write to /no/folder (TMPDIR): No such file or directory\n"
    )
