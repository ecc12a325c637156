"""The browser of this system, and what to do where there is none."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import webbrowser

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Environment variables one of which is set where Linux and the like can show a browser."""


def has_display() -> bool:
    """Whether a browser can be shown here; not in a session of ssh, unless it has a display."""
    if any(os.environ.get(name) for name in DISPLAYS):
        return True
    there = sys.platform in ("win32", "darwin")
    return there and not os.environ.get("SSH_CONNECTION")


def open_page(address: str) -> bool:
    """Open an address in the browser of this system; return whether there is one."""
    if not has_display():
        return False
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


def tunnel(port: int) -> str:
    """Return the command that makes a port of this machine one of the user's own."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # the system knows no name for it
        user = "user"
    return f"ssh -N -L {port}:127.0.0.1:{port} {user}@{socket.gethostname()}"
