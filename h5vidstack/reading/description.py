"""What is known of an open stack without reading a frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..shapes import Shape


class Description:
    """Where a stack is, and the shape of the array that it is; known after it is closed, too."""

    _path: str
    _stack: str
    _options: dict[str, Any]
    _shape: Shape
    _dtype: np.dtype[Any]
    _chunks: Shape
    _attrs: Mapping[str, Any]
    _leading_shape: Shape
    _identity: tuple[object, ...]

    @property
    def path(self) -> str:
        """Absolute path of the file, or its URL."""
        return self._path

    @property
    def storage_options(self) -> dict[str, Any]:
        """What was given for fsspec, with a URL."""
        return dict(self._options)

    @property
    def identity(self) -> tuple[object, ...]:
        """What is another when the file has changed: its size, and its time or ETag."""
        return self._identity

    @property
    def stack(self) -> str:
        """Path of the stack in the file."""
        return self._stack

    @property
    def shape(self) -> Shape:
        """``(N, H, W)`` or ``(N, H, W, C)``."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the pixels."""
        return self._dtype

    @property
    def chunks(self) -> Shape:
        """Shape of a block: frames, rows, columns[, channels]."""
        return self._chunks

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the stack (spec/format.md); `settings` as a dict."""
        return self._attrs

    @property
    def leading_shape(self) -> Shape:
        """The axes before the frame's as they were packed; usually ``(N,)``."""
        return self._leading_shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self._shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole stack as an array."""
        return self.size * self._dtype.itemsize

    def __len__(self) -> int:
        return self._shape[0]
