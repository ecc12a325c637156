"""What all commands share: errors in one line, output, a progress bar."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from .._version import __version__
from ..codecs.av_engine import library_versions
from ..errors import Error
from ..pool import Progress, Step
from . import colours, signals
from .grouped_help import SectionedGroup

BAR_WIDTH, LEAST_BAR = 24, 5
"""Of the bar, in characters: at most, and at least."""
DRAWN_EVERY = 0.1
"""Seconds between two states of a line that are shown, so that drawing takes no time."""


def printable(text: str) -> str:
    """Return text without what no terminal takes; damaged files may hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def say(text: str) -> None:
    """Print a line."""
    click.echo(printable(text))


class Commands(SectionedGroup):
    """Turn our errors, and the system's, into one line and exit code 1."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: D102
        with signals.handled():
            return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: D102
        extra.setdefault("color", colours.wanted())
        return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: D102
        try:
            return super().invoke(ctx)
        except (Error, OSError) as error:
            if getattr(error, "errno", 0) == errno.EPIPE:  # the reader of our output has gone
                raise
            signals.check()  # what goes wrong after a signal does so because of it
            raise click.ClickException(printable(" ".join(str(error).split()))) from error


def show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Print versions and end: a callback of an option."""
    if wanted and not ctx.resilient_parsing:
        say(f"h5vidstack {__version__}")
        for name, version in library_versions().items():
            say(f"{name} {version}")
        ctx.exit()


class _Bar:
    """One line on a terminal that says how far something has come, and for how long it has gone.

    Parameters
    ----------
    label
        What is being done, where a step does not say it.
    unit
        What is counted.
    """

    def __init__(self, label: str, unit: str = "frames") -> None:
        self._label, self._doing, self._unit = label, "", unit
        self._started = self._drawn = time.perf_counter()
        self._step: Step | None = None
        self._drawing, self._ended = threading.Lock(), threading.Event()
        self._clock = threading.Thread(target=self._tick, daemon=True, name="h5vidstack-clock")

    def tell(self, step: Step) -> None:
        """Draw it, if that is worth it."""
        now = time.perf_counter()
        doing = step.doing or self._label
        before, self._step = self._step, step
        anew = before is None or doing != self._doing or step.frames < before.frames
        if anew:
            self._started = self._started if before is None else now
            self._doing = doing
        if before is None:
            self._clock.start()
        if anew or now - self._drawn >= DRAWN_EVERY:
            self._drawn = now
            self._draw()

    def end(self) -> None:
        """Draw what it came to, and go to the next line."""
        if self._step is not None:
            self._ended.set()
            self._clock.join()
            self._draw()
            click.echo(err=True)

    def interrupted_by(self, line: str) -> None:
        """Print a line to standard output, and draw the bar again below it."""
        with self._drawing:
            if self._step is not None:
                width = shutil.get_terminal_size().columns - 1
                click.echo(f"\r{'':{width}}\r", nl=False, err=True)
            say(line)
            sys.stdout.flush()
        if self._step is not None:
            self._draw()

    def _tick(self) -> None:
        """Draw it every second: a block may take long."""
        while not self._ended.wait(1):
            with contextlib.suppress(OSError, ValueError):  # the terminal has gone
                self._draw()

    def _draw(self) -> None:
        with self._drawing:
            seconds = time.perf_counter() - self._started
            width = shutil.get_terminal_size().columns - 1
            step = self._step or Step(0, None)
            line = _progress_line(self._doing, step, seconds, width, self._unit)
            click.echo(f"\r{line[:width]:{width}}", nl=False, err=True)


def _progress_line(doing: str, step: Step, seconds: float, width: int, unit: str = "frames") -> str:
    """Say what a bar shows after so many seconds; it is drawn where the rest leaves room."""
    if step.doing and not step.frames:
        return f"{doing}  {_minutes(seconds)}"
    parts = [doing]
    parts.append(f"{step.frames}/{step.total}" if step.total else f"{step.frames} {unit}")
    parts.append(_minutes(seconds))
    if step.frames and seconds:
        rate = step.frames / seconds
        if step.total and step.frames < step.total:
            parts[-1] += f", {_minutes((step.total - step.frames) / rate)} left"
        parts.append(f"{rate:.3g} {unit}/s" if rate < 100 else f"{rate:.0f} {unit}/s")
        if step.raw_bytes:
            parts.append(f"{step.raw_bytes / seconds / 1e6:.1f} MB/s")
        if step.stored_bytes and step.raw_bytes:
            parts.append(f"ratio {step.raw_bytes / step.stored_bytes:.2f}")
    room = min(BAR_WIDTH, width - len("  ".join([*parts, "[]"])))
    if step.total and room >= LEAST_BAR:
        filled = min(room, room * step.frames // step.total)
        parts.insert(1, f"[{'#' * filled}{'-' * (room - filled)}]")
    return "  ".join(parts)


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Show a bar with rates on stderr, if that is a terminal; stop where a signal asks to."""
    with _bar(_Bar(label)) as show:
        yield show


@contextlib.contextmanager
def files_bar(label: str) -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """Show a bar that counts files; give also what prints a line while it is shown."""
    bar = _Bar(label, "files")
    with _bar(bar) as show:
        yield show, bar.interrupted_by


@contextlib.contextmanager
def _bar(bar: _Bar) -> Iterator[Progress]:
    """Give what moves a bar, and end it."""

    def show(step: Step) -> None:
        signals.check()
        if sys.stderr is not None and sys.stderr.isatty():
            bar.tell(step)

    try:
        yield show
    finally:
        bar.end()


@contextlib.contextmanager
def steps_bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show on stderr, if that is a terminal, which step runs; stop where a signal asks to."""
    with contextlib.ExitStack() as cleanup:
        bar: Any = None

        def show(done: int, total: int, doing: str) -> None:
            nonlocal bar
            signals.check()
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
