import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving
from h5py import h5p

import h5vidstack
from h5vidstack.repacking.repacker import repack


def drifting(shape, dtype=np.uint8):
    """Smooth frames of any shape that counts, ``(..., H, W)``."""
    count = int(np.prod(shape[:-2]))
    return moving((count, *shape[-2:])).astype(dtype).reshape(shape)


def pipeline(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(number) for number in range(plist.get_nfilters())]


def test_filters_that_are_not_there():
    with h5py.File("in.h5", "w") as file:
        for name, code in {"packed": 32766, "plain": None}.items():
            plist = h5p.create(h5p.DATASET_CREATE)
            plist.set_chunk((1, 64, 64))
            if code:
                plist.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1, 2))
            space = h5py.h5s.create_simple((20, 64, 64))
            made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist)
            for number, frame in enumerate(drifting((20, 64, 64))):
                made.write_direct_chunk((number, 0, 0), frame.tobytes())
        for number in range(20):
            file["packed"].attrs[f"a{number}"] = number
    with pytest.raises(h5vidstack.SourceError, match="in.h5::/packed needs the HDF5 filter 32766"):
        repack("in.h5", "out.h5")
    assert not Path("out.h5").exists()
    report = repack("in.h5", "out.h5", select=["plain"])  # chunks are copied as they are
    assert report.compared == 2
    with h5py.File("in.h5") as one, h5py.File("out.h5") as other:
        assert dict(one["packed"].attrs) == dict(other["packed"].attrs)
        assert pipeline(one["packed"]) == pipeline(other["packed"])
        chunks = [file["packed"].id.read_direct_chunk((7, 0, 0)) for file in (one, other)]
        assert chunks[0] == chunks[1]


def test_filters_of_a_package_are_imported():
    hdf5plugin = pytest.importorskip("hdf5plugin")
    frames = drifting((30, 64, 64), np.uint16)
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(1, 64, 64), **hdf5plugin.Bitshuffle())
    code = (
        "import h5vidstack, sys; assert 'hdf5plugin' not in sys.modules;"
        "print(len(h5vidstack.repack('in.h5', 'out.h5').replaced))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
    with h5py.File("out.h5") as file:
        assert np.array_equal(file["d"], frames)
    repack("out.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["d"], frames)
        assert file["d"].chunks == (1, 64, 64)
        assert pipeline(file["d"]) == []  # that filter not every HDF5 has
