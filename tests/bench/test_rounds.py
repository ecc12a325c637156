import os
import sys
from pathlib import Path

from benched import stack

from h5vidstack.bench import rounds
from h5vidstack.bench.comparison import compare
from h5vidstack.bench.measurement import BenchTask
from h5vidstack.bench.roster import all_contestants


def test_a_process_that_fails_is_a_row(monkeypatch):
    frames = stack()
    frames.tofile("raw")
    job = BenchTask("", "raw", (10**6, *frames.shape[1:]), "|u1", None, "", True, 0)
    able = [one for one in all_contestants(frames) if one.name in ("hdf5", "hdf5gz")]
    rows, outputs = rounds.run_rounds(able, job, Path(), 2, lambda _one: True)
    assert outputs == {}
    assert all("length is greater than file size" in row.problem for row in rows)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    rows, _ = rounds.run_rounds(able, job, Path(), 1, lambda _one: True)
    assert rows[0].problem == "it failed"
    Path("dies.sh").write_text("#!/bin/sh\nkill -SEGV $$\n")
    Path("dies.sh").chmod(0o755)
    monkeypatch.setattr(sys, "executable", "./dies.sh")
    rows, _ = rounds.run_rounds(able, job, Path(), 1, lambda _one: True)
    assert rows[0].problem == "its process ended with signal 11"
    assert sorted(os.listdir()) == ["dies.sh", "raw"]


def test_what_takes_long_to_pack_is_packed_once(monkeypatch):
    monkeypatch.setattr(rounds, "LONG_SECONDS", 0.0)
    asked = []
    # Private: which process is started when cannot be seen in the figures.
    real = rounds._run
    monkeypatch.setattr(rounds, "_run", lambda job: asked.append(job) or real(job))
    found = compare(stack(), methods=["hdf5"], rounds=3)
    assert [job.write for job in asked] == [True, False, False]
    assert found.rows[0].pack_speed > 0


def test_rounds_are_interleaved(monkeypatch):
    asked = []
    # Private: which process is started when cannot be seen in the figures.
    real = rounds._run
    monkeypatch.setattr(rounds, "_run", lambda job: asked.append(job.name) or real(job))
    compare(stack(), methods=["hdf5", "hdf5gz"], rounds=2)
    assert asked == ["hdf5", "hdf5gz", "hdf5gz", "hdf5"]
