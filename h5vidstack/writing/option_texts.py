"""What is said of an option of packing: its texts, its group, and what its values are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..choosing.methods import Kept

_BESIDE_PACK = ("append", "create", "repack")
"""Functions and commands that take some of the options of `pack`."""


class OptionGroup(Enum):
    """The groups that the options of a command are shown in, in this order, by their headings."""

    WHAT = "What goes in"
    SMALL = "How small"
    EXACT = "How exact"
    FAST = "How fast"
    OUTPUT = "Output"
    MANY = "Many files"


@dataclass(frozen=True, kw_only=True)
class About:
    """What is said of an option.

    Attributes
    ----------
    group
        Among which options of a command it is shown.
    text
        What it does, for the command line and for Python.
    more
        What only Python's documentation says.
    usual
        What happens where it is not given.
    takers
        Which of `append`, `create` and `repack` take it beside `pack`.
    command
        Whether commands have it.
    negative
        What the switch does that turns it off.
    flag
        Its name on the command line, where that differs.
    choices
        All values, where they are names of a table.
    least
        The least number.
    size
        Whether it is a number of bytes, as 16G.
    metavar
        What stands for its value in a command's help.
    kept
        The kinds of packing that it means something to; empty: all.
    with_copy
        Whether it goes with `copy`, which codes nothing anew.
    """

    group: OptionGroup
    text: str
    more: str = ""
    usual: str = ""
    takers: tuple[str, ...] = _BESIDE_PACK
    command: bool = True
    negative: str = ""
    flag: str = ""
    choices: tuple[str, ...] = ()
    least: int = 1
    size: bool = False
    metavar: str | None = None
    kept: tuple[Kept, ...] = ()
    with_copy: bool = True


def option(default: Any, group: OptionGroup, text: str, **about: Any) -> Any:
    """Return the field of an option, with its default and what is said of it."""
    return field(default=default, metadata={"about": About(group=group, text=text, **about)})
