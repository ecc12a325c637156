"""Colour for people who look at a terminal; `click.echo` takes it out of pipes and files.

Bold, green, magenta and red: those of the 16 that can be read on white and on black.
"""

from __future__ import annotations

import os
import re

import click

_GOOD = re.compile(r"(?<!not )\b(lossless|exact|equals?|sound)\b")
_LOSSY = re.compile(r"\b(LOSSY|exactness unknown|off by [^\s,]+)")
_BEST = re.compile(r"(?<=\s)\S+\*(?=\s|$)")
_LABEL = re.compile(r"^\S.*?(?=  )")


def wanted() -> bool | None:
    """Whether the environment wants colour; None: where the output is a terminal.

    NO_COLOR wins; FORCE_COLOR and CLICOLOR_FORCE colour pipes, too; CLICOLOR=0 is as NO_COLOR.
    """
    given = os.environ.get
    if given("NO_COLOR") or given("CLICOLOR") == "0" or given("TERM") == "dumb":
        return False
    forced = any(given(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    return True if forced else None


def heading(text: str) -> str:
    """The names of a table's columns, or another line that leads."""
    return click.style(text, bold=True)


def bad(text: str) -> str:
    """What is wrong."""
    return click.style(text, fg="red", bold=True)


def verdict(text: str) -> str:
    """A sentence in which the words that say whether pixels are exact stand out."""
    text = _GOOD.sub(lambda found: click.style(found[0], fg="green"), text)
    return _LOSSY.sub(lambda found: click.style(found[0], fg="magenta", bold=True), text)


def facts(text: str) -> str:
    """Lines of a name and a value, with two spaces between."""
    return "\n".join(
        _LABEL.sub(lambda name: heading(name[0]), verdict(line) if "coding" in line[:6] else line)
        for line in text.split("\n")
    )


def table(text: str) -> str:
    """Lines of a table: the first has the names of columns; what begins with -> was chosen."""
    first, *rest = text.split("\n")
    chosen = (click.style(row, fg="green") if row.startswith("->") else row for row in rest)
    return "\n".join([heading(first), *chosen])


def best(line: str) -> str:
    """A line of figures; the best ones have a star."""
    return verdict(_BEST.sub(lambda found: click.style(found[0], fg="green", bold=True), line))
