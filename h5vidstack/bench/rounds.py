"""Interleaved rounds: every contestant once, each in its own process; then all again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import selectors
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import Error
from .child import Job, Run, anonymous_bytes
from .contestants import Contestant
from .results import Row, row

POLL_SECONDS = 0.005
"""How often the memory of a packing process is looked at."""

Steps = Callable[[int, int, str], None]
"""Called as ``steps(measurements_done, of_all, what_runs_now)``."""

LONG_SECONDS = 60.0
"""What took longer to pack is not packed again: only its reads are repeated."""


def run_rounds(
    contestants: Sequence[Contestant],
    template: Job,
    folder: Path,
    rounds: int,
    keep: Callable[[Contestant], bool],
    progress: Steps | None = None,
) -> tuple[list[Row], dict[str, Path]]:
    """Measure every contestant in each round.

    Parameters
    ----------
    contestants
        Who takes part; those that are missing or refuse only get a row that says so.
    template
        The job, but for name, output, write and seed.
    folder
        Where outputs are made, and removed but for those to keep.
    rounds
        How many.
    keep
        Says whose last output stays.
    progress
        Called before each measurement, and after the last one.

    Returns
    -------
    rows : list of Row
        One a contestant, in their order.
    outputs : dict
        The files that stayed, by name.
    """
    problems = {one.name: one.refusal or one.missing for one in contestants}
    runs: dict[str, list[Run]] = {one.name: [] for one in contestants}
    peaks: dict[str, list[int | None]] = {one.name: [] for one in contestants}
    able = [one for one in contestants if problems[one.name] is None]
    outputs = {one.name: folder / f"{number}.out" for number, one in enumerate(able)}
    done, total = 0, rounds * len(able)
    for number in range(rounds):
        last = number == rounds - 1
        for one in able if number % 2 == 0 else able[::-1]:
            output = outputs[one.name]
            if progress is not None:
                progress(done, total, f"round {number + 1}/{rounds}: {one.name}")
            if problems[one.name] is None:
                job = dataclasses.replace(
                    template, name=one.name, output=str(output), write=not output.exists(),
                    seed=number,
                )  # fmt: skip
                try:
                    run, peak = _run(job)
                    runs[one.name].append(run)
                    peaks[one.name].append(peak)
                except Error as error:
                    problems[one.name] = str(error)
                long = ((runs[one.name] and runs[one.name][0].pack_seconds) or 0) > LONG_SECONDS
                stays = (keep(one) if last else long) and problems[one.name] is None
                if not stays:
                    output.unlink(missing_ok=True)
            done += 1
    if progress is not None:
        progress(done, total, "")
    raw_bytes = os.path.getsize(template.frames)
    rows = [
        Row(one.name, one.ours, problems[one.name], options=one.options)
        if problems[one.name] is not None
        else row(one, runs[one.name], peaks[one.name], raw_bytes, template.bound)
        for one in contestants
    ]
    return rows, {name: path for name, path in outputs.items() if path.exists()}


def _run(job: Job) -> tuple[Run, int | None]:
    """Run a job in a process of its own; also give the most memory that packing added.

    Raises
    ------
    Error
        If the process fails: with the last line that it said.
    """
    # -P: a numpy.py in the current folder is none of ours.
    module = "h5vidstack.bench.child"
    command = [sys.executable, "-P", "-m", module, json.dumps(dataclasses.asdict(job))]
    with contextlib.ExitStack() as cleanup:
        log = cleanup.enter_context(open(f"{job.output}.log", "w+b"))
        cleanup.callback(os.unlink, log.name)
        ours, theirs = os.pipe()
        cleanup.callback(os.close, ours)
        try:
            child = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=log
            )
        finally:
            os.close(theirs)
        cleanup.callback(child.wait)
        cleanup.callback(child.kill)
        said, peak = _watch(ours, child.pid)
        if child.wait() == 0:
            run = Run(**json.loads(said.splitlines()[-1]))
            return run, max(0, peak - run.anonymous_bytes) if run.anonymous_bytes else None
        if child.returncode < 0:
            raise Error(f"its process ended with signal {-child.returncode}")
        log.seek(0)
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        said = re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1] if lines else "it failed")
        raise Error(re.sub(r"^ndarray\b", lambda _: job.source, said))  # which is all it was given


def _watch(pipe: int, process: int) -> tuple[str, int]:
    """All that a process prints, and the most memory that it held until it says ``written``."""
    said, peak = b"", 0
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            written = b"written\n" in said
            if ready.select(None if written else POLL_SECONDS):
                piece = os.read(pipe, 1 << 16)
                if not piece:
                    return said.decode(errors="replace"), peak
                said += piece
            elif not written:
                peak = max(peak, anonymous_bytes(process))
