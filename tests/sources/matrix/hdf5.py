"""HDF5 datasets of every kind of storage, written by h5py and known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from .core import Case, Unwritable, product, samples, title

SHAPE = (5, 19, 22)
FILTERS: dict[str, Callable[[], Mapping[str, Any]]] = {
    "none": dict,
    "gzip": lambda: {"compression": "gzip"},
    "gzip shuffle": lambda: {"compression": "gzip", "shuffle": True},
    "shuffle fletcher32": lambda: {"shuffle": True, "fletcher32": True},
    "lzf": lambda: {"compression": "lzf"},
    "szip": lambda: {"compression": "szip"},
    "scaleoffset": lambda: {"scaleoffset": 0},
    "blosc": hdf5plugin.Blosc,
    "blosc2": hdf5plugin.Blosc2,
    "bitshuffle": hdf5plugin.Bitshuffle,
    "lz4": hdf5plugin.LZ4,
    "zstd": hdf5plugin.Zstd,
    "bzip2": hdf5plugin.BZip2,
    "zfp": lambda: hdf5plugin.Zfp(reversible=True),
}
DTYPES = ["?", "<u1", "<u2", ">u2", "<u4", ">u4", "<u8", "<i1", "<i2", ">i2", "<i4", "<i8", "<f2",
          ">f2", "<f4", ">f4", "<f8", ">f8"]  # fmt: skip
CHUNKS = [(1, 19, 22), (2, 8, 8), (5, 19, 22), (3, 19, 5)]


def cases() -> Iterator[Case]:
    """All of them."""
    for row in product(
        dtype=DTYPES, filters=FILTERS, chunks=CHUNKS, library=["earliest", "latest"]
    ):
        if row["filters"] == "scaleoffset" and "f" in row["dtype"]:
            continue  # it rounds
        yield _case(f"chunked {title(row)}", row, lambda folder, row=row: _chunked(folder, row))
    for row in product(kind=KINDS, dtype=DTYPES, library=["earliest", "latest"]):
        yield _case(title(row), row, lambda folder, row=row: _of_kind(folder, row))
    for row in product(dtype=["<u1", ">u2", "<f4"], shape=[(2, 3, 19, 22), (4, 19, 22, 3), (4, 19, 22, 4),
                       (2, 3, 19, 22, 3), (2, 2, 2, 19, 22)], filters=["none", "gzip"]):  # fmt: skip
        yield _case(f"shape {title(row)}", row, lambda folder, row=row: _shaped(folder, row))
    for row in product(
        dtype=["odd int 12 bits", "enum", "complex", "compound", "string", "bitfield"]
    ):
        yield _case(title(row), row, lambda folder, row=row: _odd(folder, row), refusal=True)
    for row in product(kept=[0.2, 0.5, 0.8, 0.95], filters=["none", "gzip"]):
        yield Case(
            "HDF5 cut short", title(row), lambda folder, row=row: _cut(folder, row), refusal=True
        )


def _case(name: str, row: Mapping[str, Any], make: Any, *, refusal: bool = False) -> Case:
    def made(folder: Path) -> tuple[Any, list[Any]]:
        try:
            path, truth = make(folder)
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            raise Unwritable from error
        return f"{path}::/data", [truth, lambda: _second(path, truth.shape)]

    return Case("HDF5", name, made, refusal=refusal)


def _second(path: Path, shape: tuple[int, ...]) -> Any:
    with h5py.File(path) as file:
        return file["data"][()].reshape(shape)


def _chunked(folder: Path, row: Mapping[str, Any]) -> tuple[Path, Any]:
    frames = samples(SHAPE, row["dtype"])
    with h5py.File(folder / "x.h5", "w", libver=row["library"]) as file:
        file.create_dataset("data", data=frames, chunks=row["chunks"], **FILTERS[row["filters"]]())
    return folder / "x.h5", frames


def _shaped(folder: Path, row: Mapping[str, Any]) -> tuple[Path, Any]:
    frames = samples(row["shape"], row["dtype"])
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("data", data=frames, **FILTERS[row["filters"]]())
    keep = 3 if row["shape"][-1] in (3, 4) else 2
    return folder / "x.h5", frames.reshape(-1, *row["shape"][-keep:])


def _of_kind(folder: Path, row: Mapping[str, Any]) -> tuple[Path, Any]:
    frames = samples(SHAPE, row["dtype"])
    path = folder / "x.h5"
    more = {"userblock_size": 512} if row["kind"] == "user block" else {}
    with h5py.File(path, "w", libver=row["library"], **more) as file:
        truth = KINDS[row["kind"]](folder, file, frames)
    return path, frames if truth is None else truth


def _plain(_folder: Path, file: Any, frames: Any) -> None:
    file["data"] = frames


def _compact(_folder: Path, file: Any, frames: Any) -> None:
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_layout(h5py.h5d.COMPACT)
    kind = h5py.h5t.py_create(frames.dtype, logical=True)
    made = h5py.h5d.create(file.id, b"data", kind, h5py.h5s.create_simple(frames.shape), how)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(frames))


def _external(folder: Path, file: Any, frames: Any) -> None:
    size = frames.nbytes // 2
    pieces = [(str(folder / "a.raw"), 0, size), (str(folder / "b.raw"), 64, h5py.h5f.UNLIMITED)]
    file.create_dataset("data", data=frames, external=pieces)


def _virtual(folder: Path, file: Any, frames: Any, **filters: Any) -> None:
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    for number, frame in enumerate(frames):
        with h5py.File(folder / f"part{number}.h5", "w") as part:
            part.create_dataset("images", data=frame, chunks=(8, 8), **filters)
        layout[number] = h5py.VirtualSource(f"part{number}.h5", "images", frame.shape)
    file.create_virtual_dataset("data", layout)


def _virtual_in_file(_folder: Path, file: Any, frames: Any) -> None:
    file["there"] = frames
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    layout[...] = h5py.VirtualSource(".", "there", frames.shape)
    file.create_virtual_dataset("data", layout)


def _unwritten(_folder: Path, file: Any, frames: Any) -> Any:
    made = file.create_dataset("data", frames.shape, frames.dtype, chunks=(1, 19, 22), fillvalue=1)
    made[1:3] = frames[1:3]
    truth = np.ones_like(frames)
    truth[1:3] = frames[1:3]
    return truth


def _resized(_folder: Path, file: Any, frames: Any) -> None:
    made = file.create_dataset("data", (2, 19, 22), frames.dtype, chunks=(2, 19, 22),
                               maxshape=(None, None, None))  # fmt: skip
    made[...] = frames[:2]
    made.resize(frames.shape)
    made[2:] = frames[2:]


def _linked(folder: Path, file: Any, frames: Any, *, outside: bool) -> None:
    if outside:
        with h5py.File(folder / "other.h5", "w") as other:
            other["there/data"] = frames
        file["data"] = h5py.ExternalLink("other.h5", "/there/data")
    else:
        file["there/data"] = frames
        file["data"] = h5py.SoftLink("/there/data")


def _early(_folder: Path, file: Any, frames: Any) -> Any:
    file.create_dataset("data", frames.shape, frames.dtype, fillvalue=1)
    return np.ones_like(frames)


KINDS: dict[str, Callable[[Path, Any, Any], Any]] = {
    "contiguous": _plain,
    "user block": _plain,
    "compact": _compact,
    "external": _external,
    "virtual": _virtual,
    "virtual gzip": lambda folder, file, frames: _virtual(folder, file, frames, compression="gzip"),
    "virtual blosc": lambda folder, file, frames: _virtual(
        folder, file, frames, **hdf5plugin.Blosc()
    ),
    "virtual in its file": _virtual_in_file,
    "chunks never written": _unwritten,
    "never written": _early,
    "resized": _resized,
    "soft link": lambda folder, file, frames: _linked(folder, file, frames, outside=False),
    "external link": lambda folder, file, frames: _linked(folder, file, frames, outside=True),
}


def _odd(folder: Path, row: Mapping[str, Any]) -> tuple[Path, Any]:
    numbers = samples(SHAPE, "<u2", 12)
    with h5py.File(folder / "x.h5", "w") as file:
        name = row["dtype"]
        if name == "complex":
            file["data"] = frames = numbers.astype("c8")
        elif name == "compound":
            frames = np.zeros(SHAPE, [("a", "<u2"), ("b", "<f4")])
            file["data"] = frames
        elif name == "enum":
            kind = h5py.enum_dtype({"A": 0, "B": 1}, "<u2")
            frames = numbers % 2
            file.create_dataset("data", data=frames, dtype=kind)
        elif name == "string":
            frames = np.full(SHAPE, b"abc", "S3")
            file["data"] = frames
        else:
            frames = numbers
            odd = name != "bitfield"
            kind = (h5py.h5t.STD_U16LE if odd else h5py.h5t.STD_B16LE).copy()
            if odd:
                kind.set_precision(12)
            made = h5py.h5d.create(file.id, b"data", kind, h5py.h5s.create_simple(SHAPE))
            memory = h5py.h5t.py_create(frames.dtype) if odd else kind
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(frames), memory)
    return folder / "x.h5", frames


def _cut(folder: Path, row: Mapping[str, Any]) -> tuple[str, list[Any]]:
    path, frames = folder / "x.h5", samples((40, 19, 22), "<u2")
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=frames, chunks=(1, 19, 22), **FILTERS[row["filters"]]())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * row["kept"])])
    return f"{path}::/data", [frames]
