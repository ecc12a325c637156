"""Interleaved rounds: each round measures every contestant once, each in its own process."""

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
from .contestants import Contestant
from .measurement import BenchTask, Measurement, anonymous_bytes
from .results import Row, median_row

POLL_SECONDS = 0.005
"""The interval at which the memory of a packing process is measured."""

BenchProgress = Callable[[int, int, str], None]
"""Called with the number of measurements done, the number of all, and what runs now."""

LONG_SECONDS = 60.0
"""A file that took longer to pack is not packed again; only its reads are repeated."""


def run_rounds(
    contestants: Sequence[Contestant],
    template: BenchTask,
    folder: Path,
    rounds: int,
    keep: Callable[[Contestant], bool],
    progress: BenchProgress | None = None,
) -> tuple[list[Row], dict[str, Path]]:
    """Measure every contestant in each round.

    Parameters
    ----------
    contestants
        Those that are not installed or refuse only get a row that says so.
    template
        The task, without name, output, write and seed.
    folder
        The folder for outputs. Outputs are removed, except those to keep.
    rounds
        The number of rounds.
    keep
        Tells whether the last output of a contestant stays.
    progress
        Called before each measurement, and after the last one.

    Returns
    -------
    rows : list of Row
        One for each contestant, in their order.
    outputs : dict
        The files that stayed, by name.
    """
    problems = {one.name: one.refusal or one.missing for one in contestants}
    runs: dict[str, list[Measurement]] = {one.name: [] for one in contestants}
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
                task = dataclasses.replace(
                    template, name=one.name, output=str(output), write=not output.exists(),
                    seed=number,
                )  # fmt: skip
                try:
                    run, peak = _run(task)
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
        Row(name=one.name, ours=one.ours, problem=problems[one.name], options=one.options)
        if problems[one.name] is not None
        else median_row(one, runs[one.name], peaks[one.name], raw_bytes, template.bound)
        for one in contestants
    ]
    return rows, {name: path for name, path in outputs.items() if path.exists()}


def _run(task: BenchTask) -> tuple[Measurement, int | None]:
    """Do a task in a process of its own; also return the most memory that packing added.

    Raises
    ------
    Error
        If the process fails. The message is the last line that it printed.
    """
    # With -P a numpy.py in the current folder is not imported.
    module = "h5vidstack.bench.measurement"
    command = [sys.executable, "-P", "-m", module, json.dumps(dataclasses.asdict(task))]
    with contextlib.ExitStack() as cleanup:
        log = cleanup.enter_context(open(f"{task.output}.log", "w+b"))
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
            run = Measurement(**json.loads(said.splitlines()[-1]))
            return run, max(0, peak - run.anonymous_bytes) if run.anonymous_bytes else None
        if child.returncode < 0:
            raise Error(f"its process ended with signal {-child.returncode}")
        log.seek(0)
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        said = re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1] if lines else "it failed")
        # The process was given an array, and does not know what the frames are called.
        raise Error(re.sub(r"^ndarray\b", lambda _: task.source, said))


def _watch(pipe: int, process: int) -> tuple[str, int]:
    """Return what a process prints, and the most memory that it held until it says ``written``."""
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
