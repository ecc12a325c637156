"""``h5vidstack view``: what it prints, what it serves, and how it ends."""

import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from commands import fails
from frames import moving
from serving import serving

import h5vidstack

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")


class Viewing:
    """The command as it runs, until it gets a signal."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "h5vidstack", "view", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.said = ""
        while "Ctrl-C" not in self.said:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(self.said + self.process.stderr.read())
            self.said += line
        self.address = re.search(r"http://127\.0\.0\.1:\d+/\S+/", self.said)[0]

    def page(self):
        with urllib.request.urlopen(self.address, timeout=30) as answer:
            return answer.read().decode()

    def end(self, number=signal.SIGINT):
        """Send a signal; return the exit code, and what was said of an error."""
        self.process.send_signal(number)
        _, words = self.process.communicate(timeout=30)
        return self.process.returncode, words


@pytest.fixture(autouse=True)
def _no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def packed():
    h5vidstack.pack(moving((5, 30, 40)), "x.h5")
    h5vidstack.pack(moving((5, 30, 40)), "two.h5::/entry/a")
    h5vidstack.pack(moving((7, 30, 40)), "two.h5::/entry/b")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there may be a display")
def test_it_shows_a_stack_until_interrupted(packed):
    viewing = Viewing("x.h5")
    assert "x.h5::/stack is shown at" in viewing.said
    port = viewing.address.split(":")[2].split("/")[0]
    assert f"ssh -N -L {port}:127.0.0.1:{port} " in viewing.said
    assert "page.js" in viewing.page()
    assert viewing.end() == (0, "")


def test_it_is_ended_by_other_signals(packed):
    assert Viewing("x.h5", "--no-browser").end(signal.SIGTERM) == (143, "")


def test_a_stack_of_several(packed):
    for arguments in (("two.h5", "/entry/b"), ("two.h5", "entry/b"), ("two.h5::/entry/b",)):
        viewing = Viewing(*arguments, "--no-browser")
        assert "two.h5::/entry/b is shown at" in viewing.said
        assert "ssh" not in viewing.said
        assert viewing.end()[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere BROWSER is not all that counts")
def test_the_browser_is_opened(packed, monkeypatch):
    program = Path("browser")
    program.write_text('#!/bin/sh\necho "$1" > opened.txt\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", str(program.resolve()))
    viewing = Viewing("x.h5")
    assert viewing.end()[0] == 0
    assert Path("opened.txt").read_text().strip() == viewing.address
    assert "ssh" not in viewing.said


def test_a_port(packed):
    viewing = Viewing("x.h5", "--no-browser")
    port = viewing.address.split(":")[2].split("/")[0]
    assert f"port {port} cannot be used" in fails("view", "x.h5", "--no-browser", "--port", port)
    viewing.end()
    again = Viewing("x.h5", "--no-browser", "--port", port)
    assert f":{port}/" in again.address
    assert again.address != viewing.address
    again.end()


def test_a_url(packed):
    with serving() as server:
        viewing = Viewing(f"{server.url}/x.h5", "--no-browser")
        assert f"{server.url}/x.h5::/stack is shown at" in viewing.said
        assert viewing.end() == (0, "")


def test_errors_are_one_line(packed):
    for arguments in (("absent.h5",), ("x.h5", "/other"), ("two.h5",)):
        fails("view", *arguments, "--no-browser")
    assert "leave out /entry/b" in fails("view", "two.h5::/entry/a", "/entry/b", code=2)
    fails("view", "x.h5", "--port", "70000", code=2)
