"""The native HDF5 plugin, by which programs other than Python read stacks.

`make plugin` builds it into this folder from the C sources in ``plugin/``. A wheel has it only if
`make plugin-wheel` made the wheel. Nothing in this package needs it; `folder` only tells where it
is.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from ..errors import MissingError

LIBRARY = "libh5vidstack.so"
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
