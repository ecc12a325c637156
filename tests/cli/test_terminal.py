"""Colour only where a person looks; what goes to standard output, and what is refused there."""

import contextlib
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving
from PIL import Image
from videos import write_video

import h5vidstack
from h5vidstack import Step
from h5vidstack.cli import colours, main, terminal

WISHES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM")
ANSI = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.fixture
def packed():
    frames = moving((20, 18, 24))
    np.save("a.npy", frames)
    h5vidstack.pack(frames, "x.h5", preset="x264-fast", chunk_frames=8)
    h5vidstack.pack(frames.astype("f4"), "lossy.h5", max_error=2)
    return frames


def command(*arguments):
    return [sys.executable, "-m", "h5vidstack", *map(str, arguments)]


def plain_environment(**more):
    kept = {name: value for name, value in os.environ.items() if name not in WISHES}
    return kept | {"TERM": "xterm"} | more


@contextlib.contextmanager
def pseudo_terminal():
    """A pseudo-terminal to write to, which the body closes, and what was written, at the end."""
    ours, theirs = pty.openpty()
    said = []

    def read():
        try:
            while data := os.read(ours, 1 << 16):
                said.append(data)
        except OSError:  # Linux's word for the end
            pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield theirs, said
    finally:
        reader.join()
        os.close(ours)


def on_a_terminal(*arguments, **environment):
    """Standard output of a command that has a terminal there."""
    with pseudo_terminal() as (theirs, said):
        subprocess.run(
            command(*arguments), stdout=theirs, stderr=subprocess.PIPE,
            env=plain_environment(**environment),
        )  # fmt: skip
        os.close(theirs)
    return b"".join(said).replace(b"\r\n", b"\n")


def out(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.fixture
def plain(monkeypatch):
    """No wishes of whoever runs the tests."""
    for name in WISHES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_colour_on_a_terminal(packed, plain):
    shown = on_a_terminal("info", "x.h5")
    assert b"\x1b[1m" in shown
    assert ANSI.sub(b"", shown) == out("info", "x.h5")
    assert b"\x1b[" not in on_a_terminal("info", "x.h5", NO_COLOR="1")


@pytest.mark.parametrize(
    "arguments",
    [("info", "x.h5", "--groups"), ("info", "lossy.h5"), ("find", "x.h5", "--frame", 3),
     ("check", "x.h5", "--against", "a.npy"), ("verify", "x.h5")],
)  # fmt: skip
def test_colour_is_added_and_nothing_else(packed, arguments, plain):
    piped = out(*arguments)
    plain.setenv("FORCE_COLOR", "1")
    shown = out(*arguments)
    assert b"\x1b[" in shown
    assert b"\x1b[" not in piped
    assert ANSI.sub(b"", shown) == piped
    assert b"\x1b[" not in out("info", "x.h5", "--json")


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [({}, None), ({"NO_COLOR": ""}, None), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
     ({"FORCE_COLOR": "3"}, True), ({"FORCE_COLOR": "0"}, None), ({"CLICOLOR_FORCE": "1"}, True),
     ({"CLICOLOR": "0"}, False), ({"CLICOLOR": "1"}, None), ({"TERM": "dumb"}, False)],
)  # fmt: skip
def test_what_the_environment_wants(environment, wanted, plain):
    for name, value in environment.items():
        plain.setenv(name, value)
    assert colours.wanted() is wanted


def test_words_that_say_no_are_not_green():
    assert colours.verdict("not exact") == "not exact"
    assert colours.verdict("exact") != "exact"
    assert "35" in colours.verdict("LOSSY, max error 2")
    assert colours.best("video  1.5*  2.5") == "video  \x1b[32m\x1b[1m1.5*\x1b[0m  2.5"


