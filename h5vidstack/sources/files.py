"""Frames from files: NumPy arrays, videos, HDF5 datasets."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError, SourceError
from ..filter import check_chunks
from ..layout import (
    DEFAULT_STACK,
    SEPARATOR,
    damage_as_error,
    find_stacks,
    is_stack,
    split_target,
)
from ..opening import open_hdf5
from ..reader import Stack
from ..required_filters import require_filters
from .base import Array, ArraySource, FrameSource, LabelledFrames, Source, to_gray

VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,av1,obu,flv,asf,ogg,"
    "mxf,nut,dv,rm,wtv,yuv4mpegpipe,swf,vc1,mjpeg,nsv,roq,smk,bink,cine"
)
"""FFmpeg's names of the containers that are opened."""


def npy_source(path: Path, gray: bool) -> Source:
    """An ``.npy`` array, memory-mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    return ArraySource(array, str(path), gray=gray)


def video_source(path: Path, gray: bool) -> Source:
    """The first video stream of a file, gray or RGB by its pixel format."""
    import av

    try:
        with open_video(path) as container:
            if not container.streams.video:
                raise SourceError(f"{path} holds no video stream")
            count = container.streams.video[0].frames or None
    except av.FFmpegError as error:
        raise SourceError(
            f"{path} is no input that h5vidstack knows (images, .npy, HDF5, video): "
            f"{error.strerror}"
        ) from error
    return FrameSource(_read_video(path, gray), str(path), count, gray)


def open_video(path: Path) -> Any:
    """Open a file as a video, and as nothing else that FFmpeg reads (text, play lists)."""
    import av

    # "file:" so that a colon in the name is no protocol.
    return av.open(f"file:{path}", options={"format_whitelist": VIDEO_FORMATS})


def _read_video(path: Path, gray: bool) -> LabelledFrames:
    import av

    number = 0
    try:
        with open_video(path) as container:
            for frame in container.decode(video=0):
                yield f"frame {number} of {path}", _video_pixels(frame, gray)
                number += 1
    except av.FFmpegError as error:
        raise SourceError(f"cannot decode frame {number} of {path}: {error}") from error


def _video_pixels(frame: Any, gray: bool) -> Array:
    """Pixels of a decoded frame: plane 0 as it is for gray, else RGB by swscale."""
    layout = frame.format
    deep = max(component.bits for component in layout.components) > 8
    planar_luma = layout.is_planar and not layout.is_rgb
    if layout.name.startswith("gray") or (gray and planar_luma):
        plane = frame.planes[0]
        dtype = np.dtype(np.uint16 if deep else np.uint8)
        dtype = dtype.newbyteorder(">" if layout.is_big_endian else "<")
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        return rows[:, : plane.width].astype(dtype.newbyteorder("="))
    pixels: Array = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return to_gray(pixels) if gray else pixels


def hdf5_source(name: str, gray: bool) -> Source:
    """``file.h5::/path``: a dataset of at least three axes, or a stack."""
    path, inner = split_target(name)
    inner = inner or DEFAULT_STACK
    try:
        file = open_hdf5(str(path))
    except FormatError as error:
        raise SourceError(str(error)) from error
    with contextlib.ExitStack() as cleanup, damage_as_error(name):
        cleanup.callback(file.close)
        node = file.get(inner)
        if isinstance(node, h5py.Dataset) and node.ndim >= 3:
            check_chunks(node)
            require_filters(node, name)
            source = ArraySource(node, name, gray=gray, owner=file)
            cleanup.pop_all()  # the source closes the file
            return source
        if not is_stack(node):
            raise SourceError(
                f"{name} names no stack of images; in {path} would do: {_candidates(file)}"
            )
    stack = Stack(path, inner)
    return ArraySource(stack, name, gray=gray, owner=stack)


def remote_source(url: str, gray: bool) -> Source:
    """A stack at a URL."""
    try:
        stack = Stack(url)
    except FormatError as error:
        raise SourceError(f"{error}; of URLs only stacks are read") from error
    return ArraySource(stack, url, gray=gray, owner=stack)


def _candidates(file: h5py.File) -> str:
    """Datasets of a file that can be packed, for an error message."""
    stacks = find_stacks(file)
    found = [f"{SEPARATOR}{stack} (stack)" for stack in stacks]

    def visit(path: str, node: h5py.HLObject) -> None:
        in_a_stack = any(f"/{path}".startswith(f"{stack}/") for stack in stacks)
        if isinstance(node, h5py.Dataset) and node.ndim >= 3 and not in_a_stack:
            found.append(f"{SEPARATOR}/{path} {node.shape} {node.dtype}")

    file.visititems(visit)
    return ", ".join(found) or "none (no dataset has three axes or more)"
