"""The native plugin in tests: built, called as HDF5 calls it, and used by HDF5's own tools."""

import ctypes
import ctypes.util
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av

from h5vidstack.hdf5 import filter as h5filter

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "plugin"
CORE = ROOT / "h5vidstack" / "_core"
LIBRARY = "libh5vidstack.so"
DECODE = 0x0100
"""H5Z_FLAG_REVERSE of HDF5: the filter is to decode."""


def missing() -> str:
    """What is missing to build it, or an empty text."""
    try:
        found = subprocess.run(
            ["make", "-s", "-C", SOURCES, "check-needs"], capture_output=True, text=True
        )
    except FileNotFoundError:
        return "missing: make"
    lines = [line for line in found.stderr.splitlines() if line.startswith("missing")]
    return "; ".join(lines) or ("cannot be built" if found.returncode else "")


def make(folder: Path, target: str = "all") -> Path:
    """Build the plugin, or another target of its Makefile, into a folder."""
    subprocess.run(["make", "-s", "-C", SOURCES, f"OUT={folder}", target], check=True)
    return folder


def libavcodec() -> str:
    """The system's libavcodec by name, or PyAV's by path."""
    found = ctypes.util.find_library("avcodec")
    if found is not None and found.rsplit(".", 1)[1] in ("59", "60", "61", "62"):
        return found
    wheel = Path(av.__file__).parent.parent / "av.libs"
    return str(next(wheel.glob("libavcodec*")))


def environment(folder: Path, **more: str) -> dict[str, str]:
    """In which HDF5 finds the plugin, and the plugin FFmpeg."""
    library = libavcodec()
    beside = {"LD_LIBRARY_PATH": str(Path(library).parent)} if "/" in library else {}
    return {
        **os.environ,
        "HDF5_PLUGIN_PATH": str(folder),
        "H5VIDSTACK_LIBAVCODEC": library,
        **beside,
        **more,
    }


def with_plugin(
    folder: Path, *command: object, variables: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program of HDF5 that finds the plugin."""
    return subprocess.run(
        list(map(str, command)),
        env=environment(folder, **(variables or {})),
        capture_output=True,
        text=True,
        **options,
    )


class Native:
    """The plugin's filter, called without HDF5."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("H5VIDSTACK_LIBAVCODEC", libavcodec())
        self.library = ctypes.CDLL(str(folder / LIBRARY))
        # Private: HDF5's structure of a filter, of which users need to know nothing.
        self.library.H5PLget_plugin_info.restype = ctypes.POINTER(h5filter._H5ZClass2)
        self.info = self.library.H5PLget_plugin_info().contents
        self._c = ctypes.CDLL(None)
        self._c.malloc.restype, self._c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        self._c.free.argtypes = [ctypes.c_void_p]

    def run(self, values: Sequence[int], data: bytes, flags: int = DECODE) -> bytes | None:
        """Bytes of the chunk, or None if it is refused."""
        buffer = ctypes.c_void_p(self._c.malloc(len(data) or 1))
        ctypes.memmove(buffer, data, len(data))
        made = self.info.filter(
            flags, len(values), (ctypes.c_uint * len(values))(*values), len(data),
            ctypes.byref(ctypes.c_size_t(len(data))),
            ctypes.cast(ctypes.byref(buffer), ctypes.POINTER(ctypes.c_void_p)),
        )  # fmt: skip
        chunk = ctypes.string_at(buffer, made) if made else None
        self._c.free(buffer)
        return chunk

    def write(self, values: Sequence[int], pixels: bytes) -> bytes | None:
        """The block of a chunk, or None if it is refused."""
        return self.run(values, pixels, flags=0)
