"""Finding frames by content."""

import json
from pathlib import Path

import h5py
import imagehash
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from frames import moving, noise
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generate_uint8
from h5vidstack.reading import search

FRAMES = np.concatenate([generate_uint8((4, 4, 4), (40, 56)), noise((6, 40, 56))])


@pytest.fixture
def _packed():
    h5vidstack.pack(FRAMES, "x.h5")


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def popcount(value):
    return bin(int(value)).count("1")


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), st.integers(0, 2**64 - 1))
def test_hamming(values, query):
    found = search.hamming(np.array(values, np.uint64), query)
    assert found.tolist() == [popcount(value ^ query) for value in values]


@given(
    st.lists(
        st.integers(0, 2**64 - 1) | st.integers(0, 63).map(lambda bit: 1 << bit),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 64),
)
def test_near_duplicates_are_those_near_the_first(values, distance):
    table = np.array(values, np.uint64)
    left = list(range(len(values)))
    expected = []
    while left:
        near = [i for i in left if popcount(values[i] ^ values[left[0]]) <= distance]
        left = [i for i in left if i not in near]
        expected += [near] if len(near) > 1 else []
    assert [group.tolist() for group in search.near_duplicates(table, distance)] == expected


@pytest.mark.usefixtures("_packed")
def test_every_frame_finds_itself():
    with h5vidstack.open("x.h5") as stack:
        for number in range(0, len(FRAMES), 3):
            for name in ("phash", "ahash", "dhash"):
                first = stack.find(FRAMES[number], 1, hash=name)[0]
                assert first.rmse == 0
                assert (FRAMES[first.frame] == FRAMES[number]).all()
                assert first.distance == 0


@pytest.mark.usefixtures("_packed")
def test_ranked_by_pixels_among_the_nearest_hashes():
    with h5vidstack.open("x.h5") as stack:
        query = FRAMES[17].copy()
        query[3, 3] ^= 1
        matches = stack.find(query, 5)
        errors = np.sqrt(np.mean((FRAMES[:64].astype(float) - query) ** 2, axis=(1, 2)))
        assert [match.rmse for match in matches] == pytest.approx(np.sort(errors)[:5])
        by_hash = stack.find(query, 70, rerank=False)
        assert all(match.rmse is None for match in by_hash)
        distances = [match.distance for match in by_hash]
        assert distances == sorted(distances)
        assert sorted(match.frame for match in by_hash) == list(range(70))
        near = stack.find(FRAMES[66], 70, max_distance=0)
        assert [match.frame for match in near] == [66]
        library = int(str(imagehash.phash(Image.fromarray(FRAMES[66]))), 16)
        assert int(stack.hashes()[66]) == library
        assert stack.find(Image.fromarray(FRAMES[66]), 1)[0].frame == 66


@pytest.mark.usefixtures("_packed")
def test_queries_of_another_size_or_dtype():
    small = np.asarray(Image.fromarray(FRAMES[66]).resize((90, 70)))
    wide = FRAMES[66].astype(np.uint16) * 200
    colour = np.stack([FRAMES[66]] * 3, axis=-1)
    Image.fromarray(small).save("small.png")
    with h5vidstack.open("x.h5") as stack:
        for query in (small, wide, colour):
            first = stack.find(query, 1)[0]
            assert first.frame == 66
            assert first.rmse is None
    found = run("find", "x.h5", "small.png", "-k", 2)
    assert found.exit_code == 0
    assert "70x90 uint8, frames are 40x56 uint8: it was resized for hashing" in found.stderr
    assert found.stdout.splitlines()[1].split()[:2] == ["66", "-"]


