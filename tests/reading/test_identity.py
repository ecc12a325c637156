"""A stack is bound to the file that it opened."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from forking import holds_in_a_fork
from frames import moving

import h5vidstack
from h5vidstack.care import rehashing

FRAMES = moving((60, 16, 20))
OTHER = moving((40, 16, 20), 3).astype("u2") + 1000


def overwrite():
    h5vidstack.pack(OTHER, "x.h5", overwrite=True)


def append():
    h5vidstack.pack(FRAMES[:9], "x.h5", mode="a")


def rehash():
    rehashing.rehash("x.h5")


def remove():
    os.unlink("x.h5")


def touch():
    os.utime("x.h5", ns=(1, 1))


CHANGES = [overwrite, append, rehash, remove]


@pytest.fixture
def stack():
    h5vidstack.pack(FRAMES, "x.h5", chunk_frames=8)
    with h5vidstack.open("x.h5") as stack:
        stack[0]
        yield stack


def is_right(stack):
    return (
        (len(stack), stack.shape, stack.dtype) == (60, FRAMES.shape, FRAMES.dtype)
        and np.array_equal(stack[:], FRAMES)
        and np.array_equal(stack[-1], FRAMES[-1])
        and np.array_equal(np.stack(list(stack)), FRAMES)
    )


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("change", CHANGES)
def test_forks_and_copies_read_what_was_opened(stack, change):
    pickled = pickle.dumps(stack)
    change()
    assert is_right(stack)
    assert holds_in_a_fork(lambda: is_right(stack))
    for again in (copy.copy(stack), copy.deepcopy(stack)):
        with again:
            assert is_right(again)
            assert again == stack
    error = h5vidstack.FormatError if change is remove else h5vidstack.FileChangedError
    with pytest.raises(error):
        pickle.loads(pickled)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (overwrite, "another stack"),
        (append, "9 frames were added"),
        (rehash, "something beside its frames"),
        (touch, "time of change"),
    ],
)
def test_another_process_is_told_what_changed(stack, change, words):
    data = pickle.dumps(stack)
    stack.close()
    change()
    with pytest.raises(h5vidstack.FileChangedError, match=f"x.h5::/stack has changed.*{words}"):
        pickle.loads(data)


def test_bytes_that_are_written_over_are_not_shown(stack):
    """`cp` writes into the file that is there."""
    h5vidstack.pack(FRAMES[::-1].copy(), "y.h5", chunk_frames=8)
    shutil.copyfile("y.h5", "x.h5")
    for look in (lambda: stack[3], lambda: stack[:], lambda: list(stack), lambda: stack[50]):
        with pytest.raises(h5vidstack.FileChangedError, match="x.h5 has changed"):
            look()
    with pytest.raises(h5vidstack.FileChangedError, match="close what reads it"):
        h5vidstack.open("x.h5")  # HDF5 would mix what it knows of the file with what it holds now
    stack.close()
    with h5vidstack.open("x.h5") as fresh:
        np.testing.assert_array_equal(fresh[:], FRAMES[::-1])


def test_refresh_takes_the_same_stack_with_more_frames(stack):
    append()
    rehash()
    stack.refresh()
    np.testing.assert_array_equal(stack[:], np.concatenate([FRAMES, FRAMES[:9]]))
    shown = stack[:]
    for change in (overwrite, lambda: h5vidstack.pack(FRAMES, "x.h5", overwrite=True)):
        change()
        with pytest.raises(h5vidstack.FileChangedError, match="another stack; open it again"):
            stack.refresh()
        with pytest.raises(h5vidstack.FileChangedError):
            stack.append(FRAMES[:1])
        np.testing.assert_array_equal(stack[:], shown)


def test_refresh_does_not_take_fewer_frames(stack):
    shutil.copyfile("x.h5", "old.h5")
    append()
    stack.refresh()
    os.replace("old.h5", "x.h5")
    with pytest.raises(h5vidstack.FileChangedError, match="it had 69 frames and has 60"):
        stack.refresh()


def test_each_change_renews_the_uuid_and_growth_keeps_the_lineage():
    seen = []

    def look():
        with h5py.File("x.h5") as file:
            seen.append((file["stack"].attrs["uuid"], file["stack"].attrs["lineage"]))

    h5vidstack.pack(FRAMES, "x.h5", hashes=False)
    look()
    for change in (append, rehash, append):
        change()
        look()
    assert len({uuid for uuid, _ in seen}) == 4
    assert {lineage for _, lineage in seen} == {seen[0][0]}
    overwrite()
    look()
    assert seen[-1][0] == seen[-1][1] not in [uuid for uuid, _ in seen[:-1]]
    h5vidstack.link(["x.h5"], "all.h5")
    with h5py.File("all.h5") as file:
        assert file["stack"].attrs["uuid"] not in [uuid for uuid, _ in seen]


def test_equal_are_those_of_one_state_of_one_file(stack):
    with h5vidstack.open("x.h5", cache_bytes=0) as same:
        assert same == stack
        assert len({same, stack}) == 1
        assert same.__dask_tokenize__() == stack.__dask_tokenize__()
    append()
    with h5vidstack.open("x.h5") as other:
        assert other != stack
        assert len({other, stack}) == 2
        assert other.__dask_tokenize__() != stack.__dask_tokenize__()


def test_a_dataset_without_a_stack_is_told_by_its_file():
    def write(frames, mode):
        with h5py.File("bare.h5", mode) as file:
            data = file.require_dataset(
                "d", (0, 16, 20), "u1", maxshape=(None, 16, 20), chunks=(4, 16, 20),
                **h5vidstack.Video(),
            ) if mode == "w" else file["d"]  # fmt: skip
            data.resize(len(data) + len(frames), 0)
            data[-len(frames) :] = frames

    write(FRAMES, "w")
    with h5vidstack.open("bare.h5", "/d") as stack:
        data = pickle.dumps(stack)
        with pickle.loads(data) as same:
            assert same == stack
    write(FRAMES[:4], "a")
    with pytest.raises(h5vidstack.FileChangedError):
        pickle.loads(data)
    with h5vidstack.open("bare.h5", "/d") as stack:
        Path("bare.h5").unlink()
        write(FRAMES, "w")
        write(FRAMES, "a")
        with pytest.raises(h5vidstack.FileChangedError, match="another stack"):
            stack.refresh()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_recording_is_seen_as_far_as_it_was():
    with h5vidstack.create("live.h5", (16, 20), "u1", chunk_frames=8) as recorder:
        for frame in FRAMES[:25]:
            recorder.write(frame)
        recorder.flush()
        with h5vidstack.open("live.h5") as stack:
            seen = len(stack)
            assert 16 <= seen < 25
            data = pickle.dumps(stack)
            for frame in FRAMES[25:50]:
                recorder.write(frame)
            recorder.flush()
            assert holds_in_a_fork(lambda: np.array_equal(stack[:], FRAMES[:seen]))
        script = "import pickle, sys; s = pickle.load(sys.stdin.buffer); print(len(s), s[:].sum())"
        assert fresh_python(script, data) == f"{seen} {FRAMES[:seen].sum()}"


def fresh_python(script, data):
    done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True)
    return done.stdout.decode().strip()


def test_a_part_that_changes_is_told():
    h5vidstack.pack(FRAMES, "x.h5")
    h5vidstack.link(["x.h5"], "all.h5")
    with h5vidstack.open("all.h5") as stack:
        data = pickle.dumps(stack)
        append()
        assert is_right(stack)
        with pytest.raises(h5vidstack.FileChangedError, match=r"part x\.h5 changed"):
            pickle.loads(data)
    with h5vidstack.open("all.h5") as stack:  # the frames that were linked are still there
        assert is_right(stack)


def test_dask_and_joblib_name_a_stack_by_what_it_holds(stack):
    array = pytest.importorskip("dask.array")
    joblib = pytest.importorskip("joblib")

    def names(one):
        return (array.from_array(one).name, one.to_dask().name, joblib.hash(one))

    with h5vidstack.open("x.h5") as same:
        assert names(same) == names(stack)
    h5vidstack.pack(FRAMES[::-1].copy(), "x.h5", overwrite=True)
    with h5vidstack.open("x.h5") as other:
        assert not set(names(other)) & set(names(stack))
        both = array.concatenate([array.from_array(one) for one in (stack, other)])
        wanted = np.concatenate([FRAMES, FRAMES[::-1]])
        np.testing.assert_array_equal(both.compute(scheduler="threads"), wanted)
        difference = stack.to_dask().astype("i4") - other.to_dask()
        assert difference.compute(scheduler="threads").any()


def test_overwritten_metadata():
    frames = moving((12, 16, 20))
    for name, factor in (("x.h5", 1.0), ("y.h5", 7.0)):
        h5vidstack.pack(
            frames,
            name,
            coords={"time": np.arange(12) * factor, "name": [f"{name}{i}" for i in range(12)]},
        )
    looks = (
        lambda stack: stack.coords["time"].values,
        lambda stack: stack.names,
        lambda stack: stack.source.files,
        lambda stack: dict(stack.source.words),
        lambda stack: stack.metadata,
        lambda stack: stack.find(frames[0], rerank=False),
    )
    for look in looks:
        shutil.copyfile("x.h5", "z.h5")
        with h5vidstack.open("z.h5") as stack:
            known = stack.coords["name"]  # which is not read yet
            shutil.copyfile("y.h5", "z.h5")
            with pytest.raises(h5vidstack.FileChangedError, match="z.h5 has changed"):
                look(stack)
            with pytest.raises(h5vidstack.FileChangedError, match="z.h5 has changed"):
                np.asarray(known)
