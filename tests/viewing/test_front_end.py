"""The files of the page are there, name no other place, and join to one module."""

import re

import pytest

from h5vidstack.viewing.front_end import INDEX, KINDS, STYLE, WIDGET, files, one_module

SCRIPTS = [name for name in files() if name.endswith(".js")]


def test_all_files_are_there():
    assert {INDEX, STYLE, WIDGET, "page.js", "viewer.js"} <= files().keys()
    assert all(name.endswith(tuple(KINDS)) for name in files())


@pytest.mark.parametrize("name", sorted(files()))
def test_no_file_needs_the_network(name):
    assert "http:" not in files()[name]
    assert "https:" not in files()[name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_imports_are_files_beside_it(name):
    text = files()[name]
    imports = re.findall(r"^import\b.*$", text, re.M)
    assert re.findall(r'^import \{ [\w, ]+ \} from "\./[\w-]+\.js";$', text, re.M) == imports
    for needed in re.findall(r'from "\./([\w-]+\.js)"', text):
        assert needed in files()
    assert " as " not in "".join(imports)


def test_one_module_holds_each_script_once():
    text = one_module(WIDGET)
    assert "import {" not in text
    assert re.findall(r"^export .*$", text, re.M) == ["export default { render };"]
    names = re.findall(r"^(?:class|function|const|async function) (\w+)", text, re.M)
    assert len(names) == len(set(names)), "one name in two scripts"
    assert names.index("Problem") < names.index("Store") < names.index("Viewer")
    assert "asking" in names
