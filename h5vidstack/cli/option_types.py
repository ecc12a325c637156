"""Types of the command line's options: tile sizes, bytes, frames, methods, metadata."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from ..bench.roster import ANY, all_contestants, choose
from ..errors import Error, MetadataError
from ..metadata.column_file import read_column, split_units


class Pair(click.ParamType):  # type: ignore[type-arg]
    """``HxW``, or one number for both; ``none`` where that is allowed."""

    name = "HxW"

    def __init__(self, parts: int, none: bool = False) -> None:
        self._parts, self._none = parts, none

    def convert(  # noqa: D102
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if self._none and value == "none":
            return (0,) * self._parts
        try:
            numbers = tuple(int(part) for part in value.lower().split("x"))
        except ValueError:
            numbers = ()
        if len(numbers) == 1:
            numbers *= self._parts
        if len(numbers) != self._parts or min(numbers) < 1:
            form = "x".join(["N"] * self._parts)
            self.fail(f"{value!r} is not of the form {form} with numbers above 0", param, ctx)
        return numbers


class Bytes(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: ``500M``, ``16G``, ``0``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: D102
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)i?b?", value.lower())
        if found is None:
            self.fail(f"{value!r} is not a size; write 500M, 16G or a number of bytes", param, ctx)
        return int(float(found[1]) * 1024 ** " kmgt".index(found[2] or " "))


class Frames(click.ParamType):  # type: ignore[type-arg]
    """``10:20:2``, ``17`` or ``1,5,9``."""

    name = "A:B:STEP"

    def convert(  # noqa: D102
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> slice | list[int]:
        try:
            if ":" not in value:
                return [int(part) for part in value.split(",")]
            parts = [int(part) if part else None for part in value.split(":")]
            if len(parts) > 3 or (len(parts) == 3 and parts[2] == 0):
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is not of the form 10:20, 10:20:2, 17 or 1,5,9", param, ctx)
        return slice(*parts)


class Named(click.ParamType):  # type: ignore[type-arg]
    """``NAME=VALUE``, as a pair."""

    name = "NAME=VALUE"

    def convert(  # noqa: D102
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, given, text = value.partition("=")
        if not given or not name.strip():
            self.fail(f"{value!r} is not of the form {self.name}", param, ctx)
        return self.read(name.strip(), text, param, ctx)

    def read(
        self, name: str, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Return name and value; JSON's numbers, lists and truth values are what they are there."""
        try:
            value = json.loads(text)
        except ValueError:
            return name, text
        return name, text if isinstance(value, dict) or value is None else value


class CoordinateFile(Named):
    """``NAME=FILE`` or ``NAME[UNITS]=FILE:COLUMN``, as the name and what `pack` takes."""

    name = "NAME=FILE"

    def read(  # noqa: D102
        self, name: str, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        name, units = split_units(name)
        path, _, column = text, "", None
        if not Path(text).exists() and ":" in text:
            path, _, column = text.rpartition(":")
        try:
            values, own = read_column(Path(path), name, column)
        except MetadataError as error:
            self.fail(str(error), param, ctx)
        return name, (values, {"units": units or own} if units or own else {})


class Methods(click.ParamType):  # type: ignore[type-arg]
    """Names of rows of `bench`, separated by commas."""

    name = "A,B,..."

    def convert(  # noqa: D102
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        names = [name.strip() for name in value.split(",") if name.strip()]
        try:
            choose(all_contestants(ANY), names, False)
        except Error as error:
            self.fail(str(error), param, ctx)
        if not names:
            self.fail("it names no method; leave it out for all of ours", param, ctx)
        return names