@pytest.mark.usefixtures("_packed")
def test_command_line():
    Image.fromarray(FRAMES[66]).save("q.png")
    np.save("q.npy", FRAMES[66])
    how = {"photometric": "minisblack", "byteorder": ">", "compression": "zlib"}
    tifffile.imwrite("q.tif", FRAMES[66], **how)
    queries = ["q.png", "q.npy", "q.tif", "--frame=66", "--frame=-4"]
    for query in queries:
        found = run("find", "x.h5", query, "-k", 3, "--json")
        assert found.exit_code == 0
        facts = json.loads(found.stdout)
        assert facts["matches"][0] == {"frame": 66, "distance": 0, "rmse": 0.0, "name": None}
        assert facts["note"] is None
        assert len(facts["matches"]) == 3
    assert "66" in run("find", "x.h5", "q.png", "--hash", "dhash", "--max-distance", 3).stdout


@pytest.mark.usefixtures("_packed")
def test_bad_queries():
    Image.fromarray(FRAMES[0]).save(
        "two.tif", save_all=True, append_images=[Image.fromarray(FRAMES[1])]
    )
    np.save("text.npy", np.array(["a"]))
    Path("bad.png").write_bytes(b"nothing")
    for arguments, code, words in [
        (["x.h5"], 2, "QUERY"),
        (["x.h5", "two.tif", "--frame", 3], 2, "QUERY"),
        (["x.h5", "two.tif"], 1, "holds 2 images"),
        (["x.h5", "none.png"], 1, "does not exist"),
        (["x.h5", "."], 1, "is a folder"),
        (["x.h5", "x.h5"], 1, "no image file"),
        (["x.h5", "bad.png"], 1, "bad.png"),
        (["x.h5", "text.npy"], 1, "shape (1,)"),
        (["x.h5", "--frame", 70], 1, "out of bounds"),
        (["none.h5", "--frame", 7], 1, "no such file"),
        (["x.h5", "--frame", 7, "-k", 0], 2, "-k"),
        (["x.h5", "--frame", 7, "--hash", "whash"], 2, "whash"),
    ]:
        done = run("find", *arguments)
        assert done.exit_code == code, (arguments, done.output)
        assert words in done.output
        assert "Traceback" not in done.output
    with h5vidstack.open("x.h5") as stack:
        for work in (
            lambda: stack.find(FRAMES[0], 0),
            lambda: stack.find(FRAMES[0], 1.5),
            lambda: stack.find(FRAMES[0], max_distance=-1),
            lambda: stack.find(FRAMES[0], hash="whash"),
            lambda: stack.find(np.zeros(5)),
            lambda: stack.find(np.zeros((0, 5))),
            lambda: stack.find("q.png"),
            lambda: list(stack.near_duplicates(-1)),
            lambda: stack.near_duplicates(hash="x"),
        ):
            with pytest.raises(h5vidstack.QueryError):
                work()


def test_one_frame_and_all_alike():
    h5vidstack.pack(FRAMES[:1], "one.h5")
    with h5vidstack.open("one.h5") as stack:
        assert [match.frame for match in stack.find(FRAMES[0])] == [0]
        assert list(stack.near_duplicates()) == []


def test_near_duplicates_of_a_stack():
    frames = noise((30, 40, 56))
    frames[[11, 25]] = frames[4]
    frames[25, 0, 0] ^= 1
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert [group.tolist() for group in stack.near_duplicates(2)] == [[4, 11, 25]]


def test_files_without_hashes():
    h5vidstack.pack(moving((9, 20, 24)), "old.h5", hashes=False)
    done = run("find", "old.h5", "--frame", 3)
    assert done.exit_code == 1
    assert "add them with: h5vidstack rehash" in done.output
    before = Path("old.h5").read_bytes()
    assert run("rehash", "old.h5").exit_code == 0
    assert (
        json.loads(run("find", "old.h5", "--frame", 3, "--json").stdout)["matches"][0]["rmse"] == 0
    )
    assert run("verify", "old.h5").exit_code == 0
    with h5py.File("old.h5", "r+") as file:
        del file["stack/hashes"]
        damaged = file["stack/groups/000000/video"].id
        damaged.write_direct_chunk((0, 0, 0), b"bad")
    broken = Path("old.h5").read_bytes()
    assert run("rehash", "old.h5").exit_code == 1
    assert Path("old.h5").read_bytes() == broken != before
    assert run("rehash", "none.h5").exit_code == 1
