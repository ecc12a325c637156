"""What the record of a stack says of how its frames were packed, and of which files."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codecs.av_engine import library_versions
from ..errors import SourceError
from ..metadata.description import Metadata
from ..metadata.files import SourceFiles
from ..shapes import Shape
from ..sources.source import Source

_PIECE_BYTES = 1 << 20


class Digests:
    """The SHA-256 of each file of a source, computed while its frames are packed.

    Parameters
    ----------
    source
        Files that it knows only when it was read are digested then.
    wanted
        Whether digests are wanted at all.
    target
        The file that is written. It gets no digest, because it changes meanwhile.
    """

    def __init__(self, source: Source, wanted: bool, target: Path) -> None:
        self._wanted, self._stop = wanted, threading.Event()
        self._target = target.stat() if target.exists() else None
        self._pool = ThreadPoolExecutor(1, "h5vidstack-digest")
        files = source.metadata.files
        self._begun: Future[npt.NDArray[np.uint8]] | None = None
        self._files = files
        if wanted and files is not None and files.sha256 is None:
            self._begun = self._pool.submit(self._digests, files)

    def added(self, metadata: Metadata) -> Metadata:
        """Return the metadata with the digests of its files.

        Raises
        ------
        SourceError
            If a file changed while it was read.
        """
        files = metadata.files
        if not self._wanted or files is None or files.sha256 is not None:
            return metadata
        if self._begun is None or files is not self._files:
            self._begun = self._pool.submit(self._digests, files)
        return replace(metadata, files=files.with_digests(self._begun.result()))

    def _digests(self, files: SourceFiles) -> npt.NDArray[np.uint8]:
        digests = np.zeros((len(files), 32), np.uint8)
        for number, record in enumerate(files):
            if self._stop.is_set():
                break
            if self._is_target(record.path):
                continue
            digests[number] = np.frombuffer(file_digest(record.path, self._stop), np.uint8)
            found = os.stat(record.path)
            if (found.st_size, found.st_mtime_ns) != (record.size, record.modified):
                raise SourceError(f"{record.path} changed while it was packed: pack it again")
        return digests

    def _is_target(self, path: str) -> bool:
        if self._target is None or not os.path.exists(path):
            return False
        return os.path.samestat(os.stat(path), self._target)

    def close(self) -> None:
        """End what is under way, and the thread."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)


def file_digest(path: str | os.PathLike[str], stop: threading.Event | None = None) -> bytes:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    stop
        Ends it early; what it returns then means nothing.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while (piece := file.read(_PIECE_BYTES)) and not (stop and stop.is_set()):
                digest.update(piece)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    return digest.digest()


def settings(
    *,
    method: str,
    order: str,
    codings: Sequence[str],
    chunk: Shape,
    verified: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return the settings of a stack, which a file keeps as JSON.

    Parameters
    ----------
    method
        What was asked for.
    order
        In which order frames are stored, and why, in words.
    codings
        How each pile is coded, in words.
    chunk
        Shape of a block.
    verified
        Whether each block was decoded and compared with its input.
    more
        What else there is to say.
    """
    return {
        "method": method,
        "order": order,
        "codings": list(codings),
        "chunk": chunk,
        "verified": verified,
        **more,
        "libraries": library_versions(),
    }
