"""`repack`: whole HDF5 files, with stacks of images as coded video."""

import datetime
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5o
from whole_files import beside, drifting, everything, pipeline, rich, some_stacks

import h5vidstack
from h5vidstack.repacking.repacker import repack


def without_ours(found):
    kept = {name: value for name, value in found.items() if not name.startswith("/h5vidstack")}
    names, attrs = kept[""]
    return {**kept, "": ([name for name in names if name != "h5vidstack"], attrs)}


@pytest.mark.parametrize(
    "options", [{}, {"track_order": True}, {"libver": "latest"}, {"userblock_size": 1024}]
)
def test_all_that_a_file_holds_is_in_the_copy(options):
    rich(**options)
    if "userblock_size" in options:
        with open("in.h5", "r+b") as file:
            file.write(b"#!/bin/sh\nwhatever\n")
    report = repack("in.h5", "out.h5")
    given, found = everything("in.h5"), everything("out.h5")
    assert without_ours(found) == given
    assert [one.path for one in report.replaced] == ["/entry/data/data"]
    with h5py.File("out.h5") as file:
        assert h5vidstack.FILTER_ID in [code for code, *_ in pipeline(file["entry/data/data"])]
        assert file["entry/a/b/same"] == file["entry/data/data"]
        assert file.userblock_size == options.get("userblock_size", 0)
        assert file["virtual"].is_virtual
        kind = file["of a named type"].id.get_type()
        assert kind.committed()
        assert h5o.get_info(kind).addr == h5o.get_info(file["named type"].id).addr
    if "userblock_size" in options:
        assert Path("out.h5").read_bytes()[:1024] == Path("in.h5").read_bytes()[:1024]
    assert Path("out.h5").stat().st_size < Path("in.h5").stat().st_size
    restored = repack("out.h5", "plain.h5", restore=True)
    assert everything("plain.h5") == given
    assert [one.path for one in restored.replaced] == ["/entry/data/data"]
    with h5py.File("in.h5") as before, h5py.File("plain.h5") as after:
        one, other = before["entry/data/data"], after["entry/data/data"]
        assert (one.chunks, one.compression, one.shuffle) == (
            other.chunks,
            other.compression,
            other.shuffle,
        )


def test_a_dry_run_writes_nothing_and_says_about_what_comes():
    some_stacks()
    plan = repack("in.h5", None, dry_run=True)
    assert [path.name for path in Path().iterdir()] == ["in.h5"]
    assert plan.path is None
    done = repack("in.h5", "out.h5")
    assert [one.path for one in plan.replaced] == [one.path for one in done.replaced]
    assert abs(plan.after - done.after) < 0.3 * (done.before - done.after)
    with pytest.raises(h5vidstack.OutputError, match="only a dry run"):
        repack("in.h5", None)


def test_a_file_that_is_open_for_writing():
    some_stacks()
    code = "import h5py, sys; f = h5py.File('in.h5', 'r+'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as writer:
        writer.stdout.readline()
        with pytest.raises(h5vidstack.FormatError, match="open for writing"):
            repack("in.h5", "out.h5")
        writer.communicate(b"")


def test_in_its_own_place():
    some_stacks()
    given = everything("in.h5")
    repack("in.h5", "in.h5", overwrite=True)
    assert without_ours(everything("in.h5")) == given
    repack("in.h5", "in.h5", overwrite=True, restore=True)
    assert everything("in.h5") == given


def test_relative_paths_to_other_files_are_told():
    Path("there").mkdir()
    with h5py.File("in.h5", "w") as file:
        file["d"] = drifting((20, 64, 64))
        file["link"] = h5py.ExternalLink("other.h5", "/x")
        file["absolute"] = h5py.ExternalLink("/tmp/y.h5", "/x")
        layout = h5py.VirtualLayout((4, 20, 20), "u1")
        layout[:] = h5py.VirtualSource("source.h5", "d", (4, 20, 20))
        file.create_virtual_dataset("v", layout)
        file.create_dataset("raw", (4, 20, 20), "u1", external=[("raw.bin", 0, 1600)])[...] = 5
    assert repack("in.h5", "out.h5").elsewhere == ()
    assert repack("in.h5", "there/out.h5").elsewhere == ("other.h5", "raw.bin", "source.h5")
    with h5py.File("out.h5") as file:
        assert (file["raw"][...] == 5).all()
        assert file["v"].virtual_sources()[0].file_name == "source.h5"


