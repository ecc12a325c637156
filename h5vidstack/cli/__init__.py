"""The command line: what it takes and what it prints; the work is done elsewhere."""

from __future__ import annotations

import click

from .inspection import (
    check,
    contact_sheet,
    find,
    info,
    list_stacks,
    plugin_path,
    references,
    verify,
)
from .looking import view
from .making import append, export, link, pack, recover, rehash, remap, unpack
from .options import variable
from .performance import bench, demo
from .terminal import Commands, say, show_version
from .whole_files import repack

SECTIONS = {
    "Make a stack": (pack, append, link, repack),
    "Look into it": (info, list_stacks, view, find, contact_sheet),
    "Take frames out": (unpack, export, references),
    "Check and mend it": (verify, check, recover, rehash, remap),
    "Try": (demo, bench, plugin_path),
}
"""All commands, in the sections in which `h5vidstack --help` shows them."""

INTRODUCTION = """\
h5vidstack keeps large stacks of similar images in one exact, small HDF5 file.

Pack images, a video or an array into a stack:
  h5vidstack pack images/ out.h5
See what is in it:
  h5vidstack info out.h5
Write its frames out again:
  h5vidstack unpack out.h5 frames/

In Python, h5vidstack.open("out.h5") is an array of the frames.
More: "h5vidstack --help" lists all commands, "h5vidstack pack --help" explains
one with all of its options and examples.
"""
"""What `h5vidstack` alone says."""


@click.group(
    cls=Commands,
    sections=SECTIONS,
    invoke_without_command=True,
    subcommand_metavar="COMMAND ...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=show_version,
    help="Show the versions of h5vidstack, PyAV and FFmpeg.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Keep large stacks of similar images in one exact, small HDF5 file.

    SRC is a folder or glob of images, a multi-page TIFF, .npy, a video file,
    file.h5::/dataset, or another stack. A stack is file.h5 or file.h5::/path.
    """
    if ctx.invoked_subcommand is None:
        say(INTRODUCTION.rstrip())


for _command in main.commands.values():
    for _option in _command.params:
        if isinstance(_option, click.Option):
            # Not click's auto_envvar_prefix: that goes by our names of variables, and would take
            # H5VIDSTACK_VERSION for a wish to see the version.
            _option.envvar = variable(_command, _option)
