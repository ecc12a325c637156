import fcntl
import os

import h5py
import numpy as np
from virtual_files import FRAMES, comes_out, parts, put, put_virtual, refused


def test_where_sources_are_looked_for(monkeypatch):
    names = parts(folder="data/")
    short = [(os.path.basename(name), "x") for name in names]
    put_virtual("v.h5", short)
    refused("v.h5::/x", "part0.h5")
    monkeypatch.setenv("HDF5_VDS_PREFIX", "none:data")
    with h5py.File("v.h5") as file:
        np.testing.assert_array_equal(file["x"][:], FRAMES)
    comes_out("v.h5::/x")
    monkeypatch.delenv("HDF5_VDS_PREFIX")
    put_virtual("data/v.h5", short)
    os.makedirs("other")
    os.symlink("../data/v.h5", "other/link.h5")
    comes_out("other/link.h5::/x")
    absolute = [("/nowhere/" + name, "x") for name, _ in short]
    put_virtual("data/w.h5", absolute)
    comes_out("data/w.h5::/x")


def test_sources_that_are_opened_elsewhere():
    put_virtual("v.h5", [(name, "x") for name in parts()])
    with open("part1.h5", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as HDF5 does in another process
        refused("v.h5::/x", "part1.h5 .open for writing elsewhere")


def test_raw_data_in_other_files(monkeypatch):
    os.makedirs("there")
    half = FRAMES.nbytes // 2
    for name, data in (
        ("a.raw", b"head" + FRAMES.tobytes()[:half]),
        ("b.raw", FRAMES.tobytes()[half:]),
    ):
        with open(f"there/{name}", "wb") as file:
            file.write(data)
    with h5py.File("there/e.h5", "w") as file:
        places = [("a.raw", 4, half), ("b.raw", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("x", FRAMES.shape, "u2", external=places)
    refused("there/e.h5::/x", r"a\.raw \(no such file\).*HDF5_EXTFILE_PREFIX")
    monkeypatch.setenv("HDF5_EXTFILE_PREFIX", "${ORIGIN}")
    monkeypatch.chdir("there")
    monkeypatch.delenv("HDF5_EXTFILE_PREFIX")
    assert comes_out("e.h5::/x").source_bytes == FRAMES.nbytes
    os.remove("o.h5")
    os.truncate("b.raw", half - 1)
    refused("e.h5::/x", rf"b\.raw \({half - 1} bytes, but the dataset takes {half} from 0 on")


def test_links_that_lead_nowhere():
    put("data1.h5")
    with h5py.File("m.h5", "w") as file:
        for number in (1, 2):
            file[f"entry/data_{number}"] = h5py.ExternalLink(f"data{number}.h5", "/x")
        file["entry/lost"] = h5py.ExternalLink("data1.h5", "/y")
        file["soft"] = h5py.SoftLink("/entry/data_2")
        file["circle"] = h5py.SoftLink("/circle")
        file["group"] = h5py.SoftLink("/nothing")
    said = refused("m.h5", r"::/entry/data_1 \(24, 20, 30\) uint16")
    assert "data2.h5 (no such file)" in said
    refused("m.h5::/entry/data_2", "is a link to /x in data2.h5: data2.h5 .no such file")
    refused("m.h5::/entry/lost", "is a link to /y in data1.h5: there is none")
    refused(
        "m.h5::/soft", "/soft is a link to /entry/data_2: /entry/data_2 is a link to /x in data2"
    )
    refused("m.h5::/circle", "circle")
    refused("m.h5::/group/x", "/group is a link to /nothing: there is none")
    refused("m.h5::/other", "names no stack of images")
    comes_out("m.h5::/entry/data_1")
