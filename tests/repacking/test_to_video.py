import contextlib
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from whole_files import beside, drifting

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.codecs import block
from h5vidstack.sources.openers import open_source


@pytest.mark.parametrize("name", ["out.h5::/entry/data", "out.h5::/h5vidstack/entry/data"])
def test_frames_are_not_added_to_a_dataset_of_its_own_path(name):
    beside()
    before = Path("out.h5").read_bytes()
    with pytest.raises(h5vidstack.UnsupportedError, match="the dataset /entry/data"):
        h5vidstack.pack(drifting((3, 64, 80)), name, mode="a")
    with h5vidstack.open(name) as stack, pytest.raises(h5vidstack.UnsupportedError):
        stack.append(drifting((3, 64, 80)))
    assert Path("out.h5").read_bytes() == before


def test_what_is_done_with_a_stack_is_done_with_one_beside_a_dataset():
    frames, volumes = beside()
    flat = volumes.reshape(-1, 64, 80)
    run = CliRunner()
    for command in (
        "rehash out.h5::/entry/volumes", "info out.h5::/entry/volumes --groups",
        "verify out.h5::/entry/volumes --against in.h5::/entry/volumes",
        "check out.h5::/entry/volumes --against in.h5::/entry/volumes",
        "recover out.h5::/entry/volumes saved.h5", "recover out.h5::/h5vidstack/entry/data same.h5",
        "unpack out.h5::/entry/volumes volumes.npy", "unpack out.h5::/entry/volumes pictures",
        "unpack out.h5::/entry/volumes v.tif", "export out.h5::/entry/data data.mkv",
        "contact-sheet out.h5::/entry/volumes sheet.png", "pack out.h5::/entry/volumes packed.h5",
        "link out.h5::/entry/data -o linked.h5", "verify linked.h5", "verify saved.h5::/entry/volumes",
    ):  # fmt: skip
        result = run.invoke(main, command.split())
        assert result.exit_code == 0, (command, result.output, result.exception)
    with h5vidstack.open("out.h5::/entry/volumes") as stack:
        assert stack.verify() == []
        assert stack[7].dtype == volumes.dtype
        assert stack.find(flat[7], k=1)[0].frame == 7
        assert np.array_equal(pickle.loads(pickle.dumps(stack))[::-7], flat[::-7])
    for name in ("saved.h5::/entry/volumes", "packed.h5"):
        with h5vidstack.open(name) as stack:
            assert np.array_equal(stack[:], flat)
            assert stack.leading_shape == (5, 12)
    with h5vidstack.open("linked.h5") as stack:
        assert np.array_equal(stack[:], frames)
    np.testing.assert_array_equal(np.load("volumes.npy"), volumes, strict=True)
    for path in ("pictures", "v.tif"):
        with contextlib.closing(open_source(path)) as source:
            read = np.concatenate(list(source.batches(16)))
        assert np.array_equal(read, flat)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i4", "<f4", ">f8"])
def test_a_bound_holds_for_every_pixel(dtype):
    chance = np.random.default_rng(1)
    frames = drifting((4, 10, 40, 48)).astype(dtype) + chance.integers(0, 9, (4, 10, 40, 48))
    frames = frames.astype(dtype)
    with h5py.File("in.h5", "w") as file:
        file["data"] = frames
        file["labels"] = chance.integers(0, 2, (20, 80, 80)).astype(bool)
        kinds = h5py.enum_dtype({"no": 0, "yes": 7}, "u1")
        file.create_dataset(
            "kinds", data=7 * chance.integers(0, 2, (20, 80, 80), "u1"), dtype=kinds
        )
        file.create_dataset("even", data=np.full((20, 80, 80), 5.5))
    exact = h5vidstack.repack("in.h5", "exact.h5", profile="fast")
    report = h5vidstack.repack("in.h5", "out.h5", profile="fast", max_error=2)
    errors = {one.path: one.max_error for one in report.replaced}
    assert 0 < errors["/data"] <= 2
    assert errors["/labels"] == errors["/kinds"] == errors["/even"] == 0
    assert report.after < exact.after
    with h5py.File("in.h5") as given, h5py.File("out.h5") as made:
        for name in ("labels", "kinds", "even"):
            np.testing.assert_array_equal(given[name], made[name])
        off = np.abs(given["data"][...].astype("f8") - made["data"][...].astype("f8"))
        assert made["data"].dtype == dtype
    assert off.max() == errors["/data"]
    with h5vidstack.open("out.h5::/data") as stack:
        assert not stack.attrs["lossless"]
        assert stack.attrs["max_error"] == errors["/data"]
        assert stack.verify() == []
        assert stack[3].dtype == dtype
    with h5vidstack.open("out.h5::/even") as stack:
        assert stack.attrs["lossless"]
    h5vidstack.repack("out.h5", "back.h5", restore=True)
    with h5py.File("out.h5") as made, h5py.File("back.h5") as back:
        np.testing.assert_array_equal(made["data"], back["data"])


def test_a_bound_that_does_not_hold_is_noticed(monkeypatch):
    """The comparison in the end finds what coding did not."""
    with h5py.File("in.h5", "w") as file:
        file["data"] = drifting((20, 64, 64)).astype("u2")

    def wrong(frames, recipe):
        data, decoded = encode_lossy(frames + np.uint16(9), recipe)
        return data, decoded

    encode_lossy = block.encode_lossy
    monkeypatch.setattr(block, "encode_lossy", wrong)
    with pytest.raises(h5vidstack.NotExactError, match="/data holds other values"):
        h5vidstack.repack("in.h5", "out.h5", profile="fast", max_error=2)
    assert not Path("out.h5").exists()


def test_a_bound_as_a_share_of_the_range_is_of_each_dataset():
    with h5py.File("in.h5", "w") as file:
        chance = np.random.default_rng(1)
        file["narrow"] = chance.normal(0, 1, (10, 64, 64)).astype("f4")
        file["wide"] = chance.normal(0, 1000, (10, 64, 64)).astype("f4")
    report = h5vidstack.repack("in.h5", "out.h5", profile="fast", max_error="1%")
    worst = {one.path: one.max_error for one in report.replaced}
    assert 0.01 < worst["/narrow"] < 0.1
    assert 10 < worst["/wide"] < 100
    planned = h5vidstack.repack("in.h5", None, dry_run=True, profile="fast", max_error=0.25)
    assert [one.max_error for one in planned.replaced] == [0.25, 0.25]


def test_a_bound_in_units_of_noise():
    counts = np.random.default_rng(1).poisson(400, (20, 64, 64))
    with h5py.File("in.h5", "w") as file:
        file["counts"] = counts.astype(">u2")
        file["floats"] = np.round(drifting((20, 64, 64)) / 7, 1).astype("f4")
    wish = {"profile": "fast", "max_error": "0.5s", "noise": "gain=1,offset=0,read=1"}
    planned = h5vidstack.repack("in.h5", None, dry_run=True, **wish)
    assert {one.path: one.max_error for one in planned.replaced}["/counts"] is None
    report = h5vidstack.repack("in.h5", "out.h5", **wish)
    errors = {one.path: one.max_error for one in report.replaced}
    assert 5 <= errors["/counts"] <= 0.5 * np.sqrt(counts.max() + 1)
    assert errors.get("/floats", 0) == 0
    with h5vidstack.open("out.h5::/counts") as stack:
        assert stack.verify() == []
        assert stack.attrs["noise_bound"] == 0.5
        assert (np.abs(stack[:].astype(int) - counts) <= 0.5 * np.sqrt(counts + 1)).all()
