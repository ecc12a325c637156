"""`recover` saves what is intact of a damaged file, and nothing else; `--resume` goes on."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from damaging import FRAMES, chunks, damage

import h5vidstack
from h5vidstack.cli import main


def test_a_truncated_file():
    h5vidstack.pack(FRAMES, "bad.h5", method="video", codec="ffv1")
    start, _ = chunks("groups/000000/video")[2]
    os.truncate("bad.h5", start)
    found = h5vidstack.recover("bad.h5", "good.h5")
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:32])
    assert found.lost is None or len(found.lost) == len(FRAMES) - 32


def test_nothing_to_save():
    Path("text.h5").write_text("nothing here")
    with pytest.raises(h5vidstack.FormatError, match="no intact block"):
        h5vidstack.recover("text.h5", "good.h5")
    Path("empty.h5").touch()
    with pytest.raises(h5vidstack.FormatError, match="empty"):
        h5vidstack.recover("empty.h5", "good.h5")
    with pytest.raises(h5vidstack.FormatError, match="no such file"):
        h5vidstack.recover("none.h5", "good.h5")
    h5vidstack.pack(FRAMES, "bad.h5")
    h5vidstack.pack(FRAMES[:2], "good.h5")
    before = Path("good.h5").read_bytes()
    with pytest.raises(h5vidstack.OutputError, match="overwrite"):
        h5vidstack.recover("bad.h5", "good.h5")
    with pytest.raises(h5vidstack.OutputError, match="itself"):
        h5vidstack.recover("bad.h5", "bad.h5", overwrite=True)
    assert Path("good.h5").read_bytes() == before


def test_command():
    h5vidstack.pack(FRAMES, "bad.h5", method="hdf5")
    start, _ = chunks("groups/000000/video")[2]
    damage(start)
    run = CliRunner().invoke
    result = run(main, ["recover", "bad.h5", "good.h5"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "lost 1 frame: 2")
    result = run(main, ["recover", "bad.h5", "more.h5", "--json"])
    assert json.loads(result.output)["lost"] == [2]
    result = run(main, ["recover", "good.h5", "again.h5"])
    assert (result.exit_code, result.output) == (0, f"saved {len(FRAMES) - 1} frames to again.h5\n")


def test_the_only_stack_is_meant():
    h5vidstack.pack(FRAMES, "x.h5::/deep/er")
    assert h5vidstack.recover("x.h5", "good.h5").saved == len(FRAMES)
    assert h5vidstack.stacks("good.h5") == ["/deep/er"]
    h5vidstack.pack(FRAMES, "x.h5::/other")
    with pytest.raises(h5vidstack.FormatError, match=r"stacks in it: /deep/er, /other"):
        h5vidstack.recover("x.h5", "more.h5")
