"""Commands that write, run in forked children that are killed or whose writes fail.

What `Bench` forks from must have no other threads: run it in a process of its own (see
`alone`), never in that of pytest.
"""

import contextlib
import functools
import gc
import json
import os
import pickle
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import click
import h5py
import numpy as np
from frames import moving

import h5vidstack
from h5vidstack.care import salvage  # noqa: F401 (imported before anything is forked)
from h5vidstack.cli import main
from h5vidstack.layout.names import find_stacks
from h5vidstack.writing.journal import Journal

COUNT, CHUNK = 40, 8
PACK = f"--preset ffv1 --chunk-frames {CHUNK}"


def alone() -> None:
    """Start this program again with no threads of BLAS, if it has not been."""
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        os.execv(sys.executable, [sys.executable, *sys.argv])


def command(words: str) -> Callable[[], None]:
    """A command line; its Error, or whatever else it ends with."""
    return functools.partial(_run_command, words)


def _run_command(words: str) -> None:
    try:
        main(words.split(), prog_name="h5vidstack", standalone_mode=False)
    except click.ClickException as error:
        if "\n" in error.format_message():
            raise AssertionError(error.format_message()) from None
        raise (error.__cause__ or error) from None


def _since(started: float) -> float:
    return time.monotonic() - started


def nothing() -> None:
    """Make nothing."""


def recovered() -> None:
    h5vidstack.recover("bad.h5", "out.h5")  # the command's exit code tells of lost frames


def spooled() -> None:
    frames = np.load("mixed.npy")
    h5vidstack.pack(iter(frames), "out.h5", method="groupvideo", chunk_frames=CHUNK)


def recorded() -> None:
    frames, promised = np.load("a.npy"), 0
    with (
        open(os.path.abspath("../promise"), "wb", buffering=0) as told,
        h5vidstack.create(
            "out.h5", frames.shape[1:], "u1", chunk_frames=CHUNK, preset="ffv1", overwrite=True
        ) as recorder,
    ):
        for number, frame in enumerate(frames, 1):
            recorder.write(frame)
            if number % 10 == 0:
                recorder.flush()
                promised = number // CHUNK * CHUNK
                told.write(bytes([promised]))


