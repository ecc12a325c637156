import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import fails, run
from frames import moving

import h5vidstack
from h5vidstack.cli import main


def test_errors_are_one_line_and_exit_code_1(images):
    run("pack", "imgs", "x.h5")
    assert "no such file" in fails("pack", "none", "y.h5")
    assert "--overwrite" in fails("pack", "imgs", "x.h5")
    assert "integers" in fails("pack", np_file(np.zeros((2, 3, 4), "c8")), "y.h5")
    assert "no such file" in fails("info", "none.h5")
    assert "not an HDF5 file" in fails("verify", "imgs/img0.png")
    assert "no such file" in fails("unpack", "none.h5", "out")
    assert "no frame 99" in fails("unpack", "x.h5", "out", "--frames", "99")
    assert "give a folder" in fails("unpack", "x.h5", "x.webp")
    Path("locked").mkdir()
    assert sorted(os.listdir()) == ["a.npy", "imgs", "locked", "x.h5"]


def np_file(array):
    np.save("a.npy", array)
    return "a.npy"


@pytest.mark.parametrize(
    "arguments",
    [
        ["pack"], ["pack", "a"], ["nonsense"], ["pack", "a", "b", "--preset", "mp5"],
        ["pack", "a", "b", "--codec", "h266"], ["pack", "a", "b", "--chunk-frames", "0"],
        ["pack", "a", "b", "--tile", "1x2x3"], ["pack", "a", "b", "--tile", "0"],
        ["unpack", "a", "b", "--frames", "x"], ["unpack", "a", "b", "--frames", "1:2:0"],
        ["pack", "a", "b", "--workers", "none"], ["demo", "--grid", "1x2"], ["info"],
    ],
)  # fmt: skip
def test_usage_errors_are_exit_code_2(arguments):
    fails(*arguments, code=2)
    assert os.listdir() == []


def test_help_and_version():
    for command in ([], ["pack"], ["unpack"], ["info"], ["verify"], ["demo"]):
        assert "Usage:" in run(*command, "--help").output
    assert f"h5vidstack {h5vidstack.__version__}\nPyAV " in run("--version").output


def test_python_m_and_a_progress_bar_only_on_a_terminal():
    np.save("a.npy", moving((40, 64, 64)))
    command = [sys.executable, "-m", "h5vidstack", "pack", "a.npy", "x.h5", "--overwrite"]
    quiet = subprocess.run(command, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 10000).decode()
    os.close(ours)
    assert "packing" in shown
    assert "40/40" in shown
    assert "frames/s" in shown


@pytest.mark.parametrize("command", ["pack", "append", "unpack", "export", "recover", "bench"])
def test_help_ends_with_examples(command):
    text = run(command, "--help").output
    examples = text.split("Examples:\n")[1].rstrip().splitlines()
    assert all(line.startswith(f"    h5vidstack {command} ") for line in examples)
    for line in examples:  # what they say is understood
        arguments = shlex.split(line.partition(" > ")[0])[2:]
        main.commands[command].make_context(command, arguments, resilient_parsing=False)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts(shell):
    made = _complete(f"{shell}_source")
    assert "h5vidstack" in made
    assert "_H5VIDSTACK_COMPLETE" in made


@pytest.mark.parametrize(
    ("words", "offered"),
    [("h5vidstack exp", "export"), ("h5vidstack pack --profile s", "small")],
)
def test_completion(words, offered):
    word = str(len(words.split()) - 1)
    made = _complete("bash_complete", COMP_WORDS=words, COMP_CWORD=word)
    assert made == f"plain,{offered}\n"


def _complete(how, **more):
    command = Path(sys.executable).with_name("h5vidstack")
    environment = {**os.environ, "_H5VIDSTACK_COMPLETE": how, **more}
    done = subprocess.run([command], env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout
