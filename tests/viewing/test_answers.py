"""Answers to what pages ask, and to what they had better not."""

import os

import h5py
import numpy as np
import pytest
from frames import DTYPES, moving, pixels

import h5vidstack
from h5vidstack.viewing.answers import Answers


@pytest.fixture
def asking():
    """Ask about a file, as often as is liked."""
    opened = []

    def ask(path="x.h5", **question):
        if not opened:
            opened.append(h5vidstack.open(path))
        return Answers(opened[0]).answer(question)

    yield ask
    for stack in opened:
        stack.close()


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_of_every_dtype(asking, dtype):
    frames = pixels((5, 16, 20), dtype)
    h5vidstack.pack(frames, "x.h5")
    answer = asking(ask="frames", numbers=[1, 4, 2], rows=[3, 16], columns=[0, 7], factor=1)
    sent = "u1" if dtype == "?" else np.dtype(dtype).newbyteorder("<")
    assert answer.facts == {"numbers": [1, 4, 2], "shape": (13, 7), "problems": {}}
    assert bytes(answer.samples) == frames[[1, 4, 2], 3:16, :7].astype(sent).tobytes()


def test_colour_and_all_of_a_frame(asking):
    frames = moving((3, 16, 20, 3))
    h5vidstack.pack(frames, "x.h5")
    answer = asking(ask="frames", numbers=[2], factor=1)
    assert answer.facts["shape"] == (16, 20, 3)
    assert bytes(answer.samples) == frames[2].tobytes()


def test_strip_and_similar(asking):
    frames = moving((30, 60, 70))[np.random.default_rng(0).permutation(30)]
    frames[8] = frames[3]
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    answer = asking(ask="strip", bins=100)
    assert answer.facts["bins"] == 30
    assert answer.facts["copies"] == 1
    assert len(answer.samples) == 30 * 5
    answer = asking(ask="similar", number=8, bins=30, count=4)
    first, *others = answer.facts["matches"]
    assert (first["frame"], first["same"], first["rmse"], first["distance"]) == (3, True, 0.0, 0)
    assert len(others) == 3
    assert all(match["frame"] != 8 and not match["same"] for match in others)
    assert answer.samples[8] == answer.samples[3] == 0
    assert len(answer.samples) == 30


def test_without_hashes(asking):
    with h5py.File("x.h5", "w") as file:
        data = moving((3, 16, 20))
        file.create_dataset("data", data=data, **h5vidstack.Video())
    answer = asking("x.h5::/data", ask="similar", number=0, bins=3, count=2)
    assert answer.facts["kind"] == "FormatError"
    assert asking(ask="frame", number=2).facts["same_count"] == 0
    assert asking(ask="stack").facts["frames"] == 3


@pytest.mark.parametrize(("question", "words"), [
    ({}, "no question None"),
    ({"ask": "secrets"}, "no question 'secrets'; ask one of stack, frames"),
    ({"ask": "frames"}, "numbers must be a list"),
    ({"ask": "frames", "numbers": ["1"], "factor": 1}, "numbers is '1'"),
    ({"ask": "frames", "numbers": [True], "factor": 1}, "numbers is True"),
    ({"ask": "frames", "numbers": [1.5], "factor": 1}, "numbers is 1.5"),
    ({"ask": "frames", "numbers": [3], "factor": 1}, "there is no frame 3"),
    ({"ask": "frames", "numbers": [1], "factor": 0}, "factor is 0"),
    ({"ask": "frames", "numbers": [1], "factor": 1, "rows": 5}, "rows is 5"),
    ({"ask": "frames", "numbers": [1], "factor": 1, "rows": [0, 99]}, "no rows 0 to 99"),
    ({"ask": "frame", "number": 3}, "number is 3; it must be a whole number from 0 to 2"),
    ({"ask": "strip", "bins": 0}, "bins is 0"),
    ({"ask": "similar", "number": 0, "bins": 1, "count": 1000}, "count is 1000"),
])  # fmt: skip
def test_nonsense(asking, question, words):
    h5vidstack.pack(moving((3, 16, 20)), "x.h5")
    facts = asking(**question).facts
    assert facts["kind"] == "QueryError"
    assert words in facts["problem"]


def test_questions_that_are_no_mappings():
    h5vidstack.pack(moving((3, 16, 20)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        for question in (None, [], "stack", 3):
            assert Answers(stack).answer(question).facts["kind"] == "QueryError"


def damage(path, chunk):
    """Change a byte in the middle of a chunk."""
    with h5py.File(path) as file:
        found = file["stack/groups/000000/video"].id.get_chunk_info(chunk)
    with open(path, "r+b") as file:
        file.seek(found.byte_offset + found.size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def test_damaged_frames_are_named_and_others_sent(asking):
    frames = moving((40, 50, 60))
    h5vidstack.pack(frames, "x.h5", profile="fast", chunk_frames=8)
    damage("x.h5", 2)
    answer = asking(ask="frames", numbers=[14, 15, 16, 23, 24], factor=1)
    assert set(answer.facts["problems"]) == {"16", "23"}
    assert all("frames 16-23" in words for words in answer.facts["problems"].values())
    samples = np.frombuffer(answer.samples, "u1").reshape(5, 50, 60)
    np.testing.assert_array_equal(samples[[0, 1, 4]], frames[[14, 15, 24]])
    assert asking(ask="frames", numbers=[17], factor=1).facts["kind"] == "BlockError"


def test_a_file_that_changed(asking):
    h5vidstack.pack(moving((40, 50, 60)), "x.h5", profile="fast")
    assert "problem" not in asking(ask="stack").facts
    with open("x.h5", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    os.utime("x.h5", (1, 1))
    answer = asking(ask="frames", numbers=[30, 31], factor=1)
    assert answer.facts["kind"] == "FileChangedError"
    assert "changed" in answer.facts["problem"]


def test_a_closed_stack():
    h5vidstack.pack(moving((3, 16, 20)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        answers = Answers(stack)
    assert answers.answer({"ask": "frames", "numbers": [0], "factor": 1}).facts["kind"] == (
        "ClosedError"
    )
