"""The guide, as Sphinx builds it: `make docs`. Nothing is fetched from the network."""

import os
import re
import sys
from pathlib import Path

import click

from h5vidstack import __version__
from h5vidstack.cli import main
from h5vidstack.cli.grouped_help import GroupedCommand

project = "h5vidstack"
author = "the h5vidstack developers"
release = version = __version__

extensions = [
    "myst_nb",  # with myst_parser
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
exclude_patterns = ["requirements.txt"]
default_role = "autolink"  # `Stack` in a docstring is a link if there is such a name, else italic

myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

# Notebooks have no outputs in the repository. They run when they are read, as they do in tests.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

maximum_signature_line_length = 88
add_module_names = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False

# References to our own names must lead somewhere. Those of others would need their inventories.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!h5vidstack).*"),
    ("py:class", r".*\.(StackReader|Described|SourceFiles|Identity)"),
]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["guide.css"]
html_title = f"h5vidstack {version}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"code-font-size": "78%"},
    "dark_css_variables": {"code-font-size": "78%"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

for command in main.commands.values():
    for parameter in command.params:
        parameter.envvar = None  # each option has one, by a rule that the page says once
    if isinstance(command, GroupedCommand):  # in the order in which its help shows them
        arguments = [one for one in command.params if not isinstance(one, click.Option)]
        shown = [one for _, options in command.groups(click.Context(command)) for one in options]
        command.params = [*arguments, *(one for one in shown if "--help" not in one.opts)]


def show_examples(_app, _context, lines):
    """Put the examples of a command's help, which click leaves as they stand, into a box."""
    words = [line.lstrip("| ") for line in lines]
    if "Examples:" in words:
        found = [f"   {line}" for line in words if line not in ("", "Examples:")]
        lines[:] = [".. code-block:: text", "", *found, ""]


def mark_options(_app, _context, lines):
    """Let a command's help stand as it is: two hyphens would become a dash, a star emphasis."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(".."):
            line = line.replace("*", r"\*")
            lines[number] = re.sub(r"(?<![\w`-])(--[a-z-]+)", r"``\1``", line)


def head_groups(_app, context, lines):
    """Put the heading of a group before its first option."""
    if isinstance(context.command, GroupedCommand):
        heads = {
            options[0].opts[0]: heading for heading, options in context.command.groups(context)
        }
        found = []
        for line in lines:
            first = re.match(r"\.\. option:: (--[\w-]+)", line)
            if first and first[1] in heads:
                found += [f"*{heads[first[1]]}*", ""]
            found.append(line)
        lines[:] = found


def setup(app):
    """Say what is to be done with commands."""
    app.connect("sphinx-click-process-epilog", show_examples)
    app.connect("sphinx-click-process-description", mark_options)
    app.connect("sphinx-click-process-options", mark_options)
    app.connect("sphinx-click-process-options", head_groups)
