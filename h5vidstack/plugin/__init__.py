"""The native HDF5 plugin, by which programs other than Python read stacks.

`make plugin` builds it into this folder from the C sources in ``plugin/``; a wheel has it only
if `make plugin-wheel` made it. Nothing in this package needs it.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from ..errors import MissingError

LIBRARY = "libh5vidstack.so"
_HERE = Path(__file__).parent


def folder() -> Path:
    """The folder for HDF5_PLUGIN_PATH, in which HDF5 finds the plugin.

    Raises
    ------
    MissingError
        If it was not built, or a library that it was built with is not there.
    """
    library = _HERE / LIBRARY
    if not library.exists():
        raise MissingError(
            "the native HDF5 plugin is not built: run `make plugin` in the sources of h5vidstack, "
            "or install a wheel that `make plugin-wheel` made"
        )
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        raise MissingError(
            f"the native HDF5 plugin does not load here ({error}): run `make plugin` again"
        ) from error
    return _HERE