def test_what_the_source_links_to_is_not_replaced():
    for name in "ab":
        h5vidstack.pack(drifting((20, 32, 32)), f"{name}.h5")
    h5vidstack.link(["a.h5"], "all.h5")
    with h5py.File("master.h5", "w") as file:
        file["link"] = h5py.ExternalLink("b.h5", "/stack")
    for source, part in (("all.h5", "a.h5"), ("master.h5", "b.h5")):
        before = Path(part).read_bytes()
        with pytest.raises(h5vidstack.OutputError, match="links to"):
            repack(source, part, overwrite=True)
        assert Path(part).read_bytes() == before


def test_nexus_conventions_are_kept():
    nexus = pytest.importorskip("nexusformat.nexus")
    data = nexus.NXfield(drifting((30, 64, 48)), name="frames", units="counts")
    time = nexus.NXfield(np.arange(30.0), name="time", units="s")
    nexus.NXroot(nexus.NXentry(nexus.NXdata(data, [time]))).save("in.nxs", "w")
    repack("in.nxs", "out.nxs")
    found = nexus.nxload("out.nxs")
    assert found["entry/data"].nxsignal.shape == (30, 64, 48)
    assert found["entry/data"].nxaxes[0].nxname == "time"
    assert np.array_equal(found["entry/data/frames"].nxvalue, drifting((30, 64, 48)))


def test_a_dataset_of_several_axes_is_no_part():
    beside()
    with pytest.raises(h5vidstack.SourceError, match="several axes"):
        h5vidstack.link("out.h5::/entry/volumes", "all.h5")
    assert not Path("all.h5").exists()


def test_what_takes_the_place_of_a_dataset_takes_away_its_stack():
    beside()
    h5vidstack.pack(drifting((3, 20, 30)), "out.h5::/entry/data", overwrite=True)
    with h5py.File("out.h5") as file:
        assert "data" not in file["h5vidstack/entry"]
        assert "volumes" in file["h5vidstack/entry"]
    with h5vidstack.open("out.h5::/entry/data") as stack:
        assert stack.shape == (3, 20, 30)


def test_nwb_files_are_read_and_valid():
    pynwb = pytest.importorskip("pynwb")
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    session = pynwb.NWBFile(session_description="d", identifier="i", session_start_time=start)
    device = session.create_device(name="microscope")
    channel = pynwb.ophys.OpticalChannel(
        name="channel", description="description", emission_lambda=500.0
    )
    plane = session.create_imaging_plane(
        name="plane", optical_channel=channel, description="description", device=device,
        excitation_lambda=600.0, indicator="GFP", location="V1", imaging_rate=30.0,
    )  # fmt: skip
    frames = drifting((60, 64, 80), np.uint16)
    series = pynwb.ophys.TwoPhotonSeries(
        name="series", data=pynwb.H5DataIO(data=frames, compression="gzip"), imaging_plane=plane,
        rate=30.0, unit="n.a.",
    )  # fmt: skip
    session.add_acquisition(series)
    masks = pynwb.ophys.ImageSegmentation()
    session.create_processing_module(name="ophys", description="d").add(masks)
    table = masks.create_plane_segmentation(
        description="d", imaging_plane=plane, name="cells", reference_images=series
    )
    for number in range(4):
        table.add_roi(image_mask=np.eye(64, 80, number))
    with pynwb.NWBHDF5IO("in.nwb", "w") as file:
        file.write(session)
    report = repack("in.nwb", "out.nwb")
    assert [one.path for one in report.replaced] == [
        "/acquisition/series/data",
        "/processing/ophys/ImageSegmentation/cells/image_mask",
    ]
    assert pynwb.validate(path="out.nwb") == []
    repack("out.nwb", "plain.nwb", restore=True)
    for name in ("out.nwb", "plain.nwb"):
        with pynwb.NWBHDF5IO(name, "r") as file:
            read = file.read()
            assert np.array_equal(read.acquisition["series"].data[:], frames)
            cells = read.processing["ophys"]["ImageSegmentation"]["cells"]
            assert np.array_equal(cells["image_mask"][2], np.eye(64, 80, 2))
            assert cells.reference_images[0] is read.acquisition["series"]
