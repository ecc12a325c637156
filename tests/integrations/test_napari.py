"""The reader for napari: its manifest, and the layers that it gives.

Where napari is installed its own pytest plugins warn, so there: pytest -W ignore.
"""

import importlib
from fnmatch import fnmatch
from importlib import metadata, resources

import h5py
import numpy as np
import pytest
import yaml
from frames import moving, pixels

import h5vidstack
from h5vidstack.integrations.napari import get_reader

NAMES = ("a.h5", "/b/c.hdf5", "d.hdf")


@pytest.fixture
def stacks():
    frames = {
        "stack": moving((20, 9, 12)),
        "entry/colour": moving((4, 6, 7, 3)),
        "entry/alpha": moving((4, 6, 7, 4)),
        "entry/mask": moving((4, 6, 7)) > 9,
        "entry/float": pixels((4, 6, 7), "f4"),
        "entry/flat": np.full((1, 1, 1), 7, np.uint16),
        "entry/nothing": np.full((2, 3, 4), np.nan),
    }
    for name, pile in frames.items():
        h5vidstack.pack(pile, f"x.h5::/{name}")
    return frames


def test_layers(stacks):
    layers = get_reader("x.h5")("x.h5")
    assert sorted(options["name"] for _, options, _ in layers) == sorted(f"x {n}" for n in stacks)
    for data, options, kind in layers:
        frames = stacks[options["name"].removeprefix("x ")]
        assert kind == "image"
        assert (data.shape, data.dtype, data.ndim) == (frames.shape, frames.dtype, frames.ndim)
        np.testing.assert_array_equal(data[-1], frames[-1])
        assert options["rgb"] == (frames.ndim == 4)
        assert options["metadata"]["lossless"]
        assert options["metadata"]["file"] == "x.h5"
        assert ("contrast_limits" in options) == (frames.ndim == 3 and not np.isnan(frames).all())
    limits = {options["name"][2:]: options.get("contrast_limits") for _, options, _ in layers}
    assert limits["stack"] == (0, 255)
    assert limits["entry/mask"] == (0, 1)
    assert limits["entry/flat"] == (7, 8)
    ends = stacks["entry/float"][[0, 2, 3]]
    finite = ends[np.isfinite(ends)]
    assert limits["entry/float"] == (finite.min(), finite.max())
    for data, *_ in layers:
        data.close()


def test_one_stack_of_a_file(stacks):
    ((data, options, _),) = get_reader("x.h5::/entry/mask")("x.h5::/entry/mask")
    assert options["name"] == "x entry/mask"
    data.close()


def test_what_is_left_to_other_plugins():
    with h5py.File("plain.h5", "w") as file:
        file["data"] = moving((3, 4, 5))
    with open("text.h5", "w") as file:
        file.write("no HDF5")
    for path in ("plain.h5", "text.h5", "none.h5", "plain.h5::/data", ["plain.h5"], "."):
        assert get_reader(path) is None


def test_a_recording_that_goes_on():
    with h5vidstack.create("x.h5", (4, 5), "u2", chunk_frames=4) as recorder:
        for number in range(6):
            recorder.write(np.full((4, 5), number, np.uint16))
        recorder.flush()
        ((data, options, _),) = get_reader("x.h5")("x.h5")
        assert data.shape == (4, 4, 5)
        assert options["contrast_limits"] == (0, 3)
        data.close()


def test_manifest():
    """What napari finds, and where; of the manifest's schema npe2 knows more."""
    (found,) = metadata.entry_points(group="napari.manifest", name="h5vidstack")
    package, _, name = found.value.partition(":")
    manifest = yaml.safe_load(resources.files(package).joinpath(name).read_text())
    (command,) = manifest["contributions"]["commands"]
    (reader,) = manifest["contributions"]["readers"]
    assert manifest["name"] == "h5vidstack"
    assert command["id"] == reader["command"]
    module, _, function = command["python_name"].partition(":")
    assert getattr(importlib.import_module(module), function) is get_reader
    assert all(any(fnmatch(name, p) for p in reader["filename_patterns"]) for name in NAMES)


@pytest.mark.filterwarnings("ignore")  # npe2's own
def test_manifest_by_npe2():
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_distribution("h5vidstack")
    manifest.validate_imports()
    assert len(manifest.contributions.readers) == 1


@pytest.mark.filterwarnings("ignore")  # napari's own
def test_napari(stacks):
    pytest.importorskip("napari")
    import napari.plugins
    from napari.components import ViewerModel

    napari.plugins._initialize_plugins()
    viewer = ViewerModel()
    layers = viewer.open("x.h5", plugin="h5vidstack")
    viewer.dims.set_point(0, 2)
    assert len(layers) == len(stacks)
    for layer in layers:
        layer.data.close()


def test_axes_scales_and_channels(scan):
    layers = get_reader("scan.h5")("scan.h5")
    assert [options["name"] for _, options, _ in layers] == [
        "scan stack gfp",
        "scan stack rfp\u00fc",
    ]
    for channel, (data, options, _) in enumerate(layers):
        assert data.shape == (3, 4, 9, 12)
        np.testing.assert_array_equal(data[1, :, 2:4], scan[1, channel, :, 2:4])
        assert options["axis_labels"] == ("T", "Z", "y", "x")
        assert options["scale"] == pytest.approx((1, 2, 1, 0.65))
        assert options["translate"] == (0, 1, 0, 0)
        assert options["units"] == ("pixel", "um", "pixel", "um")
        assert options["metadata"]["channel"] in options["name"]
    layers[0][0].stack.close()


def test_places_that_are_no_scale():
    coords = {
        "T": [1.0, 2.0, 4.0],
        "x": [3.0, 2.0, 1.0, 0.0],
        "y": ("y", [0, 1, 2], {"units": "?"}),
    }
    h5vidstack.pack(moving((3, 3, 4)), "x.h5", dims=["T", "y", "x"], coords=coords)
    ((data, options, _),) = get_reader("x.h5")("x.h5")
    assert options["scale"] == (1, 1, 1)
    assert options["units"] == ("pixel",) * 3
    data.close()
