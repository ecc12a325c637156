"""The README's Python runs as it stands; the spec's constants are the code's."""

import re

from places import ROOT
from serving import serving

import h5vidstack
from h5vidstack import FILTER_ID
from h5vidstack.codecs import block_format, registry
from h5vidstack.layout import stack_group


def test_readme_examples_run(capsys):
    text = (ROOT / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(examples) == 9
    names = {}
    with serving() as server:
        for example in examples:
            code = example.replace("https://host/data", server.url)
            exec(compile(code, "README.md", "exec"), names)
        assert (names["part"] == names["frames"][20:40]).all()
        assert (names["in_place"][17:19] == names["frames"][17:19]).all()
    assert (names["same"] == names["frames"][17]).all()
    assert (names["some"] == names["frames"][[40, 3, 3], 10:20, ::-1]).all()
    assert (names["mean"] == names["frames"].mean(axis=0)).all()
    assert (names["row"] == names["frames"][17, 3]).all()
    assert names["like"] == 17
    assert [one.path for one in names["report"].replaced] == ["/entry/data"]
    assert (names["array"][:] == names["frames"]).all()
    assert h5vidstack.verify("far.h5", against=names["frames"]) == []
    assert (names["joined"] == names["frames"]).all()


def test_readme_names_every_command():
    from h5vidstack.cli import main

    text = (ROOT / "README.md").read_text()
    for command in main.commands:
        assert f"h5vidstack {command}" in text or f"make {command}" in text


def test_spec_names_the_constants():
    text = (ROOT / "spec" / "format.md").read_text()
    assert f"version {stack_group.FORMAT}" in text
    assert f"**{FILTER_ID}**" in text
    assert f"`{block_format.MAGIC.decode()}`" in text
    for codec in registry.BY_ID.values():
        assert f"| {codec.id} | {codec.name} |" in text
    for preset in registry.PRESETS.values():
        assert f"{preset.id} `{preset.name}`" in text


def test_release_is_named_alike():
    version = h5vidstack.__version__
    newest = re.search(r"^## \[([\d.]+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    cited = (ROOT / "CITATION.cff").read_text()
    assert newest
    assert newest[1] == version
    assert f"version: {version}\ndate-released: {newest[2]}\n" in cited
