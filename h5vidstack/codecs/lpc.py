"""lpc: linear prediction over space and time, by the C core or, without it, by numpy.

Normative: spec/format.md, "lpc". Sources: least-squares prediction as in TMW, MRP and Vanilc;
forward-adaptive coefficients as in FLAC and MPEG-4 ALS; contexts by error energy as in CALIC;
rANS after Duda (2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BlockError
from .video import Encoded, Plane

REFERENCES = {"intra": 0, "chain": 1, "tree": 2, "star": 3}
"""How the frames of a block refer to each other, and the numbers of that in a stream."""
_INTERFACE = 2
"""Version of the C core's interface."""


def _load_core() -> Any:
    """Return the C core.

    Raises
    ------
    ImportError
        If it is not there, or is of another version of h5vidstack.
    """
    from .. import _core

    built = getattr(_core, "VERSION", None)
    if built is None:
        raise ImportError(
            "h5vidstack's C core was not built: install a C compiler, then h5vidstack"
        )
    if built != _INTERFACE:
        raise ImportError(
            f"h5vidstack._core is of interface {built}, and this h5vidstack needs {_INTERFACE}: "
            "install h5vidstack again, so that both are of one version"
        )
    return _core


CORE: Any = _load_core()
"""The C core, or None where numpy stands in for it."""


def encode(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """Encode ``(n, H, W)`` samples below ``2**depth``; see `codecs.Codec`."""
    configuration, packets = CORE.lpc_encode(
        frames,
        depth,
        REFERENCES[options["references"]],
        int(options["classes"]),
        int(options["rows"]),
    )
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
    try:
        CORE.lpc_decode(extradata, list(packets), depth, out, first)
    except ValueError as error:
        raise BlockError(f"a stream of lpc {error}") from error
