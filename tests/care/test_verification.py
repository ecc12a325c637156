"""`verify` finds what is wrong and says where."""

import random
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, wave
from packing import change, packed, problems

import h5vidstack
from h5vidstack.care import verification
from h5vidstack.cli import main
from h5vidstack.codecs import block
from h5vidstack.codecs.recipe import Recipe

FRAMES = moving((40, 20, 30))


@pytest.fixture(autouse=True)
def _packed():
    h5vidstack.pack(FRAMES, "x.h5", method="video")


def test_sound():
    assert problems() == []
    assert problems(FRAMES) == []
    assert problems(iter(FRAMES)) == []


def test_damaged_and_missing_block():
    def work(stack):
        stack["frames"].id.write_direct_chunk((16, 0, 0), b"garbage")

    change(work)
    (problem,) = problems(FRAMES)
    assert "frames 16-31" in problem


def test_a_sound_block_with_other_pixels():
    def work(stack):
        other = FRAMES[:16].copy()
        other[5, 3, 3] ^= 1
        other[7] = 0
        stack["frames"].id.write_direct_chunk((0, 0, 0), block.encode(other, Recipe()))

    change(work)
    assert problems() == ["frames 5, 7: CRC-32 is wrong"]
    assert problems(FRAMES)[1:] == ["frames 5, 7: pixels differ from the source"]


def test_random_damage_is_an_error_or_a_problem_never_another_exception():
    """Bytes flipped anywhere in the file: HDF5's own structures too."""
    h5vidstack.pack(FRAMES[:5, :8, :9], "x.h5", overwrite=True)
    data = Path("x.h5").read_bytes()
    chance = random.Random(0)
    for trial in range(400):
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 5)):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if trial % 8 == 0:
            del damaged[chance.randrange(len(data)) :]
        Path("x.h5").write_bytes(damaged)
        result = CliRunner().invoke(main, ["verify", "x.h5"])
        assert result.exit_code in (0, 1)
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            f"trial {trial}: {result.exception!r}"
        )
        CliRunner().invoke(main, ["info", "x.h5"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("against", "words"),
    [
        (FRAMES[:39], "has 39 frames, the stack 40"),
        (np.concatenate([FRAMES, FRAMES]), "has 80 frames, the stack 40"),
        (FRAMES[:, :19], "frames of (19, 30)"),
        (FRAMES.astype(np.uint16), "uint16"),
        (FRAMES ^ (np.arange(40) == 33).astype(np.uint8)[:, None, None], "frame 33: pixels differ"),
    ],
)
def test_against(against, words):
    (problem,) = problems(against)
    assert words in problem


def test_progress():
    calls = []
    with h5vidstack.open("x.h5") as stack:
        stack.verify(progress=lambda step: calls.append((step.frames, step.total)))
    assert calls == [(16, 40), (32, 40), (40, 40)]


@pytest.mark.parametrize("window", [64 << 20, 1])
def test_tiled_damage_names_the_tile(monkeypatch, window):
    monkeypatch.setattr(verification, "WINDOW_BYTES", window)  # rows over it go one by one
    h5vidstack.pack(FRAMES, "x.h5", tile=(10, 10), overwrite=True)
    change(lambda stack: stack["frames"].id.write_direct_chunk((32, 10, 20), b"x"))
    (problem,) = problems()
    assert "frames 32-39 at (10, 20)" in problem


def test_against_is_bit_for_bit():
    frames = np.zeros((4, 8, 8), np.float32)
    frames[1, 2, 3], frames[2, 2, 3] = np.nan, -0.0
    packed(frames)
    assert h5vidstack.verify("x.h5", against=frames) == []
    (problem,) = h5vidstack.verify("x.h5", against=np.abs(frames))
    assert "frame 2: pixels differ" in problem


def test_against_a_lossy_stack_checks_the_promise():
    frames = wave().astype(np.float32)
    packed(frames, max_error=0.01)
    assert h5vidstack.verify("x.h5", against=frames) == []
    frames[3, 4, 5] += 0.1
    (problem,) = h5vidstack.verify("x.h5", against=frames)
    assert "frame 3: pixels differ from the source by more than the 0.00" in problem


METHODS = ["auto", "video", "groupvideo"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [np.asarray, iter], ids=["array", "iterable"])
def test_verify_compares_copies_too(make, method):
    frames = np.zeros((40, 20, 30), np.uint8)
    frames[::2] = 9
    h5vidstack.pack(frames, "y.h5", method=method)
    assert h5vidstack.verify("y.h5", against=make(frames)) == []
    other = frames.copy()
    other[7], other[30] = 200, 111
    assert h5vidstack.verify("y.h5", against=make(other)) == [
        "frames 7, 30: pixels differ from the source"
    ]
