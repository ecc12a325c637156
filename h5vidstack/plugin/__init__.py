"""The native HDF5 plugin, by which programs other than Python read and write stacks.

Installing the package builds it from the C sources in ``plugin/``, or brings it in a wheel.
Nothing in this package needs it: `folder` tells where it is, and `enable` tells HDF5.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import h5py

from ..errors import MissingError

LIBRARY = "libh5vidstack" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
VARIABLE = "HDF5_PLUGIN_PATH"
"""The environment variable by which HDF5 finds plugins."""
_HERE = Path(__file__).parent


def folder() -> Path:
    """Return the folder for HDF5_PLUGIN_PATH, in which HDF5 finds the plugin.

    Raises
    ------
    MissingError
        If the plugin was not built, or a library that it needs is missing.
    """
    library = _HERE / LIBRARY
    if not library.exists():
        raise MissingError(
            "the native HDF5 plugin was not built, because there was no C compiler: install one "
            "(Debian: gcc libc6-dev), then h5vidstack again"
        )
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        raise MissingError(
            f"the native HDF5 plugin does not load here ({error}): install h5vidstack again"
        ) from error
    return _HERE


def enable() -> Path:
    """Let every HDF5 library of this process and of its children find the plugin.

    Other packages may bring an HDF5 of their own, as netCDF4 and PyTables do. Such a library
    looks for plugins when it is loaded: call this before the package is imported. h5py needs no
    plugin once h5vidstack is imported.

    Returns
    -------
    Path
        The folder of the plugin, which is first in HDF5_PLUGIN_PATH now.

    Raises
    ------
    MissingError
        If the plugin was not built, or does not load here.
    """
    here = folder()
    known = [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]
    if str(here) not in known:
        os.environ[VARIABLE] = os.pathsep.join([str(here), *known])
        h5py.h5pl.prepend(os.fsencode(here))
    return here
