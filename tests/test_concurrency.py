"""Threads, processes, garbage, exits and signals: right pixels, and nothing left behind."""

import gc
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from forking import holds_in_a_fork
from frames import moving

import h5vidstack
from h5vidstack.layout.stack_group import Layout

SHAPE = (300, 24, 32)
CACHE = 3 * 16 * 24 * 32  # three blocks: most of what is read was evicted before
WORKERS = 2

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def stack():
    h5vidstack.pack(moving(SHAPE), "x.h5", preset="x264-fast", tile=(16, 32))
    with h5vidstack.open("x.h5", cache_bytes=CACHE, workers=WORKERS) as opened:
        yield opened


def read_at_random(stack, frames, seed, going_on):
    """Compare reads with numpy as long as `going_on()`; the keys that gave something else."""
    chance, wrong, n = random.Random(seed), [], len(frames)
    while going_on():
        i, j = chance.randrange(n), chance.randrange(n)
        y, x = chance.randrange(24), chance.randrange(32)
        keys = i, slice(i, j, chance.choice([1, 5])), [i, j, 7, j], np.s_[i : i + 20, y:, :x]
        key = chance.choice(keys)
        if not np.array_equal(stack[key], frames[key]):
            wrong.append(key)
    return wrong


def readers(count, stack, frames, stop, wrong):
    """Threads that read at random until `stop`; what is wrong goes to a list."""

    def work(seed):
        try:
            wrong.extend(read_at_random(stack, frames, seed, lambda: not stop.is_set()))
        except BaseException as error:  # noqa: BLE001
            wrong.append(error)

    return [threading.Thread(target=work, args=(seed,)) for seed in range(count)]


def in_process(stack, seed):
    left = iter(range(100))
    wrong = read_at_random(stack, moving(SHAPE), seed, lambda: next(left, None) is not None)
    sys.exit(1 if wrong else 0)


def test_threads_and_processes_read_together(stack):
    frames, stop, wrong = moving(SHAPE), threading.Event(), []

    threads = readers(4, stack, frames, stop, wrong)
    for thread in threads:
        thread.start()
    children = []
    for number, method in enumerate(["fork", "spawn", "fork"]):
        context = multiprocessing.get_context(method)
        children.append(context.Process(target=in_process, args=(stack, 100 + number)))
        children[-1].start()
    for child in children:
        child.join(60)
    stop.set()
    for thread in threads:
        thread.join()
    assert [child.exitcode for child in children] == [0] * len(children)
    assert not wrong


_mine = None


def _begin(data):
    global _mine
    _mine = pickle.loads(data)


def _batch(numbers):
    return os.getpid(), _mine[numbers]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_loader_of_shuffled_batches(stack, method):
    frames = moving(SHAPE)
    stack[5:40]  # threads of the pool run when the workers are forked
    with ProcessPoolExecutor(
        2, multiprocessing.get_context(method), _begin, (pickle.dumps(stack),)
    ) as pool:
        for epoch in range(2):
            order = np.random.default_rng(epoch).permutation(len(frames))
            batches = np.array_split(order, 20)
            for numbers, (process, batch) in zip(batches, pool.map(_batch, batches), strict=True):
                assert process != os.getpid()
                np.testing.assert_array_equal(batch, frames[numbers])


def test_a_fork_while_a_thread_reads_the_index(monkeypatch):
    scenes = np.concatenate([moving((20, 24, 32), seed) for seed in (0, 1)] * 2)
    h5vidstack.pack(scenes, "x.h5", method="groupvideo")
    reading, go_on, places = threading.Event(), threading.Event(), Layout.places

    def slowly(layout):
        reading.set()
        go_on.wait(30)
        return places(layout)

    monkeypatch.setattr(Layout, "places", slowly)
    with h5vidstack.open("x.h5") as stack:
        thread = threading.Thread(target=lambda: stack[3])
        thread.start()
        assert reading.wait(30)

        def is_read():
            monkeypatch.undo()
            return np.array_equal(stack[30], scenes[30])

        held = holds_in_a_fork(is_read)
        go_on.set()
        thread.join()
    assert held


