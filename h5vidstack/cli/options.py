"""Options that several commands have; those of packing are what `pack_options` says."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from ..errors import UnsupportedError
from ..sources.source import SourceOptions
from ..writing import pack_options
from ..writing.cluster import connect
from ..writing.option_texts import About, OptionGroup
from ..writing.pack_options import PackOptions
from .grouped_help import grouped_option
from .option_types import Bytes, CoordinateFile, Named, Pair

overwrite_option = grouped_option(
    "--overwrite", is_flag=True, group=OptionGroup.OUTPUT, help="Replace an existing output.",
)  # fmt: skip
json_option = grouped_option(
    "--json", "as_json", is_flag=True, group=OptionGroup.OUTPUT,
    help="Print machine-readable JSON.",
)  # fmt: skip

coord_option = grouped_option(
    "--coord", multiple=True, type=CoordinateFile(), group=OptionGroup.WHAT,
    help="Values for each frame, or along the axis NAME, from a CSV or .npy file; "
    "time[s]=log.csv:t names units and column.",
)  # fmt: skip

attr_option = grouped_option(
    "--attr", multiple=True, type=Named(), group=OptionGroup.WHAT,
    help="An attribute of the stack: text or a number.",
)  # fmt: skip

scheduler_option = grouped_option(
    "--scheduler", metavar="ADDRESS", group=OptionGroup.FAST,
    help="Encode in the workers of a dask.distributed cluster: tcp://host:8786.",
)  # fmt: skip


_OTHERWISE = {"executor": scheduler_option, "coords": coord_option, "attrs": attr_option}
"""Options of `pack` that a command takes in another form."""


def pack_option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return an option of `pack` as an option of a command, by what `pack_options` says of it."""
    said = pack_options.about(name)
    usual = f"  [default: {said.usual}]" if said.usual else ""
    return grouped_option(
        f"--{pack_options.flag(name)}", help=f"{said.negative or said.text}{usual}",
        group=said.group, **{"metavar": said.metavar, **_values(pack_options.kind(name), said)},
    )  # fmt: skip


def _values(kind: Any, said: About) -> dict[str, Any]:
    """Return what click needs to know of the values of an option."""
    if kind is bool:
        return {"is_flag": True}
    if said.choices:
        return {"type": click.Choice(said.choices)}
    if said.size:
        return {"type": Bytes()}
    if kind == int | None:
        return {"type": click.IntRange(min=said.least), "metavar": said.metavar or "N"}
    types = {
        float | None: click.FLOAT,
        tuple[int, int] | None: Pair(2, none=True),
    }
    return {"type": types.get(kind, click.STRING)}


def command_options(taker: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds to a command the options that `pack` or another takes."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(pack_options.options_of(taker)):
            if name in _OTHERWISE:
                command = _OTHERWISE[name](command)
            elif pack_options.about(name).command:
                command = pack_option(name)(command)
        return command

    return add


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add to a command the options that say how a source is read."""
    for field in reversed(dataclasses.fields(SourceOptions)):
        command = pack_option(field.name)(command)
    return command


@contextlib.contextmanager
def packing_options(values: dict[str, Any], scheduler: str | None = None) -> Iterator[PackOptions]:
    """Read the options of a command; a cluster works as long as the body runs.

    Raises
    ------
    click.UsageError
        If there are options that contradict ``--copy``.
    """
    named: dict[str, Any] = {}
    for name in pack_options.options_of("pack"):
        given = values.get(pack_options.flag(name).replace("-", "_"))
        if given is not None:
            named[name] = given if not pack_options.about(name).negative else not given
    for name, pairs in (("coords", values.get("coord")), ("attrs", values.get("attr"))):
        if pairs:
            named[name] = dict(pairs)
            twice = [key for key, _ in pairs if [other for other, _ in pairs].count(key) > 1]
            if twice:
                raise click.UsageError(f"{twice[0]} is given twice")
    try:
        options = PackOptions(**named)
        if options.copy and scheduler is not None:
            raise UnsupportedError(pack_options.no_copy_with("scheduler"))
    except UnsupportedError as error:
        if named.get("copy"):
            raise click.UsageError(f"--{error}") from error
        raise
    with contextlib.ExitStack() as cleanup:
        if scheduler is not None:
            workers = cleanup.enter_context(connect(scheduler))
            options = dataclasses.replace(options, executor=workers)
        yield options


def examples(*lines: str) -> str:
    """Return an epilog of commands, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def variable(command: click.Command, option: click.Option) -> str:
    """Return the environment variable of an option, as H5VIDSTACK_PACK_PROFILE."""
    flag = max(option.opts, key=len).lstrip("-")
    return f"H5VIDSTACK_{command.name}_{flag}".replace("-", "_").upper()


def typed(names: Sequence[str]) -> str | None:
    """Return the first of some parameters that was typed: defaults may go with anything."""
    ctx = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    found = (name for name in names if ctx.get_parameter_source(name) is given)
    flag = {option.name: option.opts[-1] for option in ctx.command.params}
    return next((flag[name] for name in found), None)
