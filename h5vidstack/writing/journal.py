"""The journal of a `pack`: what it made, kept beside its output so that a resumed run has it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..choosing.trials import ChosenRecipe
from ..codecs.recipe import Recipe
from ..codecs.registry import Coding
from ..codecs.transforms import Colour, Predictor
from ..layout.output import errors_of_writing, lock
from ..shapes import Pixels
from .coders import BlockCoder, Coder

_HEADER = struct.Struct("<32sII")
"""Key, length and CRC-32 of a record, whose bytes follow."""


class Journal:
    """Encoded blocks, found by their frames and recipe, and choices, found by their samples.

    Each is added as soon as it is made. A record that was not written to its end is dropped when
    the journal is opened again.

    Parameters
    ----------
    path
        The journal's file, which is locked while it is open.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._guard = path, threading.Lock()
        self._known: dict[bytes, tuple[int, int]] = {}
        flags = (
            os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        )  # a link may lead to another's file
        self._file = open(os.open(path, flags, 0o666), "r+b", buffering=0)  # noqa: SIM115
        try:
            lock(self._file, path)
            self._end = self._read()
            self._file.truncate(self._end)
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        return len(self._known)

    def _read(self) -> int:
        """Note what is there; return where the last whole record ends."""
        at, size = 0, os.fstat(self._file.fileno()).st_size
        while at + _HEADER.size <= size:
            key, length, crc = _HEADER.unpack(self._at(at, _HEADER.size))
            start = at + _HEADER.size
            if start + length > size or zlib.crc32(key + self._at(start, length)) != crc:
                break
            self._known[key] = start, length
            at = start + length
        return at

    def _at(self, start: int, length: int) -> bytes:
        with self._guard:
            self._file.seek(start)
            return self._file.read(length)

    def find(self, key: bytes) -> bytes | None:
        """Return the bytes of a record, if it is there."""
        return self._at(*self._known[key]) if key in self._known else None

    def add(self, key: bytes, data: bytes) -> None:
        """Keep some bytes."""
        record = _HEADER.pack(key, len(data), zlib.crc32(key + data)) + data
        with self._guard, errors_of_writing(self._path):
            self._file.seek(self._end)
            written = 0
            try:
                while written < len(record):  # a disk may take a part of it, and then nothing
                    written += self._file.write(record[written:])
            except OSError:
                self._file.truncate(self._end)  # so that other threads may still add theirs
                raise
            self._known[key] = self._end + _HEADER.size, len(data)
            self._end += len(record)

    def choice(
        self,
        samples: Sequence[Pixels],
        wish: str,
        template: Recipe,
        choose: Callable[[], ChosenRecipe],
    ) -> ChosenRecipe:
        """Return what was chosen for such samples before, or choose now."""
        what = hashlib.sha256(f"choice {template!r} {wish}".encode())
        for sample in samples:
            what.update(f"{sample.shape} {sample.dtype.str}".encode() + sample.tobytes())
        known = self.find(what.digest())
        if known is not None:
            found = json.loads(known)
            recipe = replace(
                template,
                top=Coding(found["top"]),
                low=Coding(found["low"]),
                predictor=Predictor(found["predictor"]),
                colour=Colour(found["colour"]),
            )
            return ChosenRecipe(recipe=recipe)
        choice = choose()
        recipe = choice.recipe
        kept = {
            "top": recipe.top.preset,
            "low": recipe.low.preset,
            "predictor": recipe.predictor.value,
            "colour": recipe.colour.value,
        }
        self.add(what.digest(), json.dumps(kept).encode())
        return choice

    def close(self) -> None:
        """Close the file; it stays."""
        self._file.close()


class ResumingCoder(BlockCoder):
    """A coder that takes blocks out of the journal, after it decoded and compared them.

    Parameters
    ----------
    coder
        Says how blocks are coded.
    maker
        Codes what the journal lacks: the coder, or one that has workers do it.
    journal
        Keeps the blocks.
    """

    def __init__(self, coder: BlockCoder, maker: Coder, journal: Journal) -> None:
        super().__init__(coder.recipe, coder.verify)
        self._maker, self._journal = maker, journal

    def encode(self, tile: Pixels, corner: tuple[int, int]) -> tuple[bytes, Pixels | None]:
        """See `Coder`."""
        what = f"{self.recipe!r} {tile.shape} {tile.dtype.str}"
        key = hashlib.sha256(what.encode() + tile.tobytes()).digest()
        known = self._journal.find(key)
        if known is not None:
            found = self.check(tile, known)
            if found is not None:
                return found
        made = self._maker.encode(tile, corner)
        self._journal.add(key, made[0])
        return made


@contextlib.contextmanager
def resumable(target: Path, stack: str) -> Iterator[Journal]:
    """Give the journal of an output; it is removed if the body succeeds, and stays otherwise."""
    inner = stack.strip("/").replace("/", ".")[:100]
    path = target.parent / f".{target.name[:100]}.{inner}.resume"
    with errors_of_writing(path):
        journal = Journal(path)
    try:
        yield journal
        path.unlink()
    except BaseException:
        if not len(journal):
            path.unlink(missing_ok=True)
        raise
    finally:
        journal.close()
