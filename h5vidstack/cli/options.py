"""Options that several commands have."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import click

from ..choosing.methods import METHODS
from ..choosing.profiles import PROFILES
from ..codecs.registry import CODECS, PRESETS
from ..writing.cluster import connect
from .option_types import Bytes, Pair

Command = TypeVar("Command", bound=Callable[..., Any])

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing output.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print machine-readable JSON.")

_CODING = (
    click.option(
        "--method", type=click.Choice(list(METHODS)),
        help="video: in their order; groupvideo: similar frames side by side; "
        "auto: what pays. "
        "Without video: hdf5, hdf5gz, hdf5gzshuffle: as HDF5 keeps them; group: differences to "
        "the mean of a pile; "
        "pca: LOSSY without --exact.  [default: auto, or the stack's own]",
    ),
    click.option(
        "--profile", type=click.Choice(list(PROFILES)),
        help="What matters, when samples of each pile decide how it is coded.  ["
        "default: balanced, or the stack's own]",
    ),
    click.option(
        "--codec", type=click.Choice(list(CODECS)), help="Choose among this one's presets."
    ),
    click.option(
        "--preset", type=click.Choice(list(PRESETS)), metavar="NAME",
        help="Exactly this coding, as x264-slow or ffv1; mp4 (MPEG-4) is LOSSY.",
    ),
    click.option(
        "--crf", type=float, metavar="Q",
        help="LOSSY x264 of this constant rate factor, 0 to 51.",
    ),
    click.option(
        "--max-error", metavar="E",
        help="LOSSY: let no pixel move by more than E; 1e-3r or 0.1%: of the range of all.",
    ),
    click.option("--explain", is_flag=True, help="Show what was tried: sizes and speeds."),
    click.option(
        "--chunk-frames", type=click.IntRange(min=1),
        help="Frames a block.  [default: 16, more if they are tiny; small: 256]",
    ),
    click.option(
        "--tile", type=Pair(2, none=True),
        help="Height and width of tiles, or 'none'.  [default: for large frames]",
    ),
    click.option(
        "--copy", is_flag=True,
        help="Keep the packets of an H.264 file as they are, if its GOPs are closed and regular.",
    ),
    click.option("--no-hashes", is_flag=True, help="Store no hash tables; 'find' needs them."),
    click.option(
        "--spool-limit", "spool_bytes", type=Bytes(), default="16G", show_default=True,
        help="Disk for frames that wait to be reordered.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=1),
        help="Blocks that are encoded at once.  [default: cores, or threads of the cluster]",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS",
        help="Encode in the workers of a dask.distributed cluster: tcp://host:8786.",
    ),
    click.option("--no-verify", is_flag=True, help="Do not decode and compare each block."),
)  # fmt: skip


_READING = (
    click.option("--gray", is_flag=True, help="Make gray of colour; of a video, keep its luma."),
    click.option(
        "--stream", type=click.IntRange(min=0), metavar="N",
        help="Of a video with several streams: read this one.  [default: as a player would]",
    ),
    click.option(
        "--accept-damaged", is_flag=True,
        help="Read damaged video, too, and record which frames are doubtful.",
    ),
)  # fmt: skip


def reading_options(command: Command) -> Command:
    """How a source is to be read."""
    for option in reversed(_READING):
        command = option(command)
    return command


def coding_options(command: Command) -> Command:
    """How frames are to be read and packed."""
    command = reading_options(command)
    for option in reversed(_CODING):
        command = option(command)
    return command


def executor(
    scheduler: str | None,
) -> contextlib.AbstractContextManager[Executor | None]:
    """That of the cluster of ``--scheduler``; None where none was named."""
    return connect(scheduler) if scheduler is not None else contextlib.nullcontext()


def examples(*lines: str) -> str:
    """An epilog of commands, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def variable(command: click.Command, option: click.Option) -> str:
    """The environment variable of an option: H5VIDSTACK_PACK_PROFILE."""
    flag = max(option.opts, key=len).lstrip("-")
    return f"H5VIDSTACK_{command.name}_{flag}".replace("-", "_").upper()


def typed(names: Sequence[str]) -> str | None:
    """The first of some parameters that the command line has: defaults may go with anything."""
    ctx = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    found = (name for name in names if ctx.get_parameter_source(name) is given)
    flag = {option.name: option.opts[-1] for option in ctx.command.params}
    return next((flag[name] for name in found), None)
