"""Peers: HDF5 datasets with the filters of HDF5 itself, hdf5plugin and h5ffmpeg."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .contestants import Contestant, Pixels, Reader, unbounded

TOGETHER = 16
"""Frames in a chunk, for contestants that code several frames together, as ours do."""

Options = Callable[[], Mapping[str, Any]]
"""Returns options of ``create_dataset``; it is called only if the module is installed."""


def hdf5_peers(frames: Pixels, bound: float | None) -> Iterator[Contestant]:
    """Yield HDF5 with filters; some of them keep a bound on floats."""
    yield _hdf5("gzip 4 + shuffle", lambda: {"compression": 4, "shuffle": True}, 1)
    yield _hdf5("gzip 9 + shuffle", lambda: {"compression": 9, "shuffle": True}, 1)
    yield _hdf5("lzf + shuffle", lambda: {"compression": "lzf", "shuffle": True}, 1)
    for shuffle in ("shuffle", "bitshuffle"):
        yield _plugin(f"Blosc2 zstd 9 {shuffle}", partial(_blosc2, shuffle))
    yield _plugin("zstd 19", lambda plugin: plugin.Zstd(clevel=19))
    yield _plugin("bitshuffle + zstd", lambda plugin: plugin.Bitshuffle(cname="zstd"))
    refusal = unbounded(bound)
    if frames.dtype not in (np.float32, np.float64):
        refusal = f"takes no {frames.dtype}"
    yield _plugin("SZ3 bounded", lambda plugin: plugin.SZ3(absolute=bound), refusal, True)
    yield _plugin("ZFP bounded", lambda plugin: plugin.Zfp(accuracy=bound), refusal, True)
    refusal = None
    if frames.dtype != np.uint8 or frames.ndim != 3:
        refusal = f"takes no {'colour' if frames.ndim > 3 else frames.dtype}"
    yield _hdf5("h5ffmpeg x264 crf 0", _h5ffmpeg, TOGETHER, ("h5ffmpeg",), refusal=refusal)


def _blosc2(shuffle: str, plugin: Any) -> Mapping[str, Any]:
    filters = getattr(plugin.Blosc2, shuffle.upper())
    options: Mapping[str, Any] = plugin.Blosc2(cname="zstd", clevel=9, filters=filters)
    return options


def _h5ffmpeg() -> Mapping[str, Any]:
    import h5ffmpeg  # inside, because it is optional

    options: Mapping[str, Any] = h5ffmpeg.x264(crf=0, preset="veryslow")
    return options


def _plugin(
    name: str,
    choose: Callable[[Any], Mapping[str, Any]],
    refusal: str | None = None,
    bounded: bool = False,
) -> Contestant:
    def options() -> Mapping[str, Any]:
        import hdf5plugin  # inside, because it is optional

        return choose(hdf5plugin)

    return _hdf5(name, options, TOGETHER, ("hdf5plugin",), refusal=refusal, bounded=bounded)


def _hdf5(
    name: str,
    options: Options,
    chunk_frames: int,
    needs: tuple[str, ...] = (),
    *,
    refusal: str | None = None,
    bounded: bool = False,
) -> Contestant:
    def write(frames: Pixels, path: Path) -> None:
        chunks = (min(chunk_frames, len(frames)), *frames.shape[1:])
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", data=frames, chunks=chunks, **options())

    return Contestant(name, write, _read, needs=needs, refusal=refusal, bounded=bounded)


@contextlib.contextmanager
def _read(path: Path) -> Iterator[Reader]:
    with h5py.File(path) as file:
        yield file["frames"]
