"""A stack is read where a thread holds h5py's lock, and in threads of others."""

import asyncio
import threading

import h5py
import numpy as np
import pytest
from forking import holds_in_a_fork
from frames import moving
from serving import serving

import h5vidstack

FRAMES = moving((60, 24, 32))


def callback(work):
    """What a function gives that HDF5 calls."""
    results = []
    with h5py.File("runs.h5") as file:
        file.visititems(lambda name, item: results.append(work()) if name == "stack" else None)
    return results[0]


@pytest.fixture
def stack():
    h5vidstack.pack(FRAMES, "runs.h5", chunk_frames=4)
    with h5vidstack.open("runs.h5", cache_bytes=3 * 4 * 24 * 32, workers=2) as stack:
        yield stack


USES = {
    "a frame": lambda stack: np.array_equal(stack[7], FRAMES[7]),
    "many blocks": lambda stack: np.array_equal(stack[3:50], FRAMES[3:50]),
    "all": lambda stack: np.array_equal(stack[:], FRAMES),
    "iteration": lambda stack: np.array_equal(np.stack(list(stack)), FRAMES),
    "search": lambda stack: stack.find(FRAMES[7], 3)[0].distance == 0,
    "verify": lambda stack: stack.verify() == [],
    "refresh": lambda stack: stack.refresh() is None and np.array_equal(stack[9], FRAMES[9]),
}


@pytest.mark.parametrize("use", USES)
def test_in_a_callback_of_hdf5_while_others_read(stack, use):
    stop, wrong = threading.Event(), []

    def read():
        while not stop.is_set():
            if not np.array_equal(stack[10:40], FRAMES[10:40]):
                wrong.append("pixels")

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert callback(lambda: USES[use](stack))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong


def test_stacks_are_opened_and_closed_in_a_callback(stack):
    def look():
        with h5vidstack.open("runs.h5") as other:
            return all(use(other) for use in USES.values())

    assert callback(look)


def test_remote_stacks_are_read_in_a_callback(stack):
    with serving() as server, h5vidstack.open(f"{server.url}/runs.h5") as remote:
        assert callback(lambda: np.array_equal(remote[:], FRAMES))

        def look():
            with h5vidstack.open(f"{server.url}/runs.h5") as other:
                return np.array_equal(other[:], FRAMES)

        assert callback(look)


def test_in_threads_of_asyncio(stack):
    async def read():
        parts = [asyncio.to_thread(stack.read, slice(i, i + 9)) for i in range(0, 50, 5)]
        return await asyncio.gather(*parts)

    for number, part in enumerate(asyncio.run(read())):
        np.testing.assert_array_equal(part, FRAMES[number * 5 : number * 5 + 9])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_in_a_thread_while_others_read(stack):
    stop, results = threading.Event(), []

    def read():
        while not stop.is_set():
            stack[10:40], stack[3]

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            fork = threading.Thread(
                target=lambda: results.append(
                    holds_in_a_fork(lambda: np.array_equal(stack[:], FRAMES))
                )
            )
            fork.start()
            fork.join()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert results == [True] * 8
