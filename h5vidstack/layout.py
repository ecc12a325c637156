"""Names inside the HDF5 file: the only module that knows them (spec/format.md, "Layout")."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ._version import __version__
from .codecs import Coding
from .errors import FormatError
from .filter import Video, stored_coding
from .geometry import Shape

FORMAT = (1, 0)
DEFAULT_STACK = "/stack"
SEPARATOR = "::"

_FORMAT_ATTRIBUTE = "h5vidstack_format"


def split_target(target: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split ``file.h5::/path`` into the file and the path inside it (None if not given)."""
    path, found, inner = os.fspath(target).partition(SEPARATOR)
    return Path(path), "/" + inner.strip("/") if found else None


@dataclass(frozen=True)
class Layout:
    """What a reader needs of a stack in an open file.

    Attributes
    ----------
    video
        The chunked dataset that holds the frames in order.
    attrs
        The stack's attributes; `settings` already parsed.
    shape
        ``(N, H, W[, C])``, with leading axes flattened.
    """

    video: h5py.Dataset
    attrs: Mapping[str, Any]
    shape: Shape
    dtype: np.dtype[Any]
    group: h5py.Group | None

    def crc32(self) -> npt.NDArray[np.uint32] | None:
        """CRC-32 of the raw bytes of each frame, shape ``(N,)``; None for a bare dataset."""
        return None if self.group is None else self.group["index/crc32"][()]

    def problems(self) -> Iterator[str]:
        """Say where the tables of the stack contradict each other."""
        if self.group is None:
            return
        n = self.shape[0]
        if self.video.shape != self.shape or self.video.dtype != self.dtype:
            yield (
                f"the video is {self.video.shape} {self.video.dtype}, "
                f"the attributes say {self.shape} {self.dtype}"
            )
        expected = {
            "index/group": np.zeros(n),
            "index/position": np.arange(n),
            "groups/000000/members": np.arange(n),
            "index/crc32": None,
        }
        for name, values in expected.items():
            if name not in self.group:
                yield f"{name} is missing"
            elif self.group[name].shape != (n,):
                yield f"{name} has shape {self.group[name].shape}, not ({n},)"
            elif values is not None:
                wrong = np.flatnonzero(self.group[name][()] != values)
                if len(wrong):
                    yield f"{name} is wrong at {len(wrong)} of {n} frames, first at {wrong[0]}"
        frames = self.group.get("frames")
        if frames is None or frames.id != self.video.id:
            yield "frames is not a hard link to groups/000000/video"


def open_layout(file: h5py.File, stack: str) -> Layout:
    """Find a stack, or a dataset that the filter codes, in an open file.

    Raises
    ------
    FormatError
        If there is none at `stack`, or it is of a newer format.
    """
    node = file.get(stack)
    if isinstance(node, h5py.Dataset):
        if stored_coding(node) is None:
            raise FormatError(
                f"{file.filename}{SEPARATOR}{stack} is a dataset without h5vidstack's filter"
            )
        return Layout(node, {}, node.shape, node.dtype, None)
    if node is None or _FORMAT_ATTRIBUTE not in node.attrs:
        stacks = ", ".join(find_stacks(file)) or "none"
        raise FormatError(
            f"{file.filename} has no h5vidstack stack at {stack}; stacks in it: {stacks}"
        )
    version = str(node.attrs[_FORMAT_ATTRIBUTE])
    try:
        major, minor = map(int, version.split("."))
    except ValueError as error:
        raise FormatError(f"{file.filename}{SEPARATOR}{stack}: bad format {version!r}") from error
    if (major, minor) > FORMAT:
        raise FormatError(
            f"{file.filename}{SEPARATOR}{stack} is of format {version}; this h5vidstack "
            f"{__version__} reads up to {FORMAT[0]}.{FORMAT[1]}: upgrade h5vidstack"
        )
    try:
        attrs = dict(node.attrs)
        attrs["settings"] = dict(json.loads(attrs["settings"]))
        shape = tuple(int(edge) for edge in attrs["shape"])
        dtype = np.dtype(str(attrs["dtype"]))
        video = node["groups/000000/video"]
        if not isinstance(video, h5py.Dataset) or video.ndim != len(shape):
            raise TypeError("groups/000000/video is no dataset of the stack's rank")
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{file.filename}{SEPARATOR}{stack} is damaged: {error}") from error
    return Layout(video, attrs, shape, dtype, node)


def find_stacks(file: h5py.File) -> list[str]:
    """Paths of the stacks in a file."""
    found = []

    def visit(name: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Group) and _FORMAT_ATTRIBUTE in node.attrs:
            found.append("/" + name)

    file.visititems(visit)
    return found


class StackWriter:
    """Write a new stack, block after block, into an open file.

    Parameters
    ----------
    file
        Open for writing.
    stack
        Path of the group to make.
    frame
        ``(H, W[, C])``.
    chunk
        ``(G, h, w[, C])``.
    coding, verify
        Recorded as the filter's parameters, for whoever extends the dataset by h5py.
    """

    def __init__(
        self,
        file: h5py.File,
        stack: str,
        frame: Shape,
        dtype: np.dtype[Any],
        chunk: Shape,
        coding: Coding,
        verify: bool,
    ) -> None:
        self._group = file.create_group(stack)
        self._frame, self._dtype = frame, dtype
        self._video = self._group.create_dataset(
            "groups/000000/video",
            shape=(0, *frame),
            maxshape=(None, *frame),
            chunks=chunk,
            dtype=dtype,
            **Video(coding.codec, coding.preset, verify=verify),
        )
        self.stored_bytes = 0

    def extend(self, frames: int) -> None:
        """Make room for `frames` frames in all."""
        self._video.resize(frames, axis=0)

    def write_block(self, offset: Shape, block: bytes) -> None:
        """Store the block of the chunk that begins at `offset`."""
        self._video.id.write_direct_chunk(offset, block)
        self.stored_bytes += len(block)

    def finish(
        self,
        crc32: npt.NDArray[np.uint32],
        method: str,
        settings: Mapping[str, Any],
        leading_shape: Shape | None,
    ) -> None:
        """Write the index and the attributes; the stack is complete after this."""
        n = len(crc32)
        group = self._group
        group["frames"] = self._video
        group["groups/000000/members"] = np.arange(n, dtype=np.uint64)
        group["index/group"] = np.zeros(n, np.uint32)
        group["index/position"] = np.arange(n, dtype=np.uint64)
        group["index/crc32"] = crc32
        if leading_shape is not None:
            group.attrs["leading_shape"] = np.array(leading_shape, np.uint64)
        group.attrs["shape"] = np.array((n, *self._frame), np.uint64)
        group.attrs["dtype"] = self._dtype.str
        group.attrs["method"] = method
        group.attrs["lossless"] = True
        group.attrs["max_error"] = 0.0
        group.attrs["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        group.attrs["creator"] = f"h5vidstack {__version__}"
        group.attrs["settings"] = json.dumps(settings)
        group.attrs[_FORMAT_ATTRIBUTE] = f"{FORMAT[0]}.{FORMAT[1]}"