def damaged() -> None:
    """A stack with a bad block."""
    command(f"pack a.npy bad.h5 {PACK}")()
    with h5py.File("bad.h5") as file:
        chunk = file["stack/frames"].id.get_chunk_info(2)
    data = bytearray(Path("bad.h5").read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    Path("bad.h5").write_bytes(data)


def shattered() -> None:
    """The same, not to be opened as a stack; its table of CRCs is there."""
    damaged()
    with h5py.File("bad.h5", "r+") as file:
        del file["stack"].attrs["dtype"]


def plain() -> None:
    """An HDF5 file with a stack and other things."""
    with h5py.File("in.h5", "w") as file:
        file["entry/data"], file["entry/time"] = np.load("a.npy"), np.arange(5)
        file["entry"].attrs["signal"] = "data"


@dataclass(frozen=True)
class Operation:
    """Something that writes `target`, and what is there before."""

    name: str
    run: Callable[[], None]
    target: str = "out.h5"
    make: Callable[[], None] = nothing


OLD = command(f"pack b.npy out.h5 {PACK}")
PILES = command(f"pack mixed.npy out.h5 --method groupvideo --chunk-frames {CHUNK}")
OPERATIONS = [
    Operation("pack", command(f"pack a.npy out.h5 {PACK}")),
    Operation("pack auto", command("pack mixed.npy out.h5")),
    Operation("pack groupvideo", PILES),
    Operation("pack spooled", spooled),
    Operation("pack group", command("pack mixed.npy out.h5 --method group")),
    Operation("pack pca", command("pack a.npy out.h5 --method pca --components 3 --exact")),
    Operation("pack --overwrite", command(f"pack a.npy out.h5 --overwrite {PACK}"), make=OLD),
    Operation("pack beside", command(f"pack a.npy out.h5::/b/c {PACK}"), make=OLD),
    Operation("pack --resume", command(f"pack a.npy out.h5 --resume --overwrite {PACK}"), make=OLD),
    Operation("append", command("append out.h5 a.npy"), make=OLD),
    Operation("append piles", command("append out.h5 a.npy --method groupvideo"), make=PILES),
    Operation("rehash", command("rehash out.h5"), make=command(f"pack a.npy out.h5 --no-hashes {PACK}")),
    Operation("recover", recovered, make=damaged),
    Operation("recover carved", recovered, make=shattered),
    Operation("unpack .npy", command("unpack b.h5 out.npy"), "out.npy"),
    Operation("unpack .tif", command("unpack b.h5 out.tif"), "out.tif"),
    Operation("unpack .h5", command("unpack b.h5 out.h5::/data")),
    Operation("unpack beside", command("unpack b.h5 out.h5::/data"), make=OLD),
    Operation("unpack folder", command("unpack b.h5 out"), "out"),
    Operation(
        "unpack --overwrite", command("unpack b.h5 out --overwrite"), "out",
        command("unpack b.h5 out --frames 3:9"),
    ),
    Operation("repack", command("repack in.h5 out.h5 --select entry/data"), make=plain),
    Operation("repack in place", command("repack in.h5 in.h5 --overwrite --select entry/data"), "in.h5", plain),
    Operation("repack --restore", command("repack b.h5 out.h5 --restore --overwrite"), make=OLD),
    Operation("record", recorded),
    Operation("record over", recorded, make=OLD),
]  # fmt: skip


def content(path: str | Path) -> Any:
    """All that a file says, but for when it was made; None if there is none."""
    path = Path(path)
    if not path.exists():
        return None
    if path.is_dir():
        return {file.name: file.read_bytes() for file in path.iterdir()}
    if path.suffix != ".h5":
        return path.read_bytes()
    found: dict[str, Any] = {}
    layout = re.compile("/(groups|index|hashes)(/|$)")  # what a stack has to itself

    def note(name: str, node: Any) -> None:
        if layout.search(name):
            return
        found[name] = sorted(node.attrs)
        if isinstance(node, h5py.Dataset):
            found[name] = node.shape, node.dtype.str, zlib.crc32(node[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(note)
        stacks = find_stacks(file)
    for stack in stacks:
        with h5vidstack.open(f"{path}::{stack}") as opened:
            assert opened.verify() == []
            found[stack] = zlib.crc32(opened[:].tobytes())
        with h5py.File(path) as file:
            tables = file[stack].get("hashes", {})
            found[f"{stack} hashes"] = [tables[name][()].tolist() for name in tables]
    return found


def reading(writer: int) -> None:
    """Read a recording again and again while its process runs."""
    frames, stack = np.load("a.npy"), None
    while os.path.exists(f"/proc/{writer}/fd/1"):
        try:
            if stack is None:
                stack = h5vidstack.open("out.h5")
            stack.refresh()
            part = stack[:]
        except h5vidstack.FormatError:  # not there, or open for writing
            stack = None
            continue
        old = np.load("b.npy")
        assert np.array_equal(part, frames[: len(part)]) or np.array_equal(part, old)


class Bench:
    """A folder in which operations are run, each time from its beginning.

    Parameters
    ----------
    folder
        Empty.
    scale
        Of the height and width of frames.
    """

    def __init__(self, folder: str | Path, scale: int = 1) -> None:
        self.folder, self.shape = Path(folder), (COUNT, 24 * scale, 32 * scale)
        self.work = self.folder / "run" / "work"
        self._known: dict[str, Any] = {}
        # What is imported when it is first needed is not to be imported by every child.
        with tempfile.TemporaryDirectory() as place, open(os.devnull, "w") as silent:
            os.chdir(place)
            frames = moving((4, 24, 32))
            with contextlib.redirect_stdout(silent):
                for method in ("auto", "pca"):
                    h5vidstack.pack(frames, "x.h5", method=method, overwrite=True)
                for words in ("unpack x.h5 x.tif", "unpack x.h5 folder"):
                    command(words)()
                assert h5vidstack.verify("x.h5") == []
            os.chdir(self.folder)
        gc.freeze()  # else each child looks through, and so copies, all of these objects

    def _template(self, operation: Operation) -> tuple[Path, Any, Any]:
        """Make what an operation finds, and learn what it leaves."""
        place = self.folder / operation.name.replace(" ", "_")
        (place / "work").mkdir(parents=True)
        os.chdir(place / "work")
        a, b = moving(self.shape), moving((20, *self.shape[1:]), seed=1)
        np.save("a.npy", a)
        np.save("b.npy", b)
        mixed = np.concatenate([a[:20], b[:12]])
        np.save("mixed.npy", mixed[np.random.default_rng(0).permutation(32)])
        command(f"pack b.npy b.h5 {PACK}")()
        operation.make()
        old = content(operation.target)
        shutil.copytree(place, self.folder / "reference")
        os.chdir(self.folder / "reference" / "work")
        operation.run()
        new = content(operation.target)
        os.chdir(self.folder)
        shutil.rmtree("reference")
        assert old != new
        return place, old, new

    def begin(self, operation: Operation) -> None:
        """Put everything as it was before an operation."""
        if operation.name not in self._known:
            self._known[operation.name] = self._forked(lambda: self._template(operation))
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        shutil.copytree(self._known[operation.name][0], self.folder / "run")

    def seconds(self, operation: Operation) -> float:
        """How long an operation takes."""
        taken = []
        for _ in range(3):
            self.begin(operation)
            started = time.monotonic()
            child = self.start(operation.run, after=functools.partial(_since, started))
            os.waitpid(child, 0)
            taken.append(float(self.results[0]))
        return sorted(taken)[1]

    def _forked(self, work: Callable[[], Any]) -> Any:
        """What work gives, done in a child; its error as one of ours."""
        receive, send = os.pipe()
        child = self.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                answer = [True, work()]
            except BaseException:  # noqa: BLE001
                answer = [False, traceback.format_exc()]
            os.close(receive)
            with os.fdopen(send, "wb") as pipe:
                pickle.dump(answer, pipe)
            os._exit(0)
        os.close(send)
        with os.fdopen(receive, "rb") as pipe:
            good, value = pickle.load(pipe)
        os.waitpid(child, 0)
        if not good:
            raise RuntimeError(value)
        return value

    def fork(self) -> int:
        """Fork: only where there is one thread."""
        assert len(os.listdir("/proc/self/task")) == 1
        sys.stdout.flush()
        return os.fork()

    def start(
        self,
        run: Callable[[], object],
        before: Callable[[], object] = nothing,
        after: Callable[[], object] = nothing,
        again: bool = False,
    ) -> int:
        """Run in a child, in the work folder.

        It stops (SIGSTOP) after that, and if it is to try `again` goes on to do so; then
        Python ends as it does. What it says is in `said`, what came of it in `results`.
        """
        child = self.fork()
        if child:
            return child
        signal.alarm(60)
        os.chdir(self.work)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open("../stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        results: list[str] = []
        for _ in range(1 + again):
            before()
            try:
                run()
                results.append("done")
            except h5vidstack.Error as error:
                results.append(f"Error {error}")
            except BaseException:  # noqa: BLE001
                results.append("WRONG " + traceback.format_exc())
            facts = after()
            gc.collect()
            Path("../results").write_text(json.dumps([facts, *results]))
            if again and len(results) == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
        raise SystemExit

    @property
    def results(self) -> list[Any]:
        """What `after` gave, and of each run how it ended."""
        found: list[Any] = json.loads((self.work.parent / "results").read_text())
        return found

    @property
    def said(self) -> str:
        """All words on stderr, but that noise takes more room in a stack than by itself."""
        lines = (self.work.parent / "stderr").read_text().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("the stack takes"))

    def judge(self, operation: Operation) -> str:
        """Whether the output is absent, old, new, or a part of a recording; else what is wrong."""
        _, old, new = self._known[operation.name]

        def look() -> str:
            os.chdir(self.work)
            if operation.run is recorded and Path("out.h5").exists():
                return self._look_at_recording(old, new)
            now = content(operation.target)
            if now is None and old is not None:
                return "WRONG: it has gone"
            word = "absent" if now is None else "old" if now == old else "new"
            return word if now in (None, old, new) else f"WRONG: {now} instead of {old} or {new}"

        try:
            return str(self._forked(look))
        except RuntimeError as error:
            return f"WRONG: {error}"

    def _look_at_recording(self, old: Any, new: Any) -> str:
        told = Path("../promise")
        promised = (told.read_bytes() if told.exists() else b"")[-1:] or b"\0"
        frames = np.load("a.npy")
        try:
            with h5vidstack.open("out.h5") as stack:
                count, pixels, sound = len(stack), stack[:], stack.verify() == []
        except h5vidstack.FormatError:  # half of some metadata was written
            h5vidstack.recover("out.h5", "../good.h5", overwrite=True)
            with h5vidstack.open("../good.h5") as stack:
                assert len(stack) >= promised[0]
                assert np.array_equal(stack[:], frames[: len(stack)])
            return "carved"
        if sound and content("out.h5") in (old, new):
            word = "old" if content("out.h5") == old else "new"
            return word if word == "new" or not promised[0] else "WRONG: old after a promise"
        assert np.array_equal(pixels, frames[:count])
        assert count % CHUNK == 0, count
        assert count >= promised[0], (count, promised)
        if count:
            found = h5vidstack.recover("out.h5", "../good.h5", overwrite=True)
            assert (found.saved, found.lost) == (count, ()), found
            with h5vidstack.open("../good.h5") as stack:
                assert np.array_equal(stack[:], frames[:count])
                assert stack.verify() == []
        return "part"

    def leftovers(self) -> list[str]:
        """Hidden files in the work folder."""
        return sorted(path.name for path in self.work.iterdir() if path.name.startswith("."))

    def kept(self) -> int:
        """Records in the journal of an interrupted run."""
        with contextlib.closing(Journal(self.work / ".out.h5.stack.resume")) as journal:
            return len(journal)


def counted_reuse() -> dict[str, int]:
    """Count what is found in journals and added from here on; give the counts."""
    found, find, add = {"reused": 0, "made": 0}, Journal.find, Journal.add

    def counting(journal: Journal, key: Any) -> Any:
        data = find(journal, key)
        found["reused"] += data is not None
        return data

    def adding(journal: Journal, key: Any, data: Any) -> None:
        found["made"] += 1
        add(journal, key, data)

    mock.patch.multiple(Journal, find=counting, add=adding).start()  # until this process ends
    return found
