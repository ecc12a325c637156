"""The errors that h5vidstack raises on purpose: each is an :class:`Error`."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator


class Error(Exception):
    """Base class: the message says what was wrong and what would work."""


class SourceError(Error):
    """The input cannot be read as a stack of images."""


class UnsupportedError(Error):
    """The input is fine, but this version has no coding for it."""


class MetadataError(Error):
    """Names, coordinates or attributes do not fit the stack, or contradict each other."""


class OutputError(Error):
    """The output exists already or cannot be written."""


class FormatError(Error):
    """The file holds no h5vidstack stack, is damaged, or is of a newer format."""


class BlockError(Error):
    """The bytes of a block are damaged or contradict their chunk."""


class NotExactError(Error):
    """A lossless block did not decode to its input; nothing was written."""


class SelectionError(Error, IndexError):
    """NumPy would refuse this index, too."""


class AccessError(Error, OSError):
    """The system refuses access to a file: too many are open, no permission, no locks, no space.

    `errno` and `strerror` are the system's, as those of every OSError.

    Parameters
    ----------
    name
        Of the file.
    number
        The system's number of the error.
    cure
        What helps, in words.
    """

    def __init__(self, name: str, number: int, cure: str) -> None:
        super().__init__(name, number, cure)
        self.errno, self.strerror, self.filename = number, os.strerror(number), name
        word = errno.errorcode.get(number, f"error {number}")
        self._text = f"{name} cannot be used: {self.strerror} ({word}); {cure}"

    def __str__(self) -> str:
        return self._text


class FileChangedError(Error):
    """The file is no longer the one that was opened: it was replaced, or something was changed.

    Nothing of the other file is returned. Open the stack again, or call `Stack.refresh` if it grew.
    """


class ClosedError(Error, ValueError):
    """The stack was closed before this was asked of it."""


class QueryError(Error):
    """The search makes no sense: the query is no image, or there is no such hash."""


class WorkerError(Error):
    """A worker of an executor or a cluster died, is of another version, or there is none."""


class MissingError(Error, ImportError):
    """An optional package, or the native plugin, is not there; the message says how to get it."""


class RemoteError(Error):
    """A remote file cannot be reached, or its server does not do what it must."""


class RemoteWarning(UserWarning):
    """A server does not say which version of a file it sends, so that a change may go unnoticed."""


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Import what an extra of pyproject.toml brings, or raise MissingError naming it."""
    try:
        yield
    except ImportError as error:
        raise MissingError(f'{error}: pip install "h5vidstack[{name}]"') from error
