"""Types of the command line's options: tile sizes, bytes, frames, methods."""

from __future__ import annotations

import re
from typing import Any

import click

from ..bench.roster import ANY, all_contestants, choose
from ..errors import Error


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
