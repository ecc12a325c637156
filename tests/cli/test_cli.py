"""The command line: what it prints, and its exit codes."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving
from PIL import Image

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.layout.writer import StackWriter


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def fails(*arguments, code=1):
    result = run(*arguments, code=code)
    if code == 1:
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


@pytest.fixture
def images():
    frames = moving((20, 17, 23))
    Path("imgs").mkdir()
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(f"imgs/img{i}.png")
    return frames


def test_the_whole_road(images):
    assert "20 x 17 x 23 uint8" in run("pack", "imgs", "x.h5").output
    assert "equal to imgs" in run("verify", "x.h5", "--against", "imgs").output
    table = run("info", "x.h5").output
    for words in ("20 x 17 x 23 uint8", "video, ", "lossless", "ratio", "2 of 16 x 17 x 23"):
        assert words in table
    run("unpack", "x.h5", "x.npy", "--frames", "10:20:2")
    np.testing.assert_array_equal(np.load("x.npy"), images[10:20:2])
    run("unpack", "x.h5", "out", "--format", "tiff", "--frames", "3,-1")
    assert sorted(os.listdir("out")) == ["frame_000003.tiff", "frame_000019.tiff"]


def test_several_sources_as_a_shell_expands_them(images):
    run("pack", *sorted(Path("imgs").iterdir()), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], images)


def test_json(images):
    report = json.loads(run("pack", "imgs", "x.h5::/entry/s", "--json").stdout)
    assert report["shape"] == [20, 17, 23]
    facts = json.loads(run("info", "x.h5::/entry/s", "--json").output)
    assert facts["stack"] == "/entry/s"
    assert facts["raw_bytes"] == images.nbytes
    assert facts["stored_bytes"] == report["stored_bytes"]
    assert facts["ratio"] == pytest.approx(report["ratio"])
    assert facts["codec"]
    assert facts["groups"][0]["coding"] == report["codings"][0]
    assert facts["settings"]["libraries"]["PyAV"]
    assert json.loads(run("verify", "x.h5::/entry/s", "--json").output) == {
        "frames": 20, "sound": True, "problems": [],
    }  # fmt: skip


def test_options(images):
    run("pack", "imgs", "x.h5", "--preset", "x264-slow", "--chunk-frames", "3", "--tile", "8x16",
        "--workers", "1", "--no-verify", "--method", "video", "--codec", "x264")  # fmt: skip
    facts = json.loads(run("info", "x.h5", "--json").output)
    assert facts["chunk"] == [3, 8, 16]
    assert facts["preset"] == "x264-slow"
    assert facts["settings"]["verified"] is False
    run("pack", "imgs", "y.h5", "--tile", "8")
    assert json.loads(run("info", "y.h5", "--json").output)["chunk"] == [16, 8, 8]
    run("pack", "imgs", "z.h5", "--tile", "none")


def test_info_of_a_bare_dataset():
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("d", data=moving((4, 9, 9)), chunks=(2, 9, 9), **h5vidstack.Video())
    assert "(bare dataset)" in run("info", "x.h5::/d").output


def test_verify_exits_1_with_the_list(images):
    run("pack", "imgs", "x.h5")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].id.write_direct_chunk((16, 0, 0), b"garbage")
    result = run("verify", "x.h5", code=1)
    assert "frames 16-19" in result.output
    assert "1 problem" in result.output
    assert json.loads(run("verify", "x.h5", "--json", code=1).output)["sound"] is False


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


def test_demo():
    output = run("demo", "--grid", "4x5x3", "--size", "20x31").output
    assert "60 frames of 20x31" in output
    assert output.count("exact") == 2
    assert "gzip" in output
    run("demo", "--grid", "2", "--size", "9", "--out", "kept.h5")
    with h5vidstack.open("kept.h5") as stack:
        assert stack.shape == (8, 9, 9)
    assert "exists" in fails("demo", "--grid", "2", "--size", "9", "--out", "kept.h5")


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


@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "\nAborted!\n"), (signal.SIGTERM, 143, "")]
)
@pytest.mark.parametrize("fails", [False, True])
def test_a_signal_leaves_nothing(monkeypatch, fails, number, code, words):
    np.save("a.npy", moving((40, 16, 16)))
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), number)
        if fails:
            raise OSError("cannot be written")
        return StackWriter(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("h5vidstack.writing.packer.StackWriter", interrupted)
        result = run("pack", "a.npy", "x.h5", code=code)
    assert result.stderr == words
    assert os.listdir() == ["a.npy"]
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    run("pack", "a.npy", "x.h5")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("arguments", "signals"), [("pack a.npy y.h5", 2), ("verify x.h5 --against a.npy", 1)]
)
def test_what_ends_at_once(monkeypatch, arguments, signals):
    """A second signal ends a command that writes, and the first one a command that reads."""
    np.save("a.npy", moving((40, 16, 16)))
    run("pack", "a.npy", "x.h5")

    def interrupted(*args, **kwargs):
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    child = os.fork()
    if not child:
        try:
            monkeypatch.setattr("h5vidstack.writing.packer.StackWriter", interrupted)
            monkeypatch.setattr("h5vidstack.care.verification.verify", interrupted)
            signal.alarm(20)
            main(arguments.split())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    run("pack", "a.npy", "y.h5")  # which removes what the killed one left
    assert sorted(os.listdir()) == ["a.npy", "x.h5", "y.h5"]


def test_importing_handles_no_signals():
    code = """if True:
        import signal, sys
        def state(): return [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)),
                             sys.unraisablehook, sys.excepthook]
        before = state()
        import h5vidstack
        assert state() == before"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bug_is_not_called_damage(monkeypatch):
    h5vidstack.pack(moving((4, 16, 16)), "x.h5")

    def mistaken(*args):
        raise TypeError("a bug")

    for place in ("layout.stack_group.read_table", "reading.chunk_grid.block.decode_from"):
        with monkeypatch.context() as patch:
            patch.setattr(f"h5vidstack.{place}", mistaken)
            result = CliRunner().invoke(main, ["verify", "x.h5"])
        assert isinstance(result.exception, TypeError), place


