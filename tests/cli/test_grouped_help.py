"""Help as people see it: on terminals of several widths, in groups, with whole sentences."""

import fcntl
import os
import struct
import subprocess
import termios

import click
import pytest
from commands import run
from terminals import command, plain_environment, pseudo_terminal

from h5vidstack.cli import SECTIONS, main
from h5vidstack.cli.grouped_help import GroupedCommand, GroupedOption
from h5vidstack.writing import pack_options
from h5vidstack.writing.option_texts import OptionGroup

WIDTHS = [60, 80, 120]
GROUPED = sorted(name for name, one in main.commands.items() if isinstance(one, GroupedCommand))


def groups_of(one):
    return one.groups(click.Context(one))


def on_a_terminal_of(width, *arguments):
    """What a command writes to a terminal of so many columns, as lines."""
    environment = plain_environment(NO_COLOR="1")
    environment.pop("COLUMNS", None)
    with pseudo_terminal() as (theirs, said):
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        subprocess.run(
            command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
    return b"".join(said).decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_all_commands_at_a_width(width):
    lines = on_a_terminal_of(width, "--help")
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    flat = " ".join(text.split())
    places = [text.index(f"\n{heading}:\n") for heading in SECTIONS]
    assert places == sorted(places)
    for name, one in main.commands.items():
        sentence = one.get_short_help_str(10_000)
        assert f"{name} {sentence}" in flat
        if width >= 80:
            assert any(line.split(maxsplit=1) == [name, sentence] for line in lines)
    assert "..." not in "\n".join(lines[1:])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["pack", "bench"])
def test_one_command_at_a_width(name, width):
    lines = on_a_terminal_of(width, name, "--help")
    helped = lines[: lines.index("  Examples:")]
    long = [line for line in helped if len(line) > width]
    assert all(line.lstrip().startswith("--") for line in long)  # all choices of an option
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    wanted = [heading for heading, _ in groups_of(main.commands[name])]
    assert headings == [f"{heading}:" for heading in wanted]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_command_shows_the_three_that_most_people_need(width):
    lines = on_a_terminal_of(width)
    assert max(map(len, lines)) <= max(width, 80)
    shown = [line.split()[1] for line in lines if line.startswith("  h5vidstack ")]
    assert shown == ["pack", "info", "unpack"]
    for line in lines:
        if line.startswith("  h5vidstack "):
            _, name, *arguments = line.split()
            main.commands[name].make_context(name, arguments)
    assert "h5vidstack --help" in " ".join(lines)
    assert run().output.splitlines() == lines


def test_every_command_is_in_a_section_and_has_examples():
    sections = [one.name for commands in SECTIONS.values() for one in commands]
    assert sorted(sections) == sorted(main.commands)
    assert len(set(sections)) == len(sections)
    for name, one in main.commands.items():
        assert "Examples:" in (one.epilog or ""), name
        assert len(one.get_short_help_str(10_000)) <= 59, name


@pytest.mark.parametrize("name", GROUPED)
def test_every_option_of_a_grouped_command_is_in_one_group(name):
    one = main.commands[name]
    groups = dict(groups_of(one))
    found = [option.opts[-1] for options in groups.values() for option in options]
    options = [option.opts[-1] for option in one.params if isinstance(option, click.Option)]
    assert sorted(found) == sorted([*options, "--help"])
    assert [option.opts[-1] for option in groups["Other options"]] == ["--help"]


def test_the_group_of_an_option_is_that_of_the_table():
    for option in main.commands["pack"].params:
        if isinstance(option, GroupedOption) and option.name in pack_options.options_of("pack"):
            assert option.group == pack_options.about(option.name).group
    assert {"pack", "append", "repack", "bench"} <= set(GROUPED)
    headings = [heading for heading, _ in groups_of(main.commands["pack"])]
    assert headings == [*(group.value for group in OptionGroup), "Other options"]


def test_click_without_groups_is_as_it_was():
    """Options that stand in no group come last, also in a command that has no others."""

    @click.command(cls=GroupedCommand)
    @click.option("--plain", is_flag=True, help="Plain.")
    @click.option("--hidden", is_flag=True, hidden=True, help="Hidden.")
    def small(plain, hidden):
        pass

    text = small.get_help(click.Context(small, info_name="small"))
    assert "Other options:\n  --plain " in text
    assert "hidden" not in text.lower()
