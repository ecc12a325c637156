"""Executors of every kind, and the proof that they write what threads write."""

import functools
import multiprocessing
import os
import tempfile
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from frames import moving, noise, pixels
from joblib.externals import loky

import h5vidstack

FRAMES = moving((70, 40, 50))
SHUFFLED = FRAMES[np.random.default_rng(0).permutation(70)]
VARIES = {"uuid", "lineage", "created", "settings", "frames_crc32"}
REFERENCES = {"DIMENSION_LIST", "REFERENCE_LIST"}
"""Attributes that hold the places of objects in the file, which differ; see `referred`."""
WAYS = {
    "video": (FRAMES, {"method": "video", "explain": True}),
    "tiles": (FRAMES, {"method": "video", "tile": (16, 32), "chunk_frames": 5}),
    "piles": (SHUFFLED, {"method": "groupvideo", "profile": "fast"}),
    "copies": (FRAMES[[3, 3, 4, 5, 3]], {}),
    "one": (FRAMES[:1, :1, :1], {}),
    "floats": (pixels((20, 9, 8), ">f4"), {"max_error": 0.25}),
    "lossy": (FRAMES, {"crf": 20}),
    "colour": (moving((20, 16, 18, 3)), {"preset": "ffv1"}),
    "group": (SHUFFLED, {"method": "group"}),
    "hdf5gz": (FRAMES, {"method": "hdf5gz"}),
    "pca": (FRAMES, {"method": "pca", "components": 3, "exact": True}),
}


class Here(Executor):
    """Does its work when it is given; of no number of workers."""

    def submit(self, work, /, *arguments, **options):
        done = Future()
        try:
            done.set_result(work(*arguments, **options))
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)
        return done


def processes(method):
    return ProcessPoolExecutor(2, multiprocessing.get_context(method))


EXECUTORS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "fork": lambda: processes("fork"),
    "forkserver": lambda: processes("forkserver"),
    "spawn": lambda: processes("spawn"),
    "loky": lambda: loky.get_reusable_executor(2),
    "own": Here,
}


def referred(node, key):
    """The paths of what an attribute of HDF5's dimension scales refers to."""
    if key == "DIMENSION_LIST":
        return [[node.file[scale].name for scale in scales] for scales in node.attrs[key]]
    return sorted((node.file[found].name, int(axis)) for found, axis in node.attrs[key])


def contents(path):
    """Everything in a file but what says when and how it was made: objects, blocks, attributes."""
    found = {}

    def visit(name, node):
        keys = node.attrs.keys() - VARIES
        found[name] = [
            {key: np.asarray(node.attrs[key]).tolist() for key in keys - REFERENCES},
            {key: referred(node, key) for key in keys & REFERENCES},
        ]
        if isinstance(node, h5py.Dataset):
            found[name] += [node.shape, node.dtype.str, node.chunks]
            if node.chunks:  # of a virtual dataset the stack has a CRC, among its attributes
                places = [
                    node.id.get_chunk_info(i).chunk_offset for i in range(node.id.get_num_chunks())
                ]
                found[name] += [(at, node.id.read_direct_chunk(at)) for at in places]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@functools.cache
def packed_here(name):
    frames, options = WAYS[name]
    with tempfile.TemporaryDirectory() as folder:
        h5vidstack.pack(frames, f"{folder}/x.h5", **options)
        return contents(f"{folder}/x.h5")


def same_as_local(executor, ways):
    for name in ways:
        frames, options = WAYS[name]
        h5vidstack.pack(frames, "far.h5", overwrite=True, executor=executor, **options)
        if name != "lossy":  # x264 with crf is not repeatable: one block in 200 differs here, too
            assert contents("far.h5") == packed_here(name), name
        assert h5vidstack.verify("far.h5", against=frames) == []


# --- errors


def fails(executor, said, frames=FRAMES, **options):
    """Pack with an executor that does not work; nothing is left."""
    before = sorted(os.listdir())
    with pytest.raises(h5vidstack.WorkerError, match=said):
        h5vidstack.pack(frames, "x.h5", executor=executor, **options)
    assert sorted(os.listdir()) == before


def deadly(after, kill):
    """Frames, on the way to which something is killed."""
    for number, frame in enumerate(noise((200, 100, 100))):
        if number == after:
            kill()
        yield frame
