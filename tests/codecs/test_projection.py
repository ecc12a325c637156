import h5py
import numpy as np
import pytest
from frames import moving, sweep

import h5vidstack


def test_damaged_pca():
    h5vidstack.pack(sweep(), "x.h5", method="pca", components=6)
    with h5py.File("x.h5", "r+") as file:
        image = file["stack/groups/000000/pca/components"]
        image[0] = -image[0]
    assert any("CRC-32" in problem for problem in h5vidstack.verify("x.h5"))
    for name, value in (
        ("coefficients", np.zeros((3, 3), np.int8)),
        ("components", np.zeros((6, 31, 23), np.float32)),
        ("mean", np.zeros((3, 3))),
    ):
        h5vidstack.pack(sweep(), "x.h5", method="pca", components=6, overwrite=True)
        with h5py.File("x.h5", "r+") as file:
            pca = file["stack/groups/000000/pca"]
            del pca[name]
            pca[name] = value
        with pytest.raises(h5vidstack.FormatError):
            h5vidstack.open("x.h5")


def test_spectra_may_be_missing():
    h5vidstack.pack(sweep(), "x.h5", method="pca", components=4)
    with h5py.File("x.h5", "r+") as file:
        pca = file["stack/groups/000000/pca"]
        del pca["singular_values"]
        pca["singular_values"] = np.ones(3)
    with pytest.raises(h5vidstack.FormatError, match="each component"):
        h5vidstack.check("x.h5")
    with h5py.File("x.h5", "r+") as file:
        del file["stack/groups/000000/pca/singular_values"]
    assert h5vidstack.check("x.h5").singular_values is None


def test_a_damaged_spectrum_of_a_pca_does_no_harm_to_frames():
    """Found by flipping bytes: h5py's `values()` gives None for what cannot be opened."""
    frames = moving((9, 20, 16))
    h5vidstack.pack(frames, "x.h5", method="pca", components=2, exact=True)
    with h5py.File("x.h5") as file:
        table = file["stack/groups/000000/pca/singular_values"]
        address = h5py.h5o.get_info(table.id).addr
    with open("x.h5", "r+b") as file:
        file.seek(address + 4)  # the version of its header
        file.write(b"\xff")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        with pytest.raises(h5vidstack.FormatError, match="damaged"):
            stack.groups
