"""What is known of the frames of a stack besides their pixels, read when it is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ..codecs.loss import stated_noise
from ..codecs.noise import NoiseLoss
from ..errors import FormatError, MetadataError
from ..hdf5.failures import damage_as_error
from ..layout import metadata_names, metadata_reading
from ..layout.dataset_metadata import read_dataset
from ..layout.stack_group import Layout
from ..metadata.coordinates import Column, Coordinate, texts
from ..metadata.description import Metadata, default_dims
from ..metadata.files import FileRecord, SourceFiles
from ..metadata.words import Words
from ..shapes import Shape
from .session import Session

NAME = "name"
"""The coordinate that names frames, where a user gave one."""

Value = TypeVar("Value")


class OnDemand(Mapping[str, Value], Generic[Value]):
    """A mapping whose values are read when they are asked for, and then kept.

    Parameters
    ----------
    names
        All keys.
    read
        Gives the value of a key.
    """

    def __init__(self, names: tuple[str, ...], read: Callable[[str], Value]) -> None:
        self._names, self._read = names, read
        self._known: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<{', '.join(self._names) or 'nothing'}>"


class StackSource:
    """What a stack keeps of the source that its frames came from.

    Attributes
    ----------
    words
        What the source says, verbatim, by name: ``words["ome_xml"].value``, or
        ``words["exif"][i]`` of frame i.
    """

    def __init__(self, stack: Described, names: tuple[str, ...]) -> None:
        self._stack, self._count = stack, stack.shape[0]
        self._files: tuple[SourceFiles | None] | None = None
        self.words: Mapping[str, Words] = OnDemand(names, stack.read_words)

    @property
    def table(self) -> SourceFiles | None:
        """The files as a table; None where frames came from no files."""
        if self._files is None:
            self._files = (self._stack.ask_group(metadata_reading.read_files),)
        return self._files[0]

    @property
    def files(self) -> Sequence[FileRecord]:
        """The files; empty where frames came from no files."""
        table = self.table
        return () if table is None else table

    def file(self, frame: int) -> FileRecord | None:
        """Return the file that a frame came from; None if it came from no file."""
        number, _ = self._place(frame)
        return None if number is None or self.table is None else self.table[number]

    def image(self, frame: int) -> int | None:
        """Return which image of its file a frame is, counted from 0."""
        return self._place(frame)[1]

    def _place(self, frame: int) -> tuple[int | None, int | None]:
        table = self.table
        if table is None or not len(table):
            return None, None
        return table.place(range(self._count)[frame], self._count)

    def __repr__(self) -> str:
        return f"<{len(self.files)} files; {self.words!r}>"


class Described(ABC):
    """The part of a stack that says what is known of its frames besides their pixels."""

    _described: dict[str, Any]

    @abstractmethod
    def live(self) -> Session:
        """Return the session of this process."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """``(N, H, W)`` or ``(N, H, W, C)``."""

    @property
    @abstractmethod
    def leading_shape(self) -> Shape:
        """The axes before the frame's as they were packed; usually ``(N,)``."""

    def ask_group(self, question: Callable[[Any], Value]) -> Value | None:
        """Give what a function finds in the stack's group; None for a bare dataset."""

        def ask(layout: Layout) -> Value | None:
            return None if layout.group is None else question(layout.group)

        file = self.live().file
        with damage_as_error(file.name):
            return file.ask(ask)

    @property
    def of_dataset(self) -> Metadata | None:
        """What a dataset says of itself that has a path of its own; None for frames in a stack."""

        def ask(layout: Layout) -> Metadata | None:
            if layout.group is not None and layout.beside is None:
                return None
            return read_dataset(layout.piles[0].data, layout.leading_shape, layout.shape[1:])

        def found() -> Metadata | None:
            file = self.live().file
            with damage_as_error(file.name):
                return file.ask(ask)

        return self._kept("of_dataset", found)

    @property
    def noise(self) -> NoiseLoss | None:
        """How far pixels moved in units of their own noise, if they were packed by ``0.5s``.

        Its `model` says how large the noise of a pixel is: ``stack.noise.model.sigma(stack[0])``.
        None where no such bound holds for all frames, as of a lossless stack.
        """
        return stated_noise(self.live().file.attrs)

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of all axes of `nd`: those that count frames, then rows, columns, samples."""
        if self.of_dataset is not None:
            return self.of_dataset.dims
        axes = len(self.leading_shape), len(self.shape) - 1
        named: tuple[str, ...] = self.live().file.attrs.get(metadata_names.DIMS, ())
        return named if len(named) == sum(axes) else default_dims(*axes)

    @property
    def coords(self) -> Mapping[str, Coordinate]:
        """Values along axes, by name: arrays with `dims` and `attrs`, read when asked for."""
        if self.of_dataset is not None:
            return self.of_dataset.coords
        attrs = self.live().file.attrs
        names = map(metadata_names.user_name, attrs.get(metadata_names.COORDS, ()))
        return self._kept("coords", lambda: OnDemand(tuple(names), self._read_coordinate))

    @property
    def source(self) -> StackSource:
        """What the stack keeps of the source that its frames came from."""
        return self._kept(
            "source",
            lambda: StackSource(self, self.ask_group(metadata_reading.word_names) or ()),
        )

    @property
    def names(self) -> npt.NDArray[np.str_] | None:
        """A name for each frame, ``(N,)``: the coordinate ``name``, or that of its file.

        None where frames have no names, or several came from one file.
        """
        if NAME in self.coords:
            return self.coords[NAME].values
        table = self.source.table
        found = None if table is None else table.names(self.shape[0])
        return None if found is None else texts(found)

    @property
    def metadata(self) -> Metadata:
        """All of this together, as `pack` passes it on."""
        if self.of_dataset is not None:
            return self.of_dataset
        attrs = self.live().file.attrs
        return Metadata(
            self.dims,
            dict(self.coords),
            metadata_reading.user_attributes(attrs),
            dict(self.source.words),
            self.source.table,
        )

    def read_words(self, name: str) -> Words:
        """Return what the source says under a name."""

        def read(start: int, stop: int) -> bytes:
            return (
                self.ask_group(
                    lambda group: metadata_reading.read_word_bytes(group, name, start, stop)
                )
                or b""
            )

        words = self.ask_group(lambda group: metadata_reading.read_words(group, name, read))
        if words is None:
            raise KeyError(name)
        return words

    def _read_coordinate(self, name: str) -> Coordinate:
        frames = self.shape[0] if self.live().file.live else None
        known: list[Column] = []

        def load() -> Column:
            if not known:
                values = self.ask_group(
                    lambda group: metadata_reading.read_column(group, name, frames)
                )
                known.append(np.empty(0) if values is None else values)
            return known[0]

        found = self.ask_group(
            lambda group: metadata_reading.read_coordinate(group, name, load, frames)
        )
        if found is None:
            raise KeyError(name)
        self._check(name, found)
        return replace(found, load=load)

    def _check(self, name: str, coordinate: Coordinate) -> None:
        """See that a coordinate has the lengths of its axes.

        Another program may have added frames, and not their columns.
        """
        try:
            Metadata(self.dims, {name: coordinate}).checked(self.leading_shape, self.shape[1:])
        except MetadataError as error:
            raise FormatError(
                f"{self.live().file.name}: {error}; 'h5vidstack recover' makes a stack that "
                "is complete"
            ) from error

    def _kept(self, name: str, make: Callable[[], Value]) -> Value:
        """Return what is made once as long as the stack is as it is."""
        if name not in self._described:
            self._described[name] = make()
        value: Value = self._described[name]
        return value
