"""Colours of the output on a terminal; `click.echo` removes them from pipes and files.

Only bold, green, magenta and red are used, because these can be read on white and on black.
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
    """Return whether the environment wants colour; None means only on a terminal.

    NO_COLOR comes first, and CLICOLOR=0 means the same. FORCE_COLOR and CLICOLOR_FORCE also colour
    pipes.
    """
    given = os.environ.get
    if given("NO_COLOR") or given("CLICOLOR") == "0" or given("TERM") == "dumb":
        return False
    forced = any(given(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    return True if forced else None


def heading(text: str) -> str:
    """Return the headings of a table, or another leading line, in bold."""
    return click.style(text, bold=True)


def bad(text: str) -> str:
    """Return a sentence that says what is wrong, in red."""
    return click.style(text, fg="red", bold=True)


def verdict(text: str) -> str:
    """Return a sentence in which the words that say whether pixels are exact stand out."""
    text = _GOOD.sub(lambda found: click.style(found[0], fg="green"), text)
    return _LOSSY.sub(lambda found: click.style(found[0], fg="magenta", bold=True), text)


def facts(text: str) -> str:
    """Return lines of a name and a value, with the names in bold.

    Two spaces or more stand between name and value.
    """
    return "\n".join(
        _LABEL.sub(lambda name: heading(name[0]), verdict(line) if "coding" in line[:6] else line)
        for line in text.split("\n")
    )


def table(text: str) -> str:
    """Return lines of a table; the first has the headings, and a row with ``->`` was chosen."""
    first, *rest = text.split("\n")
    chosen = (click.style(row, fg="green") if row.startswith("->") else row for row in rest)
    return "\n".join([heading(first), *chosen])


def best(line: str) -> str:
    """Return a line of figures, in which the best ones, those with a star, stand out."""
    return verdict(_BEST.sub(lambda found: click.style(found[0], fg="green", bold=True), line))
