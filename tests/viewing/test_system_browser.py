"""Whether there is a browser, and what to do if not."""

import sys
import webbrowser

import pytest

from h5vidstack.viewing import system_browser
from h5vidstack.viewing.system_browser import has_display, open_page, tunnel


@pytest.fixture
def bare(monkeypatch):
    for name in (*system_browser.DISPLAYS, "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(("platform", "ssh", "shown"), [
    ("linux", False, False), ("linux", True, False), ("darwin", False, True),
    ("darwin", True, False), ("win32", False, True),
])  # fmt: skip
def test_displays(bare, platform, ssh, shown):
    bare.setattr(sys, "platform", platform)
    if ssh:
        bare.setenv("SSH_CONNECTION", "10.0.0.1 5 10.0.0.2 22")
    assert has_display() == shown
    bare.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()


def test_open(bare):
    opened = []
    bare.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    bare.setattr(sys, "platform", "linux")
    assert not open_page("http://127.0.0.1:1/x/")
    bare.setenv("DISPLAY", ":0")
    assert open_page("http://127.0.0.1:1/x/")
    assert opened == ["http://127.0.0.1:1/x/"]

    def fails(_):
        raise webbrowser.Error("no browser")

    bare.setattr(webbrowser, "open", fails)
    assert not open_page("http://127.0.0.1:1/x/")


def test_tunnel(monkeypatch):
    assert tunnel(8765).startswith("ssh -N -L 8765:127.0.0.1:8765 ")

    def nobody():
        raise OSError("no such user")

    monkeypatch.setattr(system_browser.getpass, "getuser", nobody)
    assert " user@" in tunnel(1)
