"""Help in groups: the options of a command by what they are for, and the commands by their job.

Click knows no groups. Libraries that add them (cloup, rich-click, click-option-group) bring more
than these few lines replace, and the guide, which Sphinx makes, would not show their groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from ..writing.option_texts import OptionGroup

_NAMES = 24
"""Width of the column of names, which is the same in all groups; longer names get a line each."""
_WHOLE = 10_000
"""More letters than the first sentence of any command's help has."""


class GroupedOption(click.Option):
    """An option of a command that stands in one of the groups of its help."""

    def __init__(self, *flags: Any, group: OptionGroup, **about: Any) -> None:
        super().__init__(*flags, **about)
        self.group = group


def grouped_option(
    *flags: str, group: OptionGroup, **about: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return `click.option` of an option that stands in a group."""
    return click.option(*flags, cls=GroupedOption, group=group, **about)


class GroupedCommand(click.Command):
    """A command whose help shows its options in groups."""

    def groups(self, ctx: click.Context) -> Iterator[tuple[str, list[click.Parameter]]]:
        """Yield the heading of each group that has options, and these in their order."""
        headings = [*(group.value for group in OptionGroup), "Other options"]
        shown: dict[str, list[click.Parameter]] = {heading: [] for heading in headings}
        for option in self.get_params(ctx):
            if isinstance(option, GroupedOption):
                shown[option.group.value].append(option)
            elif isinstance(option, click.Option):
                shown[headings[-1]].append(option)
        return ((heading, options) for heading, options in shown.items() if options)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each group of options under its heading."""
        for heading, options in self.groups(ctx):
            records = filter(None, (option.get_help_record(ctx) for option in options))
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{_NAMES}}", text) for name, text in records], _NAMES)


class SectionedGroup(click.Group):
    """A group of commands whose help shows them in sections, each with its whole first sentence.

    Parameters
    ----------
    sections
        The commands under each heading, in the order in which they are shown.
    """

    def __init__(
        self, *arguments: Any, sections: Mapping[str, tuple[click.Command, ...]], **about: Any
    ) -> None:
        super().__init__(*arguments, **about)
        self.sections = sections
        for commands in sections.values():
            for command in commands:
                self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section, with names in one column in all of them."""
        width = max(map(len, self.commands))
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{command.name:{width}}", command.get_short_help_str(_WHOLE))
                        for command in commands
                    ]
                )
