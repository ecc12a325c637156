"""HDF5 filters that a dataset needs, and where they can be had."""

from __future__ import annotations

import importlib

import h5py

from ..errors import SourceError
from .filter import pipeline

PACKAGES = {
    "hdf5plugin": {
        307: "bzip2", 32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle", 32013: "ZFP",
        32015: "Zstandard", 32017: "SZ", 32018: "FCIDECOMP", 32024: "SZ3", 32026: "Blosc2",
        32028: "SPERR",
    },
    "h5ffmpeg": {32030: "FFmpeg"},
}  # fmt: skip
"""Registered filters by the Python package that brings them (its name on PyPI and as a module)."""


def require_filters(dataset: h5py.Dataset, name: str) -> None:
    """See that HDF5 can decode a dataset; import the package that has its filter, if it is there.

    Parameters
    ----------
    name
        What to call it in the error message.

    Raises
    ------
    SourceError
        If not; the message names the filter and what brings it.
    """
    for code, _, _, label in pipeline(dataset):
        if h5py.h5z.filter_avail(code):
            continue
        package = next((package for package, codes in PACKAGES.items() if code in codes), None)
        if package is None:
            cure = (
                "no package is known here to have it; many are in hdf5plugin: "
                "pip install hdf5plugin"
            )
        else:
            try:
                importlib.import_module(package)
            except ImportError:
                cure = f"pip install {package}"
            else:
                if h5py.h5z.filter_avail(code):
                    continue
                cure = f"{package} is installed, but has it not: a newer one may"
        known = PACKAGES.get(package or "", {}).get(code) or label.decode(errors="replace")
        raise SourceError(f"{name} needs the HDF5 filter {code} ({known}): {cure}")
