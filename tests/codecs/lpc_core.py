"""lpc's C core by ctypes, with the functions of `h5vidstack._core`, built where the tests run."""

import ctypes as c
import shutil
import subprocess
from pathlib import Path

import numpy as np

import h5vidstack
from h5vidstack.errors import BlockError

FOLDER = Path(h5vidstack.__file__).parent / "_core"
SOURCES = [FOLDER / f"{name}.c" for name in ("model", "kernels", "encode", "decode")]


class Shape(c.Structure):
    _fields_ = [(name, c.c_uint32) for name in ("frames", "height", "width", "bits")]


class Bytes(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t)]

    def __bytes__(self):
        return c.string_at(self.data, self.size)


class Settings(c.Structure):
    _fields_ = [("references", c.c_int), ("classes", c.c_uint), ("row_step", c.c_uint)]


class Stream(c.Structure):
    _fields_ = [("configuration", Bytes), ("packets", c.POINTER(Bytes)), ("memory", c.c_void_p)]


def as_bytes(data):
    buffer = c.create_string_buffer(bytes(data), max(1, len(data)))
    return buffer, Bytes(c.addressof(buffer), len(data))


class Core:
    def __init__(self, folder):
        library = folder / "liblpc.so"
        flags = ["-O2", "-std=gnu11", "-ffp-contract=off", "-shared", "-fPIC", f"-I{FOLDER}"]
        subprocess.run(["cc", *flags, "-o", library, *SOURCES, "-lm"], check=True)
        self.library = c.CDLL(str(library))
        self.library.lpc_path.restype = c.c_char_p
        self.library.lpc_decode.argtypes = [
            Bytes, c.POINTER(Bytes), c.POINTER(Shape), c.c_uint32, c.c_uint32, c.c_void_p,
            c.c_uint, c.c_size_t, c.POINTER(c.c_char_p),
        ]  # fmt: skip

    def path(self):
        return self.library.lpc_path().decode()

    def force_portable(self, force):
        self.library.lpc_force_portable(c.c_bool(force))

    def lpc_encode(self, array, bits, references, classes, row_step):
        array = np.ascontiguousarray(array)
        stream = Stream()
        status = self.library.lpc_encode(
            c.c_void_p(array.ctypes.data), array.itemsize, c.byref(Shape(*array.shape, bits)),
            c.byref(Settings(references, classes, row_step)), c.byref(stream),
        )  # fmt: skip
        if status:
            raise ValueError(status)
        found = bytes(stream.configuration), [bytes(stream.packets[i]) for i in range(len(array))]
        self.library.lpc_free(c.byref(stream))
        return found

    def lpc_decode(self, configuration, packets, bits, out, first=0):
        kept = [as_bytes(packet) for packet in packets]
        array = (Bytes * len(kept))(*[packet for _, packet in kept])
        kept.append(as_bytes(configuration))
        reason = c.c_char_p()
        shape = Shape(len(packets), *out.shape[1:], bits)
        status = self.library.lpc_decode(
            kept[-1][1], array, c.byref(shape), first, len(out), out[first:].ctypes.data, out.itemsize, 1,
            c.byref(reason),
        )  # fmt: skip
        if status:
            raise BlockError(f"an lpc stream {reason.value.decode()}")


def find(folder):
    """The core, or None where no compiler can build it."""
    return Core(folder) if shutil.which("cc") else None