def test_tables_of_packing_and_benching_are_coloured(packed, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    explained = CliRunner().invoke(main, ["pack", "a.npy", "y.h5", "--explain"], color=True).output
    assert "\x1b[1m" in explained
    assert "\x1b[32m->" in explained


def test_unpack_to_a_pipe(packed):
    np.testing.assert_array_equal(np.load(io.BytesIO(out("unpack", "x.h5", "-"))), packed)
    some = out("unpack", "x.h5", "-", "--frames", "3:9:2")
    np.testing.assert_array_equal(np.load(io.BytesIO(some)), packed[3:9:2], strict=True)
    assert out("unpack", "x.h5", "-", "--format", "raw") == packed.tobytes()
    one = Image.open(io.BytesIO(out("unpack", "x.h5", "-", "--frames", "7", "--format", "png")))
    np.testing.assert_array_equal(np.asarray(one), packed[7])
    with Image.open(io.BytesIO(out("unpack", "x.h5", "-", "--format", "tiff"))) as pages:
        assert pages.n_frames == len(packed)
        pages.seek(11)
        np.testing.assert_array_equal(np.asarray(pages), packed[11])


def test_leading_axes_come_back_through_a_pipe():
    frames = moving((6, 5, 7)).reshape(2, 3, 5, 7)
    h5vidstack.pack(frames, "x.h5")
    got = np.load(io.BytesIO(out("unpack", "x.h5", "-")))
    np.testing.assert_array_equal(got, frames, strict=True)


def test_export_and_pictures_to_a_pipe(packed):
    with av.open(io.BytesIO(out("export", "x.h5", "-"))) as video:
        assert video.format.name.startswith("matroska")
        assert sum(1 for _ in video.decode(video=0)) == len(packed)
    with Image.open(io.BytesIO(out("contact-sheet", "x.h5", "-"))) as sheet:
        assert sheet.format == "PNG"


def test_bench_page_to_a_pipe():
    np.save("b.npy", moving((64, 128, 128)))
    arguments = ["bench", "b.npy", "--methods", "hdf5", "--rounds", "1", "--html", "-"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("<!DOCTYPE html>")
    assert "size KB" in result.stderr


def test_bytes_are_no_text_for_a_terminal(packed):
    assert on_a_terminal("export", "x.h5", "-") == b""


def test_a_pipe_that_closes_early_is_no_traceback(packed):
    h5vidstack.pack(np.zeros((3000, 64, 64), np.uint8), "large.h5", method="hdf5gz")
    process = subprocess.Popen(
        command("unpack", "large.h5", "-"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert b"Traceback" not in said


@pytest.mark.parametrize("arguments", ["unpack x.h5 -", "export x.h5 -", "contact-sheet x.h5 -"])
def test_output_that_is_closed_from_the_start(packed, arguments):
    line = shlex.join(command(*arguments.split())) + " >&-"
    found = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert found.returncode == 1
    assert found.stderr.startswith("Error: standard output is closed")
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_behind_a_pipe():
    h5vidstack.pack(moving((2, 4, 4)), "x.h5")
    with open("/dev/full", "wb") as full:
        found = subprocess.run(
            command("unpack", "x.h5", "-"), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert found.returncode == 1
    assert found.stderr.startswith("Error: ")
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["pack", "-", "y.h5"], ["pack", "a.npy", "-"],
     ["repack", "-", "y.h5"], ["repack", "x.h5", "-"], ["link", "x.h5", "-o", "-"],
     ["link", "-", "-o", "y.h5"], ["append", "-", "a.npy"], ["append", "x.h5", "-"], ["unpack", "-", "out"], ["info", "-"],
     ["export", "-", "x.mkv"], ["recover", "-", "y.h5"], ["recover", "x.h5", "-"], ["rehash", "-"],
     ["find", "-", "--frame", "1"], ["find", "x.h5", "-"], ["contact-sheet", "-", "x.png"],
     ["verify", "-"], ["verify", "x.h5", "--against", "-"], ["check", "-"],
     ["check", "x.h5", "--plots", "-"], ["bench", "-"], ["demo", "--out", "-"],
     ["export", "x.h5", "-", "--json"], ["bench", "a.npy", "--json", "-", "--html", "-"],
     ["unpack", "x.h5", "out", "--format", "npy"], ["unpack", "x.h5", "x.npy", "--format", "png"]],
)  # fmt: skip
def test_what_cannot_be_a_pipe(packed, arguments):
    before = sorted(os.listdir())
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert "standard" in result.stderr
    assert result.stdout == ""
    assert sorted(os.listdir()) == before


def test_what_the_environment_says_goes_with_anything(packed):
    environment = {"H5VIDSTACK_UNPACK_FORMAT": "tiff", "H5VIDSTACK_REPACK_PROFILE": "fast"}
    for arguments in (["unpack", "x.h5", "x.npy"], ["repack", "x.h5", "y.h5", "--restore"]):
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("option", ["--preset=ffv1", "--profile=balanced", "--no-hashes"])
def test_restoring_codes_nothing(packed, option):
    result = CliRunner().invoke(main, ["repack", "x.h5", "y.h5", "--restore", option])
    assert result.exit_code == 2
    assert option.partition("=")[0] in result.stderr
    assert not Path("y.h5").exists()


def test_a_file_of_that_name(packed):
    out("pack", "a.npy", "./-")
    assert json.loads(out("info", "./-", "--json"))["shape"] == [20, 18, 24]


def test_png_of_several_frames_is_refused(packed):
    result = CliRunner().invoke(main, ["unpack", "x.h5", "-", "--format", "png"])
    assert result.exit_code == 1
    assert "--frames" in result.stderr
    assert result.stdout == ""
    result = CliRunner().invoke(main, ["unpack", "lossy.h5", "-", "--format", "png"])
    assert "float32" in result.stderr


FRAMES = moving((12, 32, 48))


def put_images():
    Path("imgs").mkdir()
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(f"imgs/{number}.png")


def put_pages(name):
    first, *others = map(Image.fromarray, FRAMES)
    first.save(name, save_all=True, append_images=others)


def put_hdf5():
    with h5py.File("d.h5", "w") as file:
        file.create_dataset("plain", data=FRAMES)
        file.create_dataset("chunked", data=FRAMES, chunks=(4, 32, 48), compression="gzip")
        layout = h5py.VirtualLayout(FRAMES.shape, "u1")
        layout[:] = h5py.VirtualSource(file["plain"])
        file.create_virtual_dataset("virtual", layout)


SOURCES = {
    "imgs": put_images,
    "imgs/*.png": put_images,
    "p.tif": lambda: put_pages("p.tif"),
    "p.gif": lambda: put_pages("p.gif"),
    "a.npy": lambda: np.save("a.npy", FRAMES),
    "v.mkv": lambda: write_video("v.mkv", 12, (32, 48), "gray", codec="ffv1"),
    "v.mp4": lambda: write_video("v.mp4", 12, (32, 48)),
    "d.h5::/plain": put_hdf5,
    "d.h5::/chunked": put_hdf5,
    "d.h5::/virtual": put_hdf5,
    "s.h5": lambda: h5vidstack.pack(FRAMES, "s.h5"),
}


def shown(monkeypatch, *arguments):
    """What a command that succeeds writes to a terminal on its standard error."""
    with (
        pseudo_terminal() as (theirs, said),
        os.fdopen(theirs, "w") as stream,
        monkeypatch.context() as patch,
    ):
        patch.setattr(sys, "stderr", stream)
        with contextlib.suppress(SystemExit):  # of what ends with an exit code
            main.main([str(argument) for argument in arguments], standalone_mode=False)
    return b"".join(said).decode()


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_on_a_terminal(source, monkeypatch, capsys):
    SOURCES[source]()
    gray = () if source in ("imgs", "imgs/*.png", "p.tif", "a.npy") else ("--gray",)
    more = [["--method", "pca", "--exact"]] if source in ("a.npy", "v.mkv") else []
    for how in (["--method", "video"], ["--method", "groupvideo"], *more):
        how += ["--preset", "x264-fast"] * ("pca" not in how)
        said = shown(monkeypatch, "pack", source, "o.h5", "--overwrite", *how, *gray)
        assert re.search(r"12(/12| frames)  0:\d\d  .* frames/s  .* MB/s  ratio \d", said), said
        assert said.count("\n") == said.count("times the bytes of its source") + 1
    assert "12/12" in shown(monkeypatch, "verify", "o.h5", "--against", source, *gray)
    assert "12/12" in shown(monkeypatch, "check", "o.h5", "--against", source, *gray)
    assert "adding" in shown(monkeypatch, "append", "o.h5", source, *gray)
    with h5vidstack.open("o.h5") as stack:
        assert len(stack) == 24


def test_every_command_on_a_terminal(monkeypatch, capsys):
    np.save("big.npy", moving((64, 128, 128)))
    np.save("a.npy", FRAMES)
    write_video("v.mp4", 12, (32, 48), gop=4, bf="0")
    Image.fromarray(FRAMES[3]).save("query.png")
    put_hdf5()
    run = {
        "pack": ["pack a.npy x.h5", "pack a.npy y.h5 --resume", "pack v.mp4 z.h5 --gray --copy"],
        "append": ["append x.h5 a.npy"],
        "link": ["link x.h5 y.h5 -o all.h5"],
        "unpack": ["unpack x.h5 out", "unpack x.h5 out.npy", "unpack x.h5 out.tif",
                   "unpack x.h5 plain.h5::/data"],
        "export": ["export x.h5 x.mkv"],
        "repack": ["repack d.h5 r.h5 --select /chunked", "repack r.h5 t.h5 --restore"],
        "recover": ["recover x.h5 good.h5"],
        "rehash": ["rehash x.h5"],
        "info": ["info x.h5", "info all.h5 --groups"],
        "find": ["find x.h5 query.png"],
        "contact-sheet": ["contact-sheet x.h5 sheet.png"],
        "verify": ["verify all.h5"],
        "check": ["check x.h5"],
        "references": ["references x.h5 -o refs.json"],
        "bench": ["bench big.npy --methods hdf5 --rounds 1"],
        "demo": ["demo --grid 2x2x2 --size 9x9"],
    }  # fmt: skip
    assert set(run) | {"plugin-path"} == set(main.commands)  # which is not built everywhere
    bars = {"unpack": "unpacking", "export": "exporting", "repack": "repacking", "rehash": "hashing",
            "recover": "looking", "verify": "verifying", "bench": "benching", "demo": "packing"}  # fmt: skip
    for name, lines in run.items():
        for line in lines:
            said = shown(monkeypatch, *line.split())
            assert bars.get(name, "") in said, line


def test_a_recording_that_lost_its_structure_on_a_terminal(monkeypatch, capsys):
    h5vidstack.pack(FRAMES, "bad.h5", method="video")
    with h5py.File("bad.h5", "r+") as file:
        del file["stack"].attrs["dtype"]
    assert "12 frames" in shown(monkeypatch, "recover", "bad.h5", "good.h5")


def test_what_a_bar_says():
    def line(doing, step, seconds, width=79):
        return terminal._progress_line(doing, step, seconds, width)

    assert line("packing", Step(0, None), 0) == "packing  0 frames  0:00"
    assert line("choosing", Step(0, 60, "choosing"), 71.4) == "choosing  1:11"
    assert line("packing", Step(0, 60), 1) == f"packing  [{'-' * 24}]  0/60  0:01"
    assert line("packing", Step(7, None), 2) == "packing  7 frames  0:02  3.5 frames/s"
    assert line("packing", Step(60, 60), 0.1) == f"packing  [{'#' * 24}]  60/60  0:00  600 frames/s"
    some = Step(15, 60, "", 3_000_000, 1_500_000)
    rest = "  15/60  0:02, 0:06 left  7.5 frames/s  1.5 MB/s  ratio 2.00"
    assert line("packing", some, 2, 200) == f"packing  [{'#' * 6}{'-' * 18}]{rest}"
    assert line("packing", some, 2, 80) == f"packing  [{'#' * 2}{'-' * 7}]{rest}"
    assert len(line("packing", some, 2, 80)) == 80
    assert line("packing", some, 2, 70) == f"packing{rest}"


def test_sizes_are_those_on_the_disk():
    np.save("a.npy", np.zeros((5, 20, 20), "u1"))
    result = CliRunner().invoke(main, ["pack", "a.npy", "x.h5"])
    assert f"on disk 2.1 KB -> {os.path.getsize('x.h5') / 1000:.0f} KB" in result.stdout
    assert re.search(r"2.0 KB -> \d+ bytes \(ratio", result.stdout)
    assert "KB are tables and what HDF5 needs" in result.stderr
    before = os.path.getsize("x.h5")
    report = h5vidstack.pack("a.npy", "x.h5::/more")
    assert report.written_bytes == os.path.getsize("x.h5") - before > report.stored_bytes
    before = os.path.getsize("x.h5")
    with h5vidstack.open("x.h5::/more") as stack:
        report = stack.append("a.npy")
    assert report.written_bytes == max(os.path.getsize("x.h5") - before, report.stored_bytes) > 0
    report = h5vidstack.pack("a.npy", "x.h5::/more", overwrite=True)
    assert report.written_bytes >= report.stored_bytes


def test_sizes_of_the_source_are_said():
    SOURCES["v.mp4"]()
    SOURCES["d.h5::/chunked"]()
    np.save("a.npy", FRAMES)
    result = CliRunner().invoke(main, ["pack", "a.npy", "x.h5"])
    assert "% of the source" in result.stdout
    assert result.stderr == ""
    np.save("n.npy", np.random.default_rng(0).integers(0, 256, FRAMES.shape, "u1"))
    h5vidstack.pack("n.npy", "n.h5", preset="raw")
    result = CliRunner().invoke(main, ["pack", "d.h5::/chunked", "y.h5", "--preset", "raw"])
    assert "times the source" in result.stdout
    assert "times the bytes of its source: --profile small" in result.stderr
    result = CliRunner().invoke(
        main, ["pack", "d.h5::/chunked", "z.h5", "--preset", "raw", "--json"]
    )
    facts = json.loads(result.stdout)
    assert facts["written_bytes"] == os.path.getsize("z.h5") > facts["stored_bytes"]
    assert facts["growth"] == facts["written_bytes"] / facts["source_bytes"] > 1
    assert "times the bytes" in result.stderr
