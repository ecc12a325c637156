"""The exceptions of tifffile, and the errors that it only logs, as errors that name the file."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from ...errors import MissingError, SourceError

_HARMLESS = (
    "TiffTag", "missing data ByteCounts tag", "raised KeyError", "OME series raised ParseError",
)  # fmt: skip
"""Words of errors that tifffile logs on tags and metadata that no frame needs. Others are checked
here."""


class TifffileLog(logging.Filter):
    """The messages that tifffile logs in this thread; they go no further."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.records: list[tuple[int, str]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the records of this thread, and let those of others pass."""
        if record.thread != self._thread:
            return record.levelno >= _levels.wanted
        self.records.append((record.levelno, record.getMessage()))
        return False

    def failure(self) -> str | None:
        """Return the first error that concerns what frames need."""
        for level, message in self.records:
            if level >= logging.ERROR and not any(word in message for word in _HARMLESS):
                return _words(message)
        return None

    def of_series(self) -> str | None:
        """Return the first message on series."""
        return next((_words(message) for _, message in self.records if "series" in message), None)

    def warnings(self) -> list[str]:
        """Return the messages on series, and other errors, as sentences."""
        said = [
            _words(message)
            for level, message in self.records
            if "series" in message or level >= logging.ERROR
        ]
        return [f"tifffile says: {message.rstrip('.')}." for message in dict.fromkeys(said)]


class _Levels:
    """The level of tifffile's logger, which is lowered while any thread listens to it."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self.wanted = self._set = logging.NOTSET

    def enter(self, logger: logging.Logger) -> None:
        with self._lock:
            if not self._users:
                self._set, self.wanted = logger.level, logger.getEffectiveLevel()
                if self.wanted > logging.WARNING:
                    logger.setLevel(logging.WARNING)
            self._users += 1

    def leave(self, logger: logging.Logger) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                logger.setLevel(self._set)


_levels = _Levels()


@contextlib.contextmanager
def tifffile_errors(path: Path, part: str = "") -> Iterator[TifffileLog]:
    """Turn what tifffile raises or only logs as an error into errors that name the file."""
    logger, log = logging.getLogger("tifffile"), TifffileLog()
    _levels.enter(logger)
    logger.addFilter(log)
    try:
        yield log
        logged = log.failure()
        if logged is not None:
            raise SourceError(logged)
    except SourceError as error:
        message = str(error)
        named = message if str(path) in message else f"{part}{path}: {message}"
        raise SourceError(
            named if part == "" else f"cannot read {part}{path}: {message}"
        ) from error
    except Exception as error:  # tifffile raises every kind of exception on damaged files
        logged = log.failure()
        message = f"{error or type(error).__name__}" + (f" ({logged})" if logged else "")
        if "imagecodecs" in message:
            raise MissingError(
                f'cannot read {part}{path}: {message}: pip install "h5vidstack[imagecodecs]"'
            ) from error
        raise SourceError(f"cannot read {part}{path}: {message}") from error
    finally:
        logger.removeFilter(log)
        _levels.leave(logger)


def _words(message: str) -> str:
    """Return a message of tifffile without the object that it begins with."""
    head, found, rest = message.partition("> ")
    return rest if found and head.startswith("<tifffile") else message
