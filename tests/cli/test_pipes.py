import io
import json
import os
import shlex
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving
from PIL import Image
from terminals import command, on_a_terminal, out

import h5vidstack
from h5vidstack.cli import main


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
     ["remap", "-"],
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
