"""The generated stack, on which things can be tried, and a demonstration with it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..codecs.codec import Plane as Frames
from ..errors import NotExactError
from ..pool import Progress
from ..stack import Stack
from ..text import aligned, kilobytes
from ..writing.packer import pack

GRID = (20, 10, 10)
FRAME = (200, 300)


def generate(
    grid: tuple[int, int, int] = GRID, frame: tuple[int, int] = FRAME
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the frames of the generated stack: super-Gaussian spots of a parameter sweep.

    Parameters
    ----------
    grid
        The numbers of values of the three parameters: the height of the spot and two exponents.
        The stack has as many frames as their product.
    frame
        The height and width in pixels.

    Yields
    ------
    ndarray
        ``(H, W)`` float64 in 0..1.
    """
    height, width = frame
    x = np.abs(np.linspace(-100, 100, width) / 30) ** 2
    y = np.abs(np.linspace(-100, 100, height))
    for i in range(grid[0]):
        rows = (y / (10 + 30 * i / grid[0])) ** 2
        for j in range(grid[1]):
            across = x ** ((0.2 + 3 * j / grid[1]) / 2)
            for k in range(grid[2]):
                down = rows ** ((0.2 + 3 * k / grid[2]) / 2)
                yield np.exp(-(across[np.newaxis, :] + down[:, np.newaxis]))


DTYPES = ("uint8", "uint16", "float32")


def generated(
    dtype: str, grid: tuple[int, int, int] = GRID, frame: tuple[int, int] = FRAME
) -> Iterator[npt.NDArray[Any]]:
    """Yield the generated frames Z in one of `DTYPES`: floor(scale Z), or Z itself for floats."""
    scale = {"uint8": 255, "uint16": 65535}.get(dtype)
    for z in generate(grid, frame):
        yield (z if scale is None else np.floor(scale * z)).astype(dtype)


def generate_uint8(grid: tuple[int, int, int] = GRID, frame: tuple[int, int] = FRAME) -> Frames:
    """Return the generated stack as ``(N, H, W)`` uint8: floor(255 Z)."""
    return np.stack(list(generated("uint8", grid, frame)))


def demonstrate(
    grid: tuple[int, int, int],
    frame: tuple[int, int],
    output: Path | None,
    say: Callable[[str], None],
    progress: Progress | None = None,
) -> None:
    """Pack the generated stack, read frames back, compare, and say how large it became.

    Parameters
    ----------
    output
        The packed file to keep; None means a temporary file.
    say
        Called with each line for the user.
    progress
        Called with a `Step` as frames are packed.

    Raises
    ------
    NotExactError
        If a frame that was read back differs.
    """
    say(f"making {np.prod(grid)} frames of {frame[0]}x{frame[1]} uint8 (a generated sweep)")
    frames = generate_uint8(grid, frame)
    with tempfile.TemporaryDirectory() as folder:
        packed = output or Path(folder) / "demo.h5"
        report = pack(frames, packed, overwrite=output is None, progress=progress)
        say(f"packed it to {packed if output else 'a temporary file'} in {report.seconds:.1f} s")
        _read_back(frames, packed, say)
        plain = Path(folder) / "plain.h5"
        started = time.perf_counter()
        with h5py.File(plain, "w") as file:
            file.create_dataset(
                "frames",
                data=frames,
                chunks=(1, *frame),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
            )
        seconds = time.perf_counter() - started
        rows = [
            ("raw", frames.nbytes, 0.0),
            ("HDF5 gzip 9 + shuffle", plain.stat().st_size, seconds),
            ("h5vidstack", packed.stat().st_size, report.seconds),
        ]
    cells = [("", "size", "ratio", "pack MB/s")]
    for name, size, seconds in rows:
        speed = f"{frames.nbytes / seconds / 1e6:.0f}" if seconds else "-"
        cells.append((name, kilobytes(size), f"{frames.nbytes / size:.2f}", speed))
    say("")
    for line in aligned(cells, left=1):
        say(line)


def _read_back(frames: Frames, packed: Path, say: Callable[[str], None]) -> None:
    numbers = np.random.default_rng(0).integers(0, len(frames), 100)
    with Stack(packed) as stack:
        started = time.perf_counter()
        for number in numbers:
            if not np.array_equal(stack[int(number)], frames[number]):
                raise NotExactError(f"frame {number} was not read back as it was packed")
        milliseconds = (time.perf_counter() - started) / len(numbers) * 1000
        say(f"read {len(numbers)} random frames back, each exact, {milliseconds:.2f} ms a frame")
        if not np.array_equal(stack[:], frames):
            raise NotExactError("the whole stack was not read back as it was packed")
        say(f"read all {len(stack)} frames back: exact")
