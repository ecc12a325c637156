"""The guide: it is built without a warning, all is in it, and its examples run.

An example is a fenced block of Python or of shell lines. Where ``% needs: NAME`` stands before it,
it runs only where that module or that name of h5vidstack is there; what needs the network never
does. ``https://host/data`` is the folder of the page, on a server. Blocks of one page run in their
order, in a folder with some input files. So do those of the README.
"""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving
from PIL import Image
from places import ROOT
from serving import serving
from videos import write_video

import h5vidstack
from h5vidstack.cli import main

DOCS = ROOT / "docs"
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
NOTEBOOKS = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.ipynb")]
BLOCK = re.compile(r"(?:^% needs: (\S+)\n\n?)?^```(python|sh)\n(.*?)^```", re.S | re.M)
TEXTS = ["README.md", *(f"docs/{page}" for page in PAGES)]
WITH_EXAMPLES = [text for text in TEXTS if BLOCK.search((ROOT / text).read_text())]
COMMAND = re.compile(r"^    (h5vidstack [a-z].*)$", re.M)


def is_there(need):
    if need is None:
        return True
    package, _, name = need.partition(".")
    if need == "network" or importlib.util.find_spec(package) is None:
        return False
    return not name or hasattr(h5vidstack, name)


@pytest.fixture
def stage():
    """What the examples read."""
    frames = moving((12, 64, 60))
    for folder, order in (
        ("images", range(12)),
        ("plates", np.random.default_rng(0).permutation(12)),
    ):
        Path(folder).mkdir()
        for number, frame in enumerate(order):
            Image.fromarray(frames[frame]).save(f"{folder}/img{number}.png")
    np.save("sim.npy", frames / np.float32(7))
    with h5py.File("raw.h5", "w") as file:
        data = file.create_group("entry/data")
        data.attrs.update(NX_class="NXdata", signal="frames")
        data.create_dataset("frames", data=moving((40, 48, 64)).astype("i4"))
    write_video("movie.mp4", 30, (48, 64), gop=10)
    h5vidstack.pack("images", "out.h5")


def run_shell(line):
    if re.search(r" [|>] ", line):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(line, shell=True, check=True, env=os.environ | {"PATH": path}, timeout=60)
        return
    program, *arguments = shlex.split(line, comments=True)
    assert program == "h5vidstack"
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, f"{line}\n{result.output}"


@pytest.mark.parametrize("text", WITH_EXAMPLES)
def test_examples_run(text, stage, capfd):
    blocks = BLOCK.findall((ROOT / text).read_text())
    names, left_out = {}, []
    if text == "docs/index.md":
        Path("out.h5").unlink()  # which is packed there
    with serving() as server:
        for need, language, code in blocks:
            if not is_there(need or None):
                left_out.append(need)
            elif language == "python":
                code = code.replace("https://host/data", server.url)
                exec(compile(code, text, "exec"), names)
            else:
                for line in code.splitlines():
                    run_shell(line)
    if left_out and len(left_out) == len(blocks):
        pytest.skip(f"{text} needs {', '.join(left_out)}")


@pytest.mark.parametrize("text", TEXTS)
def test_commands_are_understood(text):
    """Also those that do not run, which are indented: options and arguments are right."""
    for line in COMMAND.findall((ROOT / text).read_text()):
        words = re.split(r" (?:[|>]|&&) |  +#", line)[0]
        name, *arguments = shlex.split(words, comments=True)[1:]
        main.commands[name].make_context(name, arguments, resilient_parsing=False)


def test_all_pages_are_in_the_contents():
    index = (DOCS / "index.md").read_text()
    tables = re.findall(r"^```{toctree}\n(.*?)^```", index, re.S | re.M)
    listed = re.findall(r"^[^:\s].*$", "\n".join(tables), re.M)
    names = [Path(page).with_suffix("").as_posix() for page in PAGES + NOTEBOOKS]
    assert sorted([*listed, "index"]) == sorted(names)


def test_every_command_has_its_page():
    text = (DOCS / "cli.md").read_text()
    for command in main.commands:
        assert f"| `h5vidstack {command}" in text


def test_pictures_are_small():
    pictures = sorted((DOCS / "pictures").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 150_000
        assert any(f"pictures/{picture.name}" in (ROOT / text).read_text() for text in TEXTS)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The guide, built as by `make docs`, but that its notebooks do not run."""
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("guide")
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    sphinx += ["-D", "nb_execution_mode=off"]  # test_notebooks.py runs them
    done = subprocess.run(
        [*sphinx, "-d", folder / "doctrees", DOCS, folder / "html"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def test_every_public_name_is_documented(built):
    page = (built / "api.html").read_text()
    documented = set(re.findall(r'<dt class="sig[^"]*" id="h5vidstack\.(\w+)"', page))
    assert documented == set(h5vidstack.__all__)
    public = {name for name in vars(h5vidstack.Stack) if not name.startswith("_")}
    methods = set(re.findall(r'id="h5vidstack\.Stack\.(\w+)"', page))
    assert public | {"shape", "dtype", "chunks", "attrs"} <= methods


def test_every_command_and_option_is_documented(built):
    page = (built / "cli.html").read_text()
    for name, command in main.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                option = max(parameter.opts, key=len)
                assert f'id="cmdoption-h5vidstack-{name}-{option.lstrip("-")}"' in page, option
        assert f'id="h5vidstack-{name}"' in page


def test_nothing_is_loaded_from_elsewhere(built):
    for page in built.rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page.read_text())
        assert not [name for name in loaded if "//" in name]