def test_garbage_is_collected_while_others_decode(stack):
    frames, stop, wrong = moving(SHAPE), threading.Event(), []

    def count():
        gc.collect()
        return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

    def count_threads():
        return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0

    threads = readers(4, stack, frames, stop, wrong)
    before, alive = count(), count_threads()
    for thread in threads:
        thread.start()
    for number in range(8):
        dropped = h5vidstack.open("x.h5", cache_bytes=CACHE)
        half_read = iter(dropped)
        np.testing.assert_array_equal(next(half_read), frames[0])
        np.testing.assert_array_equal(dropped[number], frames[number])
        cycle = [dropped, half_read]
        cycle.append(cycle)  # only the collector finds it
        del dropped, half_read, cycle
        gc.collect()
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    for _ in range(200):  # threads of dropped stacks end on their own
        if count_threads() <= alive + WORKERS:
            break
        time.sleep(0.05)
    assert count_threads() <= alive + WORKERS
    assert count() <= before + 2


EXITS = {
    "iterating": "for i, frame in enumerate(stack):\n    if i == 40: sys.exit(0)",
    "generator_left": "frames = iter(stack); next(frames)",
    "thread_reads": """
def work():
    for i in range(60):
        assert np.array_equal(stack[i : i + 80], frames[i : i + 80])
    assert sum(1 for _ in stack) == 300
    print("read all")
threading.Thread(target=work).start()""",
    "daemon_reads": """
def work():
    while True:
        stack[:80], stack[100], next(iter(stack))
        read.set()
read = threading.Event()
threading.Thread(target=work, daemon=True).start()
read.wait()""",
    "closed_by_with": "with stack: frames = iter(stack); next(frames)",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_interpreter_exits_during_a_read(stack, how):
    np.save("frames.npy", moving(SHAPE))
    code = (
        "import sys, threading, numpy as np, h5vidstack\n"
        "frames = np.load('frames.npy')\n"
        f"stack = h5vidstack.open('x.h5', cache_bytes={CACHE})\n"
        f"{EXITS[how]}\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == ("read all\n" if how == "thread_reads" else "")


def begun():
    """Whether a command has begun to write: of what is no HDF5, some must be there."""
    found = [path for path in Path().iterdir() if path.name.endswith(".tmp")]
    return any(
        ".h5." in path.name or (any(path.iterdir()) if path.is_dir() else path.stat().st_size)
        for path in found
    )


def interrupted(number, wait, *arguments):
    """Exit code and words of a command that gets a signal so long after it began to write."""
    process = subprocess.Popen(
        [sys.executable, "-m", "h5vidstack", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        while not begun():  # until then Python starts, and a signal is not ours
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        time.sleep(wait)
        process.send_signal(number)
        output, words = process.communicate(timeout=60)
    finally:
        process.kill()
    assert output == ""
    return process.returncode, words


@pytest.fixture(scope="module")
def long_stack(tmp_path_factory):
    """What takes seconds to pack; a stack that takes about one to unpack or to hash."""
    folder = tmp_path_factory.mktemp("long")
    frames = np.tile(moving((2000, 40, 60)), (1, 4, 4))
    frames[:, 0, :2] = np.arange(2000, dtype="<u2")[:, None].view(np.uint8)  # none is a copy
    np.save(folder / "a.npy", frames)
    h5vidstack.pack(frames, folder / "x.h5", preset="ffv1", hashes=False, verify=False)
    return folder


ENDS = {signal.SIGINT: (130, "\nAborted!\n"), signal.SIGTERM: (143, "")}
COMMANDS = [
    ("pack a.npy out.h5 --overwrite", 0.3, signal.SIGINT),
    ("pack a.npy out.h5 --overwrite", 0, None),
    ("pack x.h5 out.h5 --overwrite --preset x264-slow --method video", 0.3, None),
    ("unpack x.h5 out.npy --overwrite", 0, None),
    ("unpack x.h5 folder", 0, signal.SIGTERM),
    ("rehash x.h5", 0.05, None),
]
"""What is run, how long after it began to write the signal comes, and which one in a short run."""


@pytest.mark.parametrize(
    ("command", "wait", "number"),
    [
        pytest.param(command, wait, number, marks=[pytest.mark.long] * (number != short))
        for command, wait, short in COMMANDS
        for number in ENDS
    ],
)
def test_a_signal_leaves_nothing(long_stack, command, wait, number):
    os.link(long_stack / "a.npy", "a.npy")
    Path("x.h5").write_bytes((long_stack / "x.h5").read_bytes())
    old = {"out.h5": (long_stack / "x.h5").read_bytes(), "out.npy": b"old"}
    for name, data in old.items():
        Path(name).write_bytes(data)
    assert interrupted(number, wait, *command.split()) == ENDS[number]
    assert sorted(os.listdir()) == ["a.npy", "out.h5", "out.npy", "x.h5"]
    assert {name: Path(name).read_bytes() for name in old} == old
    assert Path("x.h5").read_bytes() == (long_stack / "x.h5").read_bytes()
