"""OME-TIFF, ImageJ hyperstacks and plain TIFFs: packed and unpacked, they say the same."""

import re

import numpy as np
import pytest
import tifffile

import h5vidstack

FRAMES = np.random.default_rng(0).integers(0, 999, (3, 2, 4, 12, 15)).astype("u2")


def planes(count):
    return {
        "DeltaT": [0.1 * k for k in range(count)], "DeltaTUnit": ["ms"] * count,
        "PositionX": [float(k) for k in range(count)], "PositionXUnit": ["µm"] * count,
    }  # fmt: skip


def write_ome(name, frames, axes, **metadata):
    count = int(np.prod(frames.shape[:-2]))
    tifffile.imwrite(
        name, frames, ome=True, photometric="minisblack",
        metadata={
            "axes": axes, "PhysicalSizeX": 0.65, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.6,
            "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 2.0, "PhysicalSizeZUnit": "µm",
            "TimeIncrement": 1.5, "TimeIncrementUnit": "s", "Plane": planes(count),
            "Description": "as it is", "MapAnnotation": {"key": "value"}, **metadata,
        },
    )  # fmt: skip


def without_uuid(text):
    return re.sub(r"urn:uuid:[-0-9a-f]+", "", text)


def assert_same_stack(one, two):
    with h5vidstack.open(one) as first, h5vidstack.open(two) as second:
        np.testing.assert_array_equal(first[:], second[:])
        assert (first.dims, first.leading_shape) == (second.dims, second.leading_shape)
        assert set(first.coords) == set(second.coords)
        for name in first.coords:
            assert first.coords[name].equals(second.coords[name]), name
        assert set(first.source.words) == set(second.source.words)
        for name in first.source.words:
            said = [
                [stack.source.words[name][frame] for frame in range(len(stack))]
                for stack in (first, second)
            ]
            if name == "ome_xml":
                said = [list(map(without_uuid, texts)) for texts in said]
            assert said[0] == said[1], name


@pytest.mark.parametrize("axes", ["TCZYX", "TZCYX", "CTZYX", "ZTCYX", "ZCTYX", "CZTYX"])
def test_ome_tiff_comes_back(axes):
    frames = FRAMES.transpose([*("TCZ".index(axis) for axis in axes[:3]), 3, 4])
    write_ome("a.ome.tif", frames, axes, Channel={"Name": ["DAPI", "GFP"]})
    h5vidstack.pack("a.ome.tif", "a.h5")
    with h5vidstack.open("a.h5") as stack:
        assert stack.dims == (*axes[:3], "y", "x")
        np.testing.assert_array_equal(stack.coords["Z"].values, np.arange(4) * 2.0)
        assert stack.coords["C"].values.tolist() == ["DAPI", "GFP"]
        assert stack.coords["time"].units == "ms"
        np.testing.assert_array_equal(stack.coords["time"].values, np.arange(24) * 0.1)
    for target in ("b.ome.tif", "b.tif"):
        assert h5vidstack.unpack("a.h5", target, overwrite=True).notes == ()
        with tifffile.TiffFile("a.ome.tif") as one, tifffile.TiffFile(target) as two:
            assert two.series[0].axes == one.series[0].axes
            np.testing.assert_array_equal(two.asarray(), frames, strict=True)
            assert without_uuid(two.ome_metadata) == without_uuid(one.ome_metadata)
    h5vidstack.pack("b.ome.tif", "b.h5")
    assert_same_stack("a.h5", "b.h5")


