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
from .terminal import Commands, show_version
from .whole_files import repack


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=show_version,
    help="Show the versions of h5vidstack, PyAV and FFmpeg.",
)
def main() -> None:
    """Keep large stacks of similar images in one exact, small HDF5 file.

    SRC is a folder or glob of images, a multi-page TIFF, .npy, a video file,
    file.h5::/dataset, or another stack. A stack is file.h5 or file.h5::/path.
    """


for _command in (
    pack, append, link, unpack, export, repack, recover, rehash, remap,
    info, list_stacks, view, find, contact_sheet, verify, check, references,
    bench, demo, plugin_path,
):  # fmt: skip
    main.add_command(_command)
    for _option in _command.params:
        if isinstance(_option, click.Option):
            # Not click's auto_envvar_prefix: that goes by our names of variables, and would take
            # H5VIDSTACK_VERSION for a wish to see the version.
            _option.envvar = variable(_command, _option)
