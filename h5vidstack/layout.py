"""Names inside the HDF5 file: the only module that knows them (spec/format.md, "Layout")."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
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

HDF5_ERRORS = (OSError, RuntimeError, LookupError, TypeError, ValueError)
"""What h5py raises on a damaged file."""

_FORMAT_ATTRIBUTE = "h5vidstack_format"


def split_target(target: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split ``file.h5::/path`` into the file and the path inside it (None if not given)."""
    name = os.fsdecode(target)
    if SEPARATOR in name and os.path.isfile(name):  # its very name has the two colons
        return Path(name), None
    path, found, inner = name.partition(SEPARATOR)
    return Path(path), "/" + inner.strip("/") if found else None


@dataclass(frozen=True)
class Layout:
    """What a reader needs of a stack in an open file.

    Attributes
    ----------
    video
        The chunked dataset that holds the frames in order. Its shape and dtype are the
        stack's: frames that were appended to it through h5py are read, too.
    attrs
        The stack's attributes; `settings` already parsed, empty if it cannot be.
    leading_shape
        The axes before the frame's as they were packed; usually ``(N,)``.
    group
        The stack's group; None for a bare dataset.
    """

    video: h5py.Dataset
    attrs: Mapping[str, Any]
    leading_shape: Shape
    group: h5py.Group | None

    def crc32(self) -> npt.NDArray[np.uint32] | None:
        """CRC-32 of the raw bytes of each frame, shape ``(N,)``.

        None for a bare dataset, and for a table of which `problems` tells that it is bad.
        """
        if self.group is None:
            return None
        try:
            sound = not any(_table_problems(self.group, "index/crc32", self.video.shape[0], None))
            return self.group["index/crc32"][()] if sound else None
        except HDF5_ERRORS:
            return None

    def problems(self) -> Iterator[str]:
        """Say where the tables of the stack contradict each other."""
        if self.group is None:
            return
        n = self.video.shape[0]
        if tuple(self.attrs["shape"]) != self.video.shape:
            yield f"the video has shape {self.video.shape}, the attribute {self.attrs['shape']}"
        if math.prod(self.attrs.get("leading_shape", (n,))) != n:
            yield f"the product of leading_shape {self.attrs['leading_shape']} is not {n}"
        expected: dict[str, Callable[[], npt.NDArray[Any]] | None] = {
            "index/group": lambda: np.zeros(n),
            "index/position": lambda: np.arange(n),
            "groups/000000/members": lambda: np.arange(n),
            "index/crc32": None,
        }
        for name, values in expected.items():
            try:
                yield from _table_problems(self.group, name, n, values)
            except HDF5_ERRORS as error:
                yield f"{name} cannot be read: {error}"
        try:
            linked = self.group["frames"].id == self.video.id
        except HDF5_ERRORS:
            linked = False
        if not linked:
            yield "frames is not a hard link to groups/000000/video"


def _table_problems(
    group: h5py.Group, name: str, n: int, values: Callable[[], npt.NDArray[Any]] | None
) -> Iterator[str]:
    table = group.get(name)
    if not isinstance(table, h5py.Dataset):
        yield f"{name} is missing"
    elif table.shape != (n,) or table.dtype.kind != "u":
        yield f"{name} has shape {table.shape} {table.dtype}, not ({n},) unsigned"
    else:
        found = table[()]
        wrong = np.flatnonzero(found != (found if values is None else values()))
        if len(wrong):
            yield f"{name} is wrong at {len(wrong)} of {n} frames, first at {wrong[0]}"


@contextlib.contextmanager
def damage_as_error(name: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into a FormatError."""
    try:
        yield
    except HDF5_ERRORS as error:
        raise FormatError(f"{name} is damaged: {error}") from error


def open_layout(file: h5py.File, stack: str) -> Layout:
    """Find a stack, or a dataset that the filter codes, in an open file.

    Raises
    ------
    FormatError
        If there is none at `stack`, or it is damaged or of a newer format.
    """
    name = f"{file.filename}{SEPARATOR}{stack}"
    with damage_as_error(name):
        node = file.get(stack)
        if isinstance(node, h5py.Dataset):
            if stored_coding(node) is None:
                raise FormatError(f"{name} is a dataset without h5vidstack's filter")
            return Layout(node, {}, node.shape[:1], None)
        if not is_stack(node):
            stacks = ", ".join(find_stacks(file)) or "none"
            raise FormatError(
                f"{file.filename} has no h5vidstack stack at {stack}; stacks in it: {stacks}"
            )
        _check_version(str(node.attrs[_FORMAT_ATTRIBUTE]), name)
        attrs = _read_attributes(node)
        video = node["groups/000000/video"]
        if not isinstance(video, h5py.Dataset):
            raise TypeError("groups/000000/video is no dataset")
        if video.shape[1:] != attrs["shape"][1:] or video.dtype != np.dtype(attrs["dtype"]):
            raise ValueError(
                f"the video is {video.shape} {video.dtype}, "
                f"the attributes say {attrs['shape']} {attrs['dtype']}"
            )
        leading = attrs.get("leading_shape", video.shape[:1])
        # After frames were appended the axes before have no meaning.
        leading = leading if math.prod(leading) == video.shape[0] else video.shape[:1]
        return Layout(video, attrs, leading, node)


def is_stack(node: Any) -> bool:
    """Whether a node of an HDF5 file is a stack's group."""
    return isinstance(node, h5py.Group) and _FORMAT_ATTRIBUTE in node.attrs


def _check_version(version: str, name: str) -> None:
    try:
        major, minor = map(int, version.split("."))
    except ValueError as error:
        raise FormatError(f"{name}: bad format {version!r}") from error
    if (major, minor) > FORMAT:
        raise FormatError(
            f"{name} is of format {version}; this h5vidstack {__version__} reads up to "
            f"{FORMAT[0]}.{FORMAT[1]}: upgrade h5vidstack"
        )


def _read_attributes(group: h5py.Group) -> dict[str, Any]:
    """Attributes as plain Python values of the types that the format prescribes."""
    attrs = dict(group.attrs)
    for name in ("shape", "leading_shape"):
        if name in attrs:
            attrs[name] = tuple(int(edge) for edge in attrs[name])
    for name, kind in {"lossless": bool, "max_error": float}.items():
        attrs[name] = kind(attrs[name])
    for name in ("dtype", "method", "created", "creator"):
        attrs[name] = str(attrs[name])
    try:  # for people: what is in it is never needed
        attrs["settings"] = dict(json.loads(attrs.get("settings", "{}")))
    except (TypeError, ValueError):
        attrs["settings"] = {}
    return attrs


def find_stacks(file: h5py.File) -> list[str]:
    """Paths of the stacks in a file."""
    found = []

    def visit(name: str, node: h5py.HLObject) -> None:
        if is_stack(node):
            found.append("/" + name)

    with damage_as_error(file.filename):
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
