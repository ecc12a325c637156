"""A stack as numpy sees it: operators, ufuncs and reductions, a run of frames at a time.

Elementwise results are numpy arrays of the whole stack. Reductions keep one run of frames in
memory, and what they return. Whatever else numpy can do gets the whole stack as an array, since a
stack has `__array__`; there is no `__array_function__`. Nothing writes to a stack.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..shapes import Pixels, Shape

Axis = int | tuple[int, ...] | None
Array = npt.NDArray[Any]

_COMBINED = {
    np.add, np.multiply, np.minimum, np.maximum, np.logical_and, np.logical_or,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logical_xor, np.fmin, np.fmax,
}  # fmt: skip
"""The ufuncs that reduce parts and then what came of the parts, in any order."""
_ROUNDED = {np.add, np.multiply}
"""Of these, those that round floats: their parts are reduced in float64."""


class ArrayProtocol(NDArrayOperatorsMixin, ABC):
    """What numpy asks of an array, for one whose frames are read from a file.

    Results have numpy's shapes, dtypes and values. Sums, means and the like of floats may differ
    from numpy's by rounding, because the runs of frames are added in float64.

    ``==`` of two stacks compares their identities, and gives one bool. To compare their pixels, use
    ``np.equal`` or ``np.array_equal``.
    """

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """``(N, H, W[, C])``."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the pixels."""

    @property
    @abstractmethod
    def identity(self) -> object:
        """What tells the stack from others; it has a hash."""

    @property
    @abstractmethod
    def preferred_frames(self) -> int:
        """How many frames are best read at a time."""

    @abstractmethod
    def read(self, key: Any = ..., out: Array | None = None) -> Any:
        """Read some of it."""

    def __eq__(self, other: object) -> Any:
        if isinstance(other, ArrayProtocol):
            return self.identity == other.identity
        return self._elementwise(operator.eq, [self, other])

    def __ne__(self, other: object) -> Any:
        if isinstance(other, ArrayProtocol):
            return self.identity != other.identity
        return self._elementwise(operator.ne, [self, other])

    def __hash__(self) -> int:
        return hash(self.identity)

    def __contains__(self, value: object) -> bool:
        return any(bool(np.any(part == value)) for _, part in self._parts())

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **named: Any
    ) -> Any:
        """Do what numpy's ufuncs do: see NEP 13."""
        outs = out if isinstance(out, tuple) else () if out is None else (out,)
        if any(isinstance(one, ArrayProtocol) for one in outs) or method == "at":
            raise TypeError(
                f"a stack is on disk, and {ufunc.__name__} cannot write to it: use "
                "np.asarray(stack), which is a copy"
            )
        if any(isinstance(value, ArrayProtocol) for value in named.values()):
            named = {name: _whole(value) for name, value in named.items()}
        if method == "reduce" and not outs and ufunc in _COMBINED and set(named) <= _REDUCES:
            return self._reduced(ufunc, *inputs[1:], **named)
        if method == "__call__" and not outs and ufunc.signature is None and "where" not in named:
            return self._elementwise(lambda *parts: ufunc(*parts, **named), list(inputs))
        given = {"out": out} if outs else {}
        return getattr(ufunc, method)(*map(_whole, inputs), **given, **named)

    def astype(self, dtype: npt.DTypeLike, **options: Any) -> Array:
        """Return all frames as an array of another dtype; options as of `numpy.ndarray.astype`."""
        out: Array = np.empty(self.shape, dtype)
        for where, part in self._parts():
            out[where] = part.astype(dtype, **options)
        return out

    def sum(self, axis: Axis = None, dtype: npt.DTypeLike | None = None, **options: Any) -> Any:
        """Return the sum of pixels, as `numpy.sum`."""
        return self._reduce(np.add, axis, dtype=dtype, **options)

    def prod(self, axis: Axis = None, dtype: npt.DTypeLike | None = None, **options: Any) -> Any:
        """Return the product of pixels, as `numpy.prod`."""
        return self._reduce(np.multiply, axis, dtype=dtype, **options)

    def min(self, axis: Axis = None, **options: Any) -> Any:
        """Return the least pixels, as `numpy.min`."""
        return self._reduce(np.minimum, axis, **options)

    def max(self, axis: Axis = None, **options: Any) -> Any:
        """Return the greatest pixels, as `numpy.max`."""
        return self._reduce(np.maximum, axis, **options)

    def any(self, axis: Axis = None, **options: Any) -> Any:
        """Return whether any pixel is true, as `numpy.any`."""
        return self._reduce(np.logical_or, axis, **options)

    def all(self, axis: Axis = None, **options: Any) -> Any:
        """Return whether all pixels are true, as `numpy.all`."""
        return self._reduce(np.logical_and, axis, **options)

    def mean(
        self,
        axis: Axis = None,
        dtype: npt.DTypeLike | None = None,
        out: Array | None = None,
        **more: Any,
    ) -> Any:
        """Return the mean of pixels, as `numpy.mean`."""
        if self._simple(out, dtype, more):
            return self._moments(axis, **more)[0]
        return _whole(self).mean(axis, dtype, out, **more)

    def var(
        self, axis: Axis = None, dtype: npt.DTypeLike | None = None, out: Array | None = None,
        ddof: float = 0, **more: Any,
    ) -> Any:  # fmt: skip
        """Return the variance of pixels, as `numpy.var`."""
        if self._simple(out, dtype, more):
            return self._moments(axis, ddof, **more)[1]
        return _whole(self).var(axis, dtype, out, ddof, **more)

    def std(
        self, axis: Axis = None, dtype: npt.DTypeLike | None = None, out: Array | None = None,
        ddof: float = 0, **more: Any,
    ) -> Any:  # fmt: skip
        """Return the standard deviation of pixels, as `numpy.std`."""
        if self._simple(out, dtype, more):
            return np.sqrt(self._moments(axis, ddof, **more)[1])
        return _whole(self).std(axis, dtype, out, ddof, **more)

    def argmin(self, axis: int | None = None, **options: Any) -> Any:
        """Return where the least pixels are, as `numpy.argmin`."""
        return self._found("argmin", operator.lt, axis, options)

    def argmax(self, axis: int | None = None, **options: Any) -> Any:
        """Return where the greatest pixels are, as `numpy.argmax`."""
        return self._found("argmax", operator.gt, axis, options)

    def _reduce(self, ufunc: np.ufunc, axis: Axis, **options: Any) -> Any:
        reduce: Any = ufunc.reduce  # numpy's stubs do not know what `__array_ufunc__` takes
        return reduce(self, axis, **options)

    def _parts(self) -> Iterator[tuple[slice, Pixels]]:
        """Yield runs of frames, and where they are."""
        for first in range(0, self.shape[0], self.preferred_frames):
            where = slice(first, min(first + self.preferred_frames, self.shape[0]))
            yield where, self.read(where)

    def _elementwise(self, function: Callable[..., Any], inputs: list[Any]) -> Any:
        """Apply a function of arrays to runs of frames and of what goes with them."""
        operands = [one if isinstance(one, ArrayProtocol) else _operand(one) for one in inputs]
        shapes = [tuple(getattr(one, "shape", ())) for one in operands]
        whole = np.broadcast_shapes(*shapes) if all(map(_fits(self.shape), shapes)) else None
        if whole != self.shape or not math.prod(self.shape):
            return function(*map(_whole, operands))
        results: list[Array] = []
        for first in range(0, self.shape[0], self.preferred_frames):
            where = slice(first, min(first + self.preferred_frames, self.shape[0]))
            found = function(*(_run(one, where, len(self.shape)) for one in operands))
            several = found if isinstance(found, tuple) else (found,)
            if not results:
                results = [np.empty(whole, part.dtype) for part in several]
            for result, part in zip(results, several, strict=True):
                result[where] = part
        return results[0] if not isinstance(found, tuple) else tuple(results)

    def _reduced(
        self,
        ufunc: np.ufunc,
        axis: Axis = 0,
        dtype: npt.DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
    ) -> Any:
        axes = self._axes(axis)
        if not math.prod(self.shape):
            return ufunc.reduce(_whole(self), axis, dtype, keepdims=keepdims)
        how: dict[str, Any] = {"axis": axes, "dtype": dtype, "keepdims": True}
        floats = ufunc in _ROUNDED and self.dtype.kind == "f" and dtype is None
        exact = {**how, "dtype": np.float64} if floats and 0 in axes else how
        results = (ufunc.reduce(part, **exact) for _, part in self._parts())
        if 0 in axes:
            total: Array = next(results)
            for result in results:
                total = ufunc(total, result, dtype=total.dtype if ufunc in _ROUNDED else None)
        else:
            total = np.concatenate(list(results))
        if exact is not how:
            total = total.astype(self.dtype)
        return self._shaped(total, axes, keepdims)

    def _axes(self, axis: Axis) -> tuple[int, ...]:
        """Return axes as numbers from 0 on; numpy says what is wrong with them."""
        if axis is None:
            return tuple(range(len(self.shape)))
        numbers = axis if isinstance(axis, tuple) else (axis,)
        empty = np.broadcast_to(np.uint8(0), self.shape)[:1, :1, :1]
        np.add.reduce(empty, axis)  # raises numpy's own error for axes that are not there
        return tuple(operator.index(number) % len(self.shape) for number in numbers)

    @staticmethod
    def _shaped(result: Array, axes: tuple[int, ...], keepdims: bool) -> Any:
        """Return a result of which the axes are kept as numpy does: without them, or a scalar."""
        if keepdims:
            return result
        without = result.squeeze(axes)
        return without if without.ndim else without[()]

    def _simple(self, out: Array | None, dtype: npt.DTypeLike | None, more: dict[str, Any]) -> bool:
        """Whether a mean or variance is one of runs of frames."""
        return out is None and dtype is None and set(more) <= {"keepdims"} and 0 not in self.shape

    def _moments(self, axis: Axis, ddof: float = 0, *, keepdims: bool = False) -> tuple[Any, Any]:
        """Return mean and variance, of the dtype that numpy gives them."""
        axes = self._axes(axis)
        dtype = self.dtype if self.dtype.kind == "f" else np.dtype(np.float64)
        count, mean, squares = 0.0, np.zeros(()), np.zeros(())
        parts: list[tuple[Array, Array]] = []
        for _, part in self._parts():
            here = math.prod(part.shape[axis] for axis in axes)
            found = part.mean(axes, np.float64, keepdims=True)
            spread = part.var(axes, np.float64, keepdims=True) * here
            if 0 not in axes:
                parts.append((found, spread / np.float64(max(here - ddof, 0))))
                continue
            # Chan, Golub and LeVeque's rule: nothing large is subtracted from anything large.
            step, total = found - mean, count + here
            mean, squares = (
                mean + step * (here / total),
                squares + spread + step * step * (count * here / total),
            )
            count = total
        if parts:
            mean = np.concatenate([found for found, _ in parts])
            variance = np.concatenate([found for _, found in parts])
        else:
            variance = squares / np.float64(max(count - ddof, 0))
        return (
            self._shaped(mean.astype(dtype), axes, keepdims),
            self._shaped(variance.astype(dtype), axes, keepdims),
        )

    def _found(
        self,
        name: str,
        beats: Callable[[Array, Array], Any],
        axis: int | None,
        options: dict[str, Any],
    ) -> Any:
        if options.keys() - {"keepdims"} or 0 in self.shape:
            return getattr(_whole(self), name)(axis, **options)
        keepdims = bool(options.get("keepdims", False))
        if axis is not None and self._axes(axis) != (0,):
            parts = [getattr(part, name)(axis, keepdims=keepdims) for _, part in self._parts()]
            return np.concatenate(parts)
        best: Array | None = None
        place: Any = None
        size = math.prod(self.shape[1:]) if axis is None else 1
        for where, part in self._parts():
            at = getattr(part, name)(axis)
            value = part.ravel()[at] if axis is None else np.take_along_axis(part, at[None], 0)[0]
            at = at + where.start * size
            if best is None or place is None:
                best, place = value, at
                continue
            # The first NaN is the least and the greatest, as in numpy.
            better = (beats(value, best) | (value != value)) & (best == best)
            best, place = np.where(better, value, best), np.where(better, at, place)
        found = np.asarray(place, np.intp)
        if axis is None:
            return found.reshape((1,) * len(self.shape)) if keepdims else found[()]
        return found[None] if keepdims else found


_REDUCES = {"axis", "dtype", "keepdims", "out"}


def _operand(value: Any) -> Any:
    """Return an operand that can be cut; Python's scalars stay, because their dtypes are weak."""
    return np.asarray(value) if isinstance(value, (list, tuple)) else value


def _whole(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, ArrayProtocol) else value


def _fits(shape: Shape) -> Callable[[Shape], bool]:
    """Return a function that tells whether a shape broadcasts to another."""

    def fits(given: Shape) -> bool:
        pairs = zip(given[::-1], shape[::-1], strict=False)
        return len(given) <= len(shape) and all(edge in (1, whole) for edge, whole in pairs)

    return fits


def _run(operand: Any, where: slice, ndim: int) -> Any:
    """Return what of an operand goes with a run of frames."""
    if isinstance(operand, ArrayProtocol):
        return operand.read(where)
    shape: Shape = getattr(operand, "shape", ())
    return operand[where] if len(shape) == ndim and shape[0] > 1 else operand
