import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generate_uint8

FRAMES = np.concatenate([generate_uint8((4, 4, 4), (40, 56)), noise((6, 40, 56))])


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_rehash_is_what_packing_stores():
    h5vidstack.pack(FRAMES[::-1], "x.h5::/a/b", method="groupvideo")
    with h5vidstack.open("x.h5", "/a/b") as stack:
        before = [stack.hashes(name) for name in ("phash", "ahash", "dhash")]
    with h5py.File("x.h5", "r+") as file:
        file["a/b/hashes/phash"][3] ^= 1
    assert "hashes/phash is damaged" in " ".join(h5vidstack.verify("x.h5::/a/b"))
    with (
        h5vidstack.open("x.h5", "/a/b") as stack,
        pytest.raises(h5vidstack.FormatError, match="rehash"),
    ):
        stack.find(FRAMES[0])
    done = run("rehash", "x.h5::/a/b")
    assert "hashes of 70 frames stored" in done.output
    assert h5vidstack.verify("x.h5::/a/b") == []
    with h5vidstack.open("x.h5", "/a/b") as stack:
        for name, table in zip(("phash", "ahash", "dhash"), before, strict=True):
            np.testing.assert_array_equal(stack.hashes(name), table)


def test_bare_datasets_have_no_place_for_hashes():
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("d", data=moving((5, 8, 9)), chunks=(5, 8, 9), **h5vidstack.Video())
    for command in (["rehash", "x.h5::/d"], ["find", "x.h5::/d", "--frame", 2]):
        done = run(*command)
        assert done.exit_code == 1
        assert "bare dataset" in done.output
