import json

import click
from commands import fails, run

from h5vidstack.cli import main


def test_options_from_the_environment(images, monkeypatch):
    monkeypatch.setenv("H5VIDSTACK_VERSION", "1")  # of somebody else
    monkeypatch.setenv("H5VIDSTACK_PACK_PROFILE", "fast")
    monkeypatch.setenv("H5VIDSTACK_PACK_NO_HASHES", "1")
    monkeypatch.setenv("H5VIDSTACK_INFO_JSON", "1")
    run("pack", "imgs", "x.h5")
    assert json.loads(run("info", "x.h5").output)["settings"]["profile"] == "fast"
    assert "hash" in fails("find", "x.h5", "--frame", "0")
    run("pack", "imgs", "x.h5", "--profile", "balanced", "--overwrite")
    assert json.loads(run("info", "x.h5").output)["settings"]["profile"] == "balanced"
    monkeypatch.setenv("H5VIDSTACK_PACK_PROFILE", "slow")
    assert "'slow' is not one of" in fails("pack", "imgs", "y.h5", code=2)


def test_every_option_has_a_variable_of_its_own():
    names = [
        option.envvar
        for command in main.commands.values()
        for option in command.params
        if isinstance(option, click.Option)
    ]
    assert len(set(names)) == len(names)
    assert {"H5VIDSTACK_CONTACT_SHEET_SIZE", "H5VIDSTACK_UNPACK_FORMAT"} < set(names)
