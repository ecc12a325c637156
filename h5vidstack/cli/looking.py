"""The command that shows a stack in the system's browser."""

from __future__ import annotations

import click

from ..stack import Stack
from ..viewing.answers import Answers
from ..viewing.page_server import PageServer
from ..viewing.system_browser import open_page, tunnel
from .options import examples
from .pipes import not_stdin
from .signals import end_tidily, wait_for_interrupt
from .terminal import say


@click.command(
    epilog=examples(
        "h5vidstack view out.h5",
        "h5vidstack view scan.nxs /entry/data/frames",
        "h5vidstack view https://host/data/out.h5 --no-browser --port 8765",
    )
)
@click.argument("file", callback=not_stdin)
@click.argument("stack", required=False)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0,
    help="Listen on this port of this machine.  [default: a free one]",
)  # fmt: skip
@click.option("--no-browser", is_flag=True, help="Open no browser; only print the address.")
def view(file: str, stack: str | None, port: int, no_browser: bool) -> None:
    """Show a stack in the browser, until Ctrl-C.

    STACK is its path in the file, where there are several. Only browsers of this machine that know
    the address can see the page. From another machine, use the ssh tunnel that is printed if there
    is no display.
    """
    with Stack(file, stack and f"/{stack.strip('/')}") as opened:
        if stack and opened.stack.strip("/") != stack.strip("/"):
            raise click.UsageError(f"{file} names a stack already; leave out {stack}")
        with PageServer(Answers(opened), port).running() as server:
            end_tidily()
            say(f"{opened.path}::{opened.stack} is shown at\n\n    {server.address}\n")
            if not no_browser and not open_page(server.address):
                say(
                    "There is no display here. To see it on another machine, run there\n\n"
                    f"    {tunnel(server.server_port)}\n\n"
                    "and open the address in a browser there.\n"
                )
            say("Ctrl-C ends this.")
            wait_for_interrupt()