def test_the_output_is_not_the_source():
    np.save("u8.npy", moving((20, 16, 16)))
    os.symlink("u8.npy", "link.h5")
    before = Path("u8.npy").read_bytes()
    for target in ("u8.npy", "link.h5"):
        assert "the output is the source" in fails("pack", "u8.npy", target, "--overwrite")
    with h5py.File("x.h5", "w") as file:
        file["data"] = moving((20, 16, 16))
    for target in ("x.h5", "x.h5::/data"):
        said = fails("pack", "x.h5::/data", target, "--overwrite")
        assert "the output is the source" in said
    run("pack", "x.h5::/data", "x.h5::/stack")
    run("pack", "x.h5::/stack", "x.h5::/stack", "--overwrite", "--profile", "fast")
    assert "the output is the source" in fails("unpack", "x.h5", "x.h5::/stack", "--overwrite")
    run("unpack", "x.h5", "x.h5::/plain")
    os.link("x.h5", "x.png")
    for name in ("worst", "typical", "components"):
        os.link("x.h5", f"{name}.png")
    for arguments in (["contact-sheet", "x.h5", "x.png"],
                      ["unpack", "x.h5", "x.npy"],
                      ["check", "x.h5", "--against", "u8.npy", "--plots", "."]):  # fmt: skip
        if arguments[0] == "unpack":
            os.link("x.h5", "x.npy")
        assert "the output is the source" in fails(*arguments, "--overwrite")
    Path("imgs").mkdir()
    for number, frame in enumerate(moving((3, 16, 16))):
        Image.fromarray(frame).save(f"imgs/{number}.png")
    for source in (["imgs"], ["imgs/*.png"], ["imgs/0.png", "imgs/1.png"]):
        said = fails("pack", *source, "imgs/1.png", "--overwrite")
        assert "the output is the source" in said
    assert Path("u8.npy").read_bytes() == before


@pytest.mark.parametrize("command", ["pack", "append", "unpack", "export", "recover", "bench"])
def test_help_ends_with_examples(command):
    text = run(command, "--help").output
    examples = text.split("Examples:\n")[1].rstrip().splitlines()
    assert all(line.startswith(f"    h5vidstack {command} ") for line in examples)
    for line in examples:  # what they say is understood
        arguments = shlex.split(line.partition(" > ")[0])[2:]
        main.commands[command].make_context(command, arguments, resilient_parsing=False)


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
