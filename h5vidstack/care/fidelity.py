"""`check`: how well the frames that a stack gives back are what was packed."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import h5py
import numpy as np
import numpy.typing as npt

from ..codecs import loss
from ..codecs.noise import NoiseBound, NoiseLoss
from ..errors import SourceError
from ..hdf5 import standard_filters
from ..hdf5.failures import DamageError, damage_as_error
from ..layout.names import require_dataset
from ..layout.stack_group import Layout
from ..pool import Progress, Step
from ..reading.stack_file import StackFile, split_readable
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, window_frames
from ..sources.openers import open_source
from ..sources.source import DEFAULT_OPTIONS, SourceOptions
from ..text import shape_text

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """What `check` found.

    Attributes
    ----------
    method
        Of the stack.
    shape, dtype
        Of the stack.
    stated_lossless, stated_max_error, stated_mse, stated_psnr, stated_noise
        What the stack says of itself; PSNR in dB. The last is in units of noise, if it has such.
    exact
        Whether every frame is its input, bit for bit; None where nothing was compared, as
        the next ones are.
    max_error, mse, psnr, noise
        As measured; the last one only where the stack states one.
    worst, typical
        Numbers of the frame with the largest error (of several, the one with the largest mean
        squared error), and of one in the middle by that.
    singular_values, explained_variance_ratio
        Of a PCA, a number a component; else None.
    """

    method: str
    shape: tuple[int, ...]
    dtype: str
    stated_lossless: bool
    stated_max_error: float
    stated_mse: float
    stated_psnr: float | None
    stated_noise: NoiseLoss | None
    exact: bool | None = None
    max_error: float | None = None
    mse: float | None = None
    psnr: float | None = None
    noise: NoiseLoss | None = None
    worst: int | None = None
    typical: int | None = None
    singular_values: list[float] | None
    explained_variance_ratio: list[float] | None

    @property
    def keeps_its_word(self) -> bool:
        """Whether the error measured is no larger than the stack says."""
        if self.exact is None or self.max_error is None or self.exact:
            return True
        noise, stated = self.noise, self.stated_noise
        if noise is not None and stated is not None and noise.error > stated.error:
            return False
        return not self.stated_lossless and self.max_error <= self.stated_max_error


def check(
    path: str | os.PathLike[str],
    against: Any = None,
    *,
    gray: bool = False,
    stream: int | None = None,
    accept_damaged: bool = False,
    progress: Progress | None = None,
) -> Fidelity:
    """Measure the error of the frames that a stack gives back.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``.
    against
        What it was packed from: anything that `pack` takes. None: only what the stack says.
    gray, stream, accept_damaged
        How `against` was packed; see `pack`.
    progress
        Called with a `Step` as it goes: frames compared, and of all.

    Raises
    ------
    FormatError
        If there is no such stack.
    SourceError
        If `against` cannot be read, or has other frames.
    """
    tables = _pca_tables(path)
    options = SourceOptions(gray, stream, accept_damaged)
    with StackReader(path, cache_bytes=0) as stack:
        attrs = stack.attrs
        noise = None if attrs.get("lossless", True) else loss.stated_noise(attrs)
        bound = None if noise is None else NoiseBound(noise.model, noise.bound)
        measured = {} if against is None else _compare(stack, against, options, bound, progress)
        return Fidelity(
            method=attrs.get("method", "a bare dataset"),
            shape=stack.shape,
            dtype=stack.dtype.name,
            stated_lossless=attrs.get("lossless", True),
            stated_max_error=attrs.get("max_error", 0.0),
            stated_mse=attrs.get("mse", 0.0),
            stated_psnr=attrs.get("psnr"),
            stated_noise=noise,
            singular_values=tables.get("singular_values"),
            explained_variance_ratio=tables.get("explained_variance_ratio"),
            **measured,
        )


def _compare(
    stack: StackReader,
    against: Any,
    options: SourceOptions,
    bound: NoiseBound | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Return what `Fidelity` says of the measured errors."""
    parts, exact, done = [], True, 0
    with contextlib.closing(open_source(against, options)) as source:
        if (source.frame, source.dtype) != (stack.shape[1:], stack.dtype.newbyteorder("=")):
            raise SourceError(
                f"{source.name} has frames of {source.frame} {source.dtype}, the stack of "
                f"{stack.shape[1:]} {stack.dtype}"
            )
        size = window_frames(source.frame, source.dtype.itemsize)
        for frames in source.batches(size):
            got = stack[done : done + len(frames)].astype(source.dtype, copy=False)
            if len(got) == len(frames):
                exact = exact and got.tobytes() == np.ascontiguousarray(frames).tobytes()
                parts.append(loss.measure(frames, got, bound))
            done += len(frames)
            if progress is not None:
                progress(Step(done, len(stack)))
        if done != len(stack):
            raise SourceError(f"{source.name} has {done} frames, the stack {len(stack)}")
    found = loss.join(parts)
    numbers = np.arange(done)
    together = loss.total([found], numbers * 0, numbers, stack.dtype, bound)
    order = np.argsort(found.mse, kind="stable")
    worst, typical = int(np.lexsort((found.mse, found.worst))[-1]), int(order[len(order) // 2])
    return {
        "exact": exact,
        "max_error": together.max_error,
        "mse": together.mse,
        "psnr": together.psnr,
        "noise": together.noise,
        "worst": worst,
        "typical": typical,
    }


def _ask_pca(
    path: str | os.PathLike[str], question: Callable[[h5py.Group], Answer]
) -> Answer | None:
    """Return what a function finds in the group of a stack's PCA; None for other stacks."""
    file, inner = split_readable(path)
    opened = StackFile(file, inner)

    def ask(layout: Layout) -> Answer | None:
        pca = layout.piles[0].pca
        return None if pca is None else question(pca)

    with contextlib.closing(opened), damage_as_error(opened.name):
        return opened.ask(ask)


def _pca_tables(path: str | os.PathLike[str]) -> dict[str, list[float]]:
    """Return the spectra of a PCA by name; none for other stacks."""

    def read(pca: h5py.Group) -> dict[str, list[float]]:
        names = ("singular_values", "explained_variance_ratio")
        if not all(name in pca for name in names):  # they are for people, and may be missing
            return {}
        tables = {name: standard_filters.read(require_dataset(pca, name)) for name in names}
        count = require_dataset(pca, "components").shape[0]
        if any(table.dtype.kind != "f" or table.shape != (count,) for table in tables.values()):
            raise DamageError("its spectra do not have one number for each component")
        return {name: table.tolist() for name, table in tables.items()}

    return _ask_pca(path, read) or {}


def components(path: str | os.PathLike[str]) -> tuple[Pixels, Pixels] | None:
    """Return ``(H, W[, C])`` mean and ``(k, H, W[, C])`` components of a PCA; else None."""
    return _ask_pca(
        path,
        lambda pca: (standard_filters.read(pca["mean"]), standard_filters.read(pca["components"])),
    )


def triple(
    path: str | os.PathLike[str],
    against: Any,
    number: int,
    options: SourceOptions = DEFAULT_OPTIONS,
) -> tuple[Pixels, Pixels, npt.NDArray[np.float64]]:
    """Return a frame as it was packed, as it is read, and their difference in float64."""
    with contextlib.closing(open_source(against, options)) as source:
        start = 0
        for frames in source.batches(16):
            if start <= number < start + len(frames):
                given = frames[number - start].copy()
                break
            start += len(frames)
        else:
            raise SourceError(f"{source.name} has no frame {number}")
    with StackReader(path) as stack:
        got = stack[number]
    with np.errstate(invalid="ignore", over="ignore"):
        apart = got.astype(np.float64) - given.astype(np.float64)
    return given, got, np.nan_to_num(apart, nan=0, posinf=0, neginf=0)


def lines(found: Fidelity) -> list[str]:
    """Say what `check` found, for people, a line each."""
    shape = shape_text(found.shape)
    rows = [f"{found.method}: {shape} {found.dtype}"]
    stated = "lossless"
    if not found.stated_lossless:
        stated = _error(
            found.stated_max_error, found.stated_mse, found.stated_psnr, found.stated_noise
        )  # fmt: skip
    rows.append(f"says       {stated}")
    if found.exact is not None and found.max_error is not None and found.mse is not None:
        measured = "every frame equals its input, bit for bit"
        if not found.exact:
            measured = _error(found.max_error, found.mse, found.psnr, found.noise)
            measured += f"; largest in frame {found.worst}, typical {found.typical}"
        rows.append(f"measured   {measured}")
    if found.singular_values is not None and found.explained_variance_ratio is not None:
        rows.append("component  singular value  explained variance  together")
        together = np.cumsum(found.explained_variance_ratio)
        for number, (value, share) in enumerate(
            zip(found.singular_values, found.explained_variance_ratio, strict=True)
        ):
            rows.append(f"{number:9}  {value:14.6g}  {share:18.4%}  {together[number]:8.4%}")
    return rows


def _error(max_error: float, mse: float, psnr: float | None, noise: NoiseLoss | None) -> str:
    decibels = "" if psnr is None or math.isinf(psnr) else f", PSNR {psnr:.2f} dB"
    sigmas = "" if noise is None else f"; {noise}"
    return f"LOSSY, max error {max_error:.4g}, MSE {mse:.4g}{decibels}{sigmas}"
