import re

import pytest
from terminals import on_a_terminal, out

from h5vidstack.cli import colours

ANSI = re.compile(rb"\x1b\[[0-9;]*m")


def test_colour_on_a_terminal(packed, plain):
    shown = on_a_terminal("info", "x.h5")
    assert b"\x1b[1m" in shown
    assert ANSI.sub(b"", shown) == out("info", "x.h5")
    assert b"\x1b[" not in on_a_terminal("info", "x.h5", NO_COLOR="1")


@pytest.mark.parametrize(
    "arguments",
    [("info", "x.h5", "--groups"), ("info", "lossy.h5"), ("find", "x.h5", "--frame", 3),
     ("check", "x.h5", "--against", "a.npy"), ("verify", "x.h5")],
)  # fmt: skip
def test_colour_is_added_and_nothing_else(packed, arguments, plain):
    piped = out(*arguments)
    plain.setenv("FORCE_COLOR", "1")
    shown = out(*arguments)
    assert b"\x1b[" in shown
    assert b"\x1b[" not in piped
    assert ANSI.sub(b"", shown) == piped
    assert b"\x1b[" not in out("info", "x.h5", "--json")


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [({}, None), ({"NO_COLOR": ""}, None), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
     ({"FORCE_COLOR": "3"}, True), ({"FORCE_COLOR": "0"}, None), ({"CLICOLOR_FORCE": "1"}, True),
     ({"CLICOLOR": "0"}, False), ({"CLICOLOR": "1"}, None), ({"TERM": "dumb"}, False)],
)  # fmt: skip
def test_what_the_environment_wants(environment, wanted, plain):
    for name, value in environment.items():
        plain.setenv(name, value)
    assert colours.wanted() is wanted


def test_words_that_say_no_are_not_green():
    assert colours.verdict("not exact") == "not exact"
    assert colours.verdict("exact") != "exact"
    assert "35" in colours.verdict("LOSSY, max error 2")
    assert colours.best("video  1.5*  2.5") == "video  \x1b[32m\x1b[1m1.5*\x1b[0m  2.5"
