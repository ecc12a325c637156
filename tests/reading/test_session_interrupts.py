"""Ctrl-C while a stack is read: then it is as good as before."""

import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
from frames import moving
from interrupting import comes_back, instructions, interrupted, interrupted_at, moments
from serving import serving

import h5vidstack

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")

FRAMES = moving((48, 24, 32))
SETTINGS = {"cache_bytes": 3 * 6 * 24 * 32, "workers": 2}
TASKS = Path("/proc/self/task")


def count_threads():
    return len(os.listdir(TASKS)) if TASKS.exists() else 0


def into_an_array(stack):
    out = np.empty((30, 24, 32), "u1")
    stack.read(np.s_[3:33], out=out)
    return out


READS = {
    "one block": (lambda stack: stack[11], FRAMES[11]),
    "several blocks": (lambda stack: stack[8:20], FRAMES[8:20]),
    "past the cache": (lambda stack: stack[:], FRAMES),
    "into an array": (into_an_array, FRAMES[3:33]),
    "iteration": (lambda stack: np.stack(list(stack)), FRAMES),
}


@pytest.fixture
def stack():
    h5vidstack.pack(FRAMES, "x.h5", method="video", chunk_frames=6)
    with h5vidstack.open("x.h5", **SETTINGS) as stack:
        yield stack


@pytest.mark.parametrize("name", READS)
def test_at_random_moments(stack, name, long):
    read, wanted = READS[name]
    read(stack)
    before = count_threads()
    for _, moment in zip(range(2000 if long else 60), moments(random.Random(name), 4e-3)):
        interrupted(lambda: read(stack), moment)
        assert np.array_equal(comes_back(lambda: read(stack)), wanted)
    assert count_threads() <= before + 1


@pytest.mark.parametrize("name", READS)
def test_at_instructions(stack, name, long):
    read, wanted = READS[name]
    chance = random.Random(name)
    read(stack)
    before = count_threads()
    count = instructions(lambda: read(stack))
    numbers = range(1, count + 1) if long else sorted(chance.sample(range(1, count + 1), 60))
    for number in numbers:
        if chance.random() < 0.3:
            stack.live().cache.__init__(SETTINGS["cache_bytes"])  # all must be decoded
        interrupted_at(lambda: read(stack), number)
        assert np.array_equal(comes_back(lambda: read(stack)), wanted), number
    assert count_threads() <= before + 1


def test_while_threads_begin(long):
    """The first read starts the threads."""
    h5vidstack.pack(FRAMES, "x.h5", method="video", chunk_frames=6)
    before = count_threads()
    with h5vidstack.open("x.h5", **SETTINGS) as stack:
        count = instructions(lambda: stack[:])
    for number in random.Random(0).sample(range(1, count + 1), 400 if long else 40):
        with h5vidstack.open("x.h5", **SETTINGS) as stack:
            interrupted_at(lambda: stack[:], number)
            assert np.array_equal(comes_back(lambda: stack[:]), FRAMES)
    assert count_threads() <= before + 2


def test_of_a_remote_stack(long):
    h5vidstack.pack(FRAMES, "x.h5", method="video", chunk_frames=6)
    chance = random.Random(1)
    with serving() as server, h5vidstack.open(f"{server.url}/x.h5", **SETTINGS) as stack:
        for _, moment in zip(range(1000 if long else 60), moments(chance, 8e-3)):
            interrupted(lambda: stack[:], moment)
            first = chance.randrange(40)
            found = comes_back(lambda first=first: stack[first : first + 8])
            assert np.array_equal(found, FRAMES[first : first + 8])