@pytest.mark.parametrize(("shape", "axes", "photometric"), [
    ((5, 12, 15), "TYX", "minisblack"), ((12, 15), "YX", "minisblack"), ((3, 12, 15, 3), "ZYXS", "rgb"),
])  # fmt: skip
def test_other_shapes_of_ome(shape, axes, photometric):
    frames = np.random.default_rng(1).integers(0, 255, shape).astype("u1")
    tifffile.imwrite("a.ome.tif", frames, ome=True, photometric=photometric,
                     metadata={"axes": axes, "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0})  # fmt: skip
    h5vidstack.pack("a.ome.tif", "a.h5")
    assert h5vidstack.unpack("a.h5", "b.ome.tif").notes == ()
    np.testing.assert_array_equal(tifffile.imread("b.ome.tif"), frames, strict=True)
    h5vidstack.pack("b.ome.tif", "b.h5")
    assert_same_stack("a.h5", "b.h5")


def test_one_image_of_several():
    with tifffile.TiffWriter("a.ome.tif", ome=True) as writer:
        for number in range(3):
            writer.write(FRAMES[0, 0] + number, photometric="minisblack",
                         metadata={"axes": "ZYX", "Name": f"position {number}", "PhysicalSizeZ": number + 1.0})  # fmt: skip
    h5vidstack.pack("a.ome.tif::/1", "a.h5")
    with h5vidstack.open("a.h5") as stack:
        assert stack.source.words["ome_image"].value == 1
        assert stack.coords["Z"].values[1] == 2
    assert h5vidstack.unpack("a.h5", "b.ome.tif").notes == ()
    with tifffile.TiffFile("b.ome.tif") as tiff:
        assert [one.name for one in tiff.series] == ["position 1"]
        np.testing.assert_array_equal(tiff.asarray(), FRAMES[0, 0] + 1)


def test_a_new_scale_is_in_the_ome_xml():
    write_ome("a.ome.tif", FRAMES, "TCZYX")
    half = {name: (name, np.arange(n) * 0.5, {"units": "um"}) for name, n in (("y", 12), ("x", 15))}
    h5vidstack.pack("a.ome.tif", "a.h5", coords=half)
    assert h5vidstack.unpack("a.h5", "b.ome.tif").notes == ()
    with tifffile.TiffFile("b.ome.tif") as tiff:
        text = tiff.ome_metadata
    assert 'PhysicalSizeX="0.5"' in text
    assert 'PhysicalSizeXUnit="µm"' in text
    assert "0.65" not in text
    assert "as it is" in text


def test_an_array_as_ome_tiff():
    coords = {
        "time": ("frame", np.arange(24) * 0.25, {"units": "s"}),
        "x": ("x", np.arange(15) * 0.5, {"units": "um"}),
        "y": ("y", np.arange(12) * 0.5, {"units": "um"}),
        "channel": ["red", "green"],
        "time_axis": ("time_point", [1, 2, 3]),
    }
    h5vidstack.pack(FRAMES, "a.h5", dims=("T", "channel", "z", "y", "x"),
                    coords={name: coords[name] for name in ("time", "x", "y", "channel")})  # fmt: skip
    done = h5vidstack.unpack("a.h5", "a.ome.tif")
    with tifffile.TiffFile("a.ome.tif") as tiff:
        assert tiff.series[0].axes == "TCZYX"
        np.testing.assert_array_equal(tiff.asarray(), FRAMES)
        for words in ('PhysicalSizeX="0.5"', 'Name="green"', 'DeltaT="0.25"'):
            assert words in tiff.ome_metadata
    assert "coordinates channel" in " ".join(done.notes)  # OME calls it C


def test_axes_that_ome_lacks_are_told():
    h5vidstack.pack(FRAMES, "a.h5", dims=("run", "well", "z", "y", "x"))
    (note,) = h5vidstack.unpack("a.h5", "a.ome.tif").notes
    assert "axes run, well, z" in note
    with tifffile.TiffFile("a.ome.tif") as tiff:
        assert tiff.series[0].axes == "TYX"
    h5vidstack.pack(FRAMES.astype("u8"), "b.h5")
    with pytest.raises(h5vidstack.OutputError, match="does not hold uint64"):
        h5vidstack.unpack("b.h5", "b.ome.tif")


def test_some_frames_of_ome():
    write_ome("a.ome.tif", FRAMES, "TCZYX")
    h5vidstack.pack("a.ome.tif", "a.h5")
    done = h5vidstack.unpack("a.h5", "b.ome.tif", frames=[5, 2])
    assert "axes T, C, Z" in done.notes[0]
    h5vidstack.pack("b.ome.tif", "b.h5")
    with h5vidstack.open("b.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES.reshape(24, 12, 15)[[5, 2]])
        np.testing.assert_array_equal(stack.coords["time"].values, [0.5, 0.2])
        np.testing.assert_array_equal(stack.coords["x"].values, np.arange(15) * 0.65)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("axes", ["TZCYX", "ZYX", "TYX"])
def test_imagej_hyperstack_comes_back(axes, order):
    frames = {
        "TZCYX": FRAMES.transpose(0, 2, 1, 3, 4),
        "ZYX": FRAMES[0, 0],
        "TYX": FRAMES[:, 0, 0],
    }[axes]
    count = int(np.prod(frames.shape[:-2]))
    channels = 2 if "C" in axes else 1
    metadata = {
        "axes": axes, "spacing": 2.5, "unit": "um", "finterval": 0.5, "min": 1.0, "max": 99.0,
        "Labels": [f"label {k}" for k in range(count)], "Ranges": (0.0, 1.0) * channels,
        "LUTs": [np.arange(768).reshape(3, 256).astype("u1")] * channels, "Info": "ünfo",
    }  # fmt: skip
    tifffile.imwrite(
        "a.tif", frames, imagej=True, metadata=metadata, resolution=(10, 5), byteorder=order
    )
    h5vidstack.pack("a.tif", "a.h5")
    with h5vidstack.open("a.h5") as stack:
        assert stack.coords["label"].values[-1] == f"label {count - 1}"
        assert stack.coords["y"].values[1] == 0.2
    assert h5vidstack.unpack("a.h5", "b.tif").notes == ()
    with tifffile.TiffFile("a.tif") as one, tifffile.TiffFile("b.tif") as two:
        assert one.series[0].axes == two.series[0].axes
        np.testing.assert_array_equal(two.asarray(), one.asarray(), strict=True)
        assert {
            name: np.asarray(value).tolist() for name, value in one.imagej_metadata.items()
        } == {name: np.asarray(value).tolist() for name, value in two.imagej_metadata.items()}
    h5vidstack.pack("b.tif", "b.h5")
    assert_same_stack("a.h5", "b.h5")
    h5vidstack.unpack("a.h5", "c.tif", frames=[1, 0])
    with tifffile.TiffFile("c.tif") as tiff:
        assert tiff.imagej_metadata["Labels"] == ["label 1", "label 0"]
        assert tiff.imagej_metadata["images"] == 2


def test_plain_tiff_has_the_tags_of_each_page():
    frames = FRAMES[0, 0]
    with tifffile.TiffWriter("a.tif") as writer:
        for number, frame in enumerate(frames):
            writer.write(
                frame, photometric="miniswhite", metadata=None, description=f"page {number}",
                datetime=f"2020:01:01 00:00:{number:02}", resolution=(100, 50), resolutionunit="CENTIMETER",
                extratags=[(65000, 12, 2, (0.1, float("inf")), False), (65001, 7, 3, b"\0\1\2", False)],
            )  # fmt: skip
    h5vidstack.pack("a.tif", "a.h5")
    with h5vidstack.open("a.h5") as stack:
        assert stack.coords["time"].dtype == np.dtype("M8[s]")
        assert stack.coords["y"].units == "cm"
        assert stack.source.words["tiff_tags"][2]["270"]["value"] == "page 2"
    assert h5vidstack.unpack("a.h5", "b.tif").notes == ()
    h5vidstack.pack("b.tif", "b.h5")
    assert_same_stack("a.h5", "b.h5")
    h5vidstack.unpack("a.h5", "c.tif", frames=[2, 0])
    with tifffile.TiffFile("c.tif") as tiff:
        assert [page.aspage().description for page in tiff.pages] == ["page 2", "page 0"]
        assert int(tiff.pages.first.photometric) == 0


def test_the_shape_that_tifffile_writes_is_only_that_of_all_frames():
    tifffile.imwrite(
        "a.tif", FRAMES, photometric="minisblack", metadata={"axes": "TCZYX", "note": "kept"}
    )
    h5vidstack.pack("a.tif", "a.h5")
    h5vidstack.unpack("a.h5", "b.tif")
    with tifffile.TiffFile("b.tif") as tiff:
        np.testing.assert_array_equal(tiff.asarray(), FRAMES)
        assert tiff.shaped_metadata[0]["note"] == "kept"
    h5vidstack.unpack("a.h5", "c.tif", frames=slice(5))
    np.testing.assert_array_equal(tifffile.imread("c.tif"), FRAMES.reshape(24, 12, 15)[:5])
