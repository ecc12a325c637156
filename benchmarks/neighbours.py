"""Reads the pixels of a stack through other programs, and prints which versions read them exactly.

    python benchmarks/neighbours.py

Programs that are not installed are named. PyTables, netCDF4 and h5grove's own HDF5 need the plugin: set
HDF5_PLUGIN_PATH to its folder (`h5vidstack plugin-path` prints it). Each program reads in a process of its own.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import h5vidstack

READERS = {
    "h5py": "import h5py; pixels = h5py.File(path)['stack/frames'][()]",
    "PyTables": "import tables; pixels = tables.open_file(path).root.stack.frames[:]",
    "netCDF4": (
        "import netCDF4; found = netCDF4.Dataset(path)['stack/frames']\n"
        "found.set_auto_maskandscale(False); pixels = found[:]"
    ),
    "h5netcdf": (
        "import h5netcdf; found = h5netcdf.File(path, phony_dims='sort')\n"
        "pixels = found['stack/frames'][:]"
    ),
    "xarray": (
        "import xarray\npixels = xarray.open_dataset(path, engine='h5vidstack').frames.values"
    ),
    "dask": (
        "import dask.array\n"
        "pixels = dask.array.from_array(h5vidstack.open(path), chunks=(16, -1, -1)).compute()"
    ),
    "zarr": (
        "import fsspec, zarr\n"
        "refs = h5vidstack.references(path)\n"
        "store = fsspec.filesystem('reference', fo=refs, asynchronous=True)\n"
        "group = zarr.open_group(zarr.storage.FsspecStore(store, path=''), mode='r')\n"
        "pixels = in_order(lambda name: group[name][:])"
    ),
    "kerchunk": (
        "import kerchunk.combine, kerchunk.utils, fsspec, zarr\n"
        "refs = h5vidstack.references(path)\n"
        "refs = kerchunk.utils.consolidate(refs['refs'] | {k: v for k, v in refs.items() if k == ''})\n"
        "whole = h5vidstack.references(path) | {'refs': refs['refs'] if 'refs' in refs else refs}\n"
        "store = fsspec.filesystem('reference', fo=whole, asynchronous=True)\n"
        "group = zarr.open_group(zarr.storage.FsspecStore(store, path=''), mode='r')\n"
        "pixels = in_order(lambda name: group[name][:])"
    ),
    "napari": (
        "import napari.layers; from h5vidstack.integrations.napari import read\n"
        "data, options, _ = read(path)[0]\n"
        "layer = napari.layers.Image(data, **options)\n"
        "labels = napari.layers.Labels(layer.data.astype(int))\n"
        "pixels = np.asarray(layer.data)\n"
        "np.testing.assert_array_equal(labels.data, pixels)"
    ),
    "torch": (
        "import torch, torch.utils.data\n"
        "loader = torch.utils.data.DataLoader(h5vidstack.open(path), batch_size=8, num_workers=2)\n"
        "pixels = torch.cat(list(loader)).numpy()"
    ),
    "silx": "import silx.io; pixels = silx.io.open(path)['stack/frames'][()]",
    "h5grove": (
        "import h5py, h5grove.content, h5grove.models\n"
        "file = h5py.File(path)\n"
        "pixels = h5grove.content.create_content(file, 'stack/frames').data()"
    ),
    "pynwb": (
        "import datetime, h5py, pynwb\n"
        "when = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)\n"
        "book = pynwb.NWBFile('d', 'i', when)\n"
        "given = h5py.File(path)['stack/frames']\n"
        "book.add_acquisition(pynwb.image.ImageSeries('v', data=given, unit='n', rate=1.0))\n"
        "with pynwb.NWBHDF5IO(path + '.nwb', 'w') as io: io.write(book, link_data=True)\n"
        "with pynwb.NWBHDF5IO(path + '.nwb', 'r') as io:\n"
        "    pixels = io.read().acquisition['v'].data[:]"
    ),
    "nexusformat": (
        "from nexusformat.nexus import nxload\npixels = nxload(path)['stack/frames'].nxdata"
    ),
}
"""Of each program Python that makes `pixels` of the stack in the file `path`."""

RUN = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import h5vidstack
path = sys.argv[1]

def in_order(read):
    with h5vidstack.open(path) as stack:
        if stack.live().file.in_order:
            return read("frames")
    pile, position = read("index/group"), read("index/position")
    piles = [read(f"groups/{n:06d}/video") for n in range(pile.max() + 1)]
    return np.stack([piles[a][b] for a, b in zip(pile, position)])

"""
COMPARE = "\nwanted = np.load(sys.argv[2])\nassert pixels.dtype == wanted.dtype, pixels.dtype\nnp.testing.assert_array_equal(np.asarray(pixels), wanted)"


def stacks(folder):
    """Make a stack in order and a reordered one; yield the path of each, and of its pixels."""
    random = np.random.default_rng(0)
    scenes = random.integers(0, 200, (3, 1, 32, 48)) + random.integers(0, 3, (3, 20, 32, 48))
    frames = scenes.reshape(60, 32, 48).astype("u1")
    for name, order, method in (
        ("in order", np.arange(60), "video"),
        ("reordered", random.permutation(60), "groupvideo"),
    ):
        path = folder / f"{method}.h5"
        h5vidstack.pack(frames[order], path, method=method)
        np.save(path.with_suffix(".npy"), frames[order])
        yield name, path


def version(name):
    try:
        return importlib.metadata.version({"PyTables": "tables"}.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        return None


def tried(name, path):
    """Return "exact", or the last line of what went wrong."""
    program = [sys.executable, "-c", RUN + READERS[name] + COMPARE, path, path.with_suffix(".npy")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    return "exact" if not done.returncode else done.stderr.strip().splitlines()[-1][:160]


def main():
    with tempfile.TemporaryDirectory() as folder:
        made = dict(stacks(Path(folder)))
        print("| program | version |", " | ".join(made), "|")
        print("|---|---|" + "---|" * len(made))
        for name in READERS:
            found = version(name)
            results = [tried(name, path) if found else "not installed" for path in made.values()]
            print(f"| {name} | {found or ''} |", " | ".join(results), "|", flush=True)


if __name__ == "__main__":
    main()
