"""Kills, signals and failing writes; benchmark/kills.py and its like do far more."""

import shutil
import subprocess
import sys

import pytest
from places import BENCHMARKS


def run(program, *arguments):
    """What a program that must find nothing wrong says."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / program, *arguments], capture_output=True, text=True
    )
    # Noise takes more room in a stack than by itself, and packing says so.
    said = [line for line in done.stderr.splitlines() if not line.startswith("the stack takes")]
    assert (done.returncode, said) == (0, []), done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks at /proc")
def test_killed_at_random_moments(long):
    kinds = "pack", "pack --overwrite", "pack --resume", "append", "rehash", "record", "repack"
    count = "60" if long else "7"
    assert run("kills.py", count, "0", *kinds).splitlines()[-1].split()[:2] == ["all", count]


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks at /proc")
def test_signals_wherever_they_come(long):
    said = run("interrupts.py", "80" if long else "12")
    assert "wrong" not in said
    assert sum(int(part.split()[0]) for part in said.split(", ")) == (80 if long else 12)


@pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) to build faults.c with")
def test_writes_that_fail(long):
    kinds = "pack --resume", "append", "recover carved", "unpack beside", "record", "repack"
    assert run("faults.py", "47" if long else "151", *kinds).splitlines()[-1].endswith(" 0 wrong")
