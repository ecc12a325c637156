"""What all commands share: errors in one line, output, a progress bar."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from . import colours
from ._version import __version__
from .codecs import library_versions
from .errors import Error
from .startup import asked_to_stop, interruptible
from .workers import Progress


def printable(text: str) -> str:
    """Text from a damaged file may hold what no terminal takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def say(text: str) -> None:
    """Print a line."""
    click.echo(printable(text))


class Commands(click.Group):
    """Turn our errors, and the system's, into one line and exit code 1."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: D102
        with interruptible():
            return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: D102
        extra.setdefault("color", colours.wanted())
        return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: D102
        try:
            return super().invoke(ctx)
        except (Error, OSError) as error:
            # The reader of our output has gone, or this is what HDF5 makes of a signal in a filter.
            if getattr(error, "errno", 0) == errno.EPIPE or asked_to_stop():
                raise
            raise click.ClickException(printable(" ".join(str(error).split()))) from error


def show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Print versions and end: a callback of an option."""
    if wanted and not ctx.resilient_parsing:
        say(f"h5vidstack {__version__}")
        for name, version in library_versions().items():
            say(f"{name} {version}")
        ctx.exit()


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """A bar with rate and ETA on stderr, if that is a terminal; a new one for each pass."""
    started = time.perf_counter()
    with contextlib.ExitStack() as cleanup:
        bar: Any = None

        def show(done: int, total: int | None) -> None:
            nonlocal bar, started
            if not sys.stderr.isatty():
                return
            if bar is None or done < bar.pos:
                cleanup.close()
                started = started if bar is None else time.perf_counter()
                bar = cleanup.enter_context(
                    click.progressbar(
                        length=total,
                        label=label if bar is None else f"{label}, second pass",
                        file=sys.stderr,
                        show_pos=True,
                        item_show_func=lambda rate: f"{rate:.0f} frames/s" if rate else "",
                    )
                )
            bar.update(done - bar.pos, done / max(time.perf_counter() - started, 1e-9))

        yield show


@contextlib.contextmanager
def steps_bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar of steps on stderr, if that is a terminal, that says which one runs."""
    with contextlib.ExitStack() as cleanup:
        bar: Any = None

        def show(done: int, total: int, doing: str) -> None:
            nonlocal bar
            if not sys.stderr.isatty():
                return
            if bar is None:
                bar = cleanup.enter_context(
                    click.progressbar(
                        length=total, label=label, file=sys.stderr, show_pos=True,
                        item_show_func=lambda doing: doing, update_min_steps=0,
                    )
                )  # fmt: skip
            bar.update(done - bar.pos, doing)

        yield show
