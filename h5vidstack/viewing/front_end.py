"""The files of the page: HTML, styles and scripts, which need no network and no build step."""

from __future__ import annotations

import importlib.resources
import re
from functools import lru_cache

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
"""The kind of each file, by its ending."""
INDEX = "index.html"
STYLE = "viewer.css"
WIDGET = "widget.js"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.M)
_EXPORT = re.compile(r"^export (?!default)", re.M)


@lru_cache
def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    folder = importlib.resources.files(__package__).joinpath("front")
    return {
        file.name: file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(tuple(KINDS))
    }


@lru_cache
def one_module(name: str) -> str:
    """Return a script and all that it imports as one module, since Jupyter loads only one.

    Imports stand in lines of their own, from files beside it, and rename nothing; so each
    script's text comes once, behind that of those it imports.

    Parameters
    ----------
    name
        The script's file.
    """
    order: list[str] = []

    def visit(file: str) -> None:
        for needed in _IMPORT.findall(files()[file]):
            if needed not in order:
                visit(needed)
        order.append(file)

    visit(name)
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", files()[file])) for file in order)
