"""lpc: linear prediction over space and time, by the C core or, without it, by numpy.

Normative: spec/format.md, "lpc". Sources: least-squares prediction as in TMW, MRP and Vanilc;
forward-adaptive coefficients as in FLAC and MPEG-4 ALS; contexts by error energy as in CALIC;
rANS after Duda (2013).
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..codecs import lpc_numpy
from ..errors import BlockError
from .av_engine import Encoded, Plane

REFERENCES = {"intra": 0, "chain": 1, "centre": 2}
"""How the frames of a block refer to each other, and the numbers of that in a stream."""
_INTERFACE = 3
"""Version of the C core's interface."""


def _load_core() -> Any:
    """Return the C core, or None where no compiler built it.

    Raises
    ------
    ImportError
        If it is of another version of h5vidstack.
    """
    try:
        core = importlib.import_module("h5vidstack._core")
    except ModuleNotFoundError:
        return None
    built = getattr(core, "VERSION", None)
    if built is None:  # the folder of its C files is a package, too
        return None
    if built != _INTERFACE:
        raise ImportError(
            f"h5vidstack._core is of interface {built}, and this h5vidstack needs {_INTERFACE}: "
            "install h5vidstack again, so that both are of one version"
        )
    return core


CORE = _load_core()
"""The C core, or None where numpy stands in for it."""


@functools.cache
def _say_slow() -> None:
    """Say once that numpy does the work."""
    warnings.warn(
        "h5vidstack's C core was not built, so numpy codes and decodes lpc, some 30 times more "
        "slowly: install a C compiler, then h5vidstack again",
        stacklevel=3,
    )


def encode(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """Encode ``(n, H, W)`` samples below ``2**depth``; see `codecs.Codec`."""
    references = REFERENCES[options["references"]]
    classes, rows, passes = (int(options[name]) for name in ("classes", "rows", "passes"))
    if CORE is None:
        _say_slow()
        return lpc_numpy.encode(frames, depth, references, classes, rows, passes)
    configuration, packets = CORE.lpc_encode(frames, depth, references, classes, rows, passes)
    return packets, configuration


def decode(
    packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane, first: int = 0
) -> None:
    """Decode the frames from `first` on into `out`; see `codecs.Codec`.

    Raises
    ------
    BlockError
        If the bytes are damaged.
    """
    if CORE is None:
        _say_slow()
        lpc_numpy.decode(packets, extradata, depth, out, first)
        return
    try:
        CORE.lpc_decode(extradata, list(packets), depth, out, first)
    except ValueError as error:
        raise BlockError(f"a stream of lpc {error}") from error
