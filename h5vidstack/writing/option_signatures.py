"""The signatures and docstrings of functions that take options of packing by name."""

from __future__ import annotations

import difflib
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from .pack_options import PackOptions, about, default, kind, options_of

Taker = TypeVar("Taker", bound=Callable[..., Any])


def collected(
    taker: str, given: Mapping[str, Any], options: PackOptions | None = None
) -> PackOptions:
    """Return the options that a function was given by name, and the rest of `options`.

    Raises
    ------
    TypeError
        If the function does not take one of them.
    """
    known = options_of(taker)
    for name in [*given, *(options.given() if options is not None else ())]:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(known)}"
            raise TypeError(f"{taker}() has no option {name!r}{hint}")
    return PackOptions(**given) if options is None else replace(options, **given)


def takes_options(taker: str, **usual: Any) -> Callable[[Taker], Taker]:
    """Give a function that passes its keywords to `collected` their names and documentation.

    Parameters
    ----------
    taker
        Its name.
    usual
        Defaults that differ from those of `pack`.
    """

    def document(function: Taker) -> Taker:
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.kind != one.VAR_KEYWORD]
        taken = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=usual.get(name, default(name)),
                annotation=kind(name),
            )
            for name in options_of(taker)
        ]
        shown = signature.replace(parameters=[*own, *taken])
        function.__signature__ = shown  # type: ignore[attr-defined]
        _explain(function, taker, usual)
        return function

    return document


def _explain(documented: Any, taker: str, usual: Mapping[str, Any]) -> None:
    """Put the options into a docstring, where it has a place for them."""
    if documented.__doc__:
        place = f"<options of {taker}>"
        entries = "\n".join(_entry(name, usual.get(name)) for name in options_of(taker))
        documented.__doc__ = inspect.cleandoc(documented.__doc__).replace(place, entries)


def _entry(name: str, usual: object) -> str:
    """Return the entry of an option in a list of parameters."""
    said = about(name)
    otherwise = usual or said.usual
    shown = f"Default: {otherwise}." if otherwise else ""
    words = " ".join(filter(None, (said.text, said.more, shown)))
    return f"{name}\n{textwrap.indent(textwrap.fill(words, 92), '    ')}"


_explain(PackOptions, "pack", {})
