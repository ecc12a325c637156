"""The README is short and has what it needs; the spec's constants are the code's."""

import re

from places import ROOT

import h5vidstack
from h5vidstack import FILTER_ID
from h5vidstack.codecs import block_format, registry
from h5vidstack.layout import stack_group


def test_readme_is_short():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert "    make demo " in text
    assert "    make test " in text


def test_what_readme_links_is_there():
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    assert len(links) > 20
    for link, source in links:
        assert (ROOT / (link or source)).is_file()


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
