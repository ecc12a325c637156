"""The spool, which keeps the frames of a source on disk so that they can be read again."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..shapes import Pixels, frame_bytes
from .source import Access, Source

BATCH = 16
"""So many frames are kept at a time."""
FREE_SHARE = 0.5
"""A spool takes at most this share of the free space on the disk."""


class Spool(Source):
    """A source whose frames are kept in an unnamed file as they are read.

    Parameters
    ----------
    source
        It is read once, by `batches`, and not closed.
    folder
        Where the file is made.
    limit
        How many bytes the file may take. When they are used up, or the source is known to need
        more, no more frames are kept, and `access` falls to that of the source.
    """

    def __init__(self, source: Source, folder: Path, limit: int) -> None:
        self.name, self.frame, self.dtype = source.name, source.frame, source.dtype
        self.count, self.leading_shape = source.count, source.leading_shape
        self._source = source
        self._frame_bytes = frame_bytes(self.frame, self.dtype.itemsize)
        self._room = min(limit, int(shutil.disk_usage(folder).free * FREE_SHARE))
        self._full = (source.count or 1) * self._frame_bytes > self._room
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._kept = 0

    @property
    def complete(self) -> bool:
        """Whether every frame so far was kept."""
        return not self._full

    @property
    def access(self) -> Access:  # type: ignore[override]
        """What `take` can do now."""
        return Access.AGAIN if not self._full else min(self._source.access, Access.AGAIN)

    def batches(self, size: int) -> Iterator[Pixels]:  # noqa: D102
        for batch in self._source.batches(size):
            if not self._full:
                self._keep(batch)
            yield batch

    def _keep(self, batch: Pixels) -> None:
        self._room -= batch.nbytes
        if self._room < 0:
            self._full = True
            return
        try:
            self._file.seek(self._kept * self._frame_bytes)
            self._file.write(np.ascontiguousarray(batch).data)
            self._file.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._full = True
        else:
            self._kept += len(batch)

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for place, number in enumerate(numbers.tolist()):
            if number < self._kept:
                self._file.seek(number * self._frame_bytes)
                self._file.readinto(frames[place].data)
            else:
                frames[place] = self._source.take(numbers[place : place + 1])[0]
        return frames

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class Replay(Source):
    """A source that gives frames only once, read to its end and kept to be read again.

    Parameters
    ----------
    spool
        A spool of which nothing was read yet. It is not closed.

    Raises
    ------
    SourceError
        If the spool cannot keep all frames.
    """

    def __init__(self, spool: Spool) -> None:
        self.name, self.frame, self.dtype = spool.name, spool.frame, spool.dtype
        self.leading_shape, self._spool = spool.leading_shape, spool
        self.count = sum(len(batch) for batch in spool.batches(BATCH))
        if spool.access == Access.ONCE:
            raise SourceError(
                f"{spool.name} gives its frames only once and is too large to be spooled. A PCA, "
                "or the range of values for a relative maximum error, needs them twice: allow "
                "more by --spool-limit, or give an absolute maximum error"
            )
        self.access = Access.RANDOM

    def batches(self, size: int) -> Iterator[Pixels]:  # noqa: D102
        for start in range(0, self.count or 0, size):
            yield self.take(np.arange(start, min(start + size, self.count or 0)))

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:  # noqa: D102
        return self._spool.take(numbers)

    def close(self) -> None:
        """Do nothing, because the caller closes the spool."""
