import json
from pathlib import Path

import h5py
from commands import run
from frames import moving

import h5vidstack


def test_info_of_a_bare_dataset():
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("d", data=moving((4, 9, 9)), chunks=(2, 9, 9), **h5vidstack.Video())
    assert "(bare dataset)" in run("info", "x.h5::/d").output


def test_verify_exits_1_with_the_list(images):
    run("pack", "imgs", "x.h5")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].id.write_direct_chunk((16, 0, 0), b"garbage")
    result = run("verify", "x.h5", code=1)
    assert "frames 16-19" in result.output
    assert "1 problem" in result.output
    assert json.loads(run("verify", "x.h5", "--json", code=1).output)["sound"] is False


def test_one_of_several_stacks_cannot_be_read():
    frames = moving((6, 16, 20))
    h5vidstack.pack(frames, "part.h5")
    h5vidstack.link(["part.h5"], "many.h5::/a/linked")
    for name in ("a/whole", "b"):
        h5vidstack.pack(frames, f"many.h5::/{name}")
    Path("part.h5").unlink()
    for command in (["ls"], ["info"], ["verify"]):
        said = run(*command, "many.h5", code=1)
        assert "/a/linked: " in said.output
        assert "needs its part part.h5" in said.output
        assert "/a/whole" in said.output
        assert "/b" in said.output
        facts = json.loads(run(*command, "many.h5", "--json", code=1).output)
        assert ["error" in stack for stack in facts] == [True, False, False]
    said = run("info", "many.h5::/a/linked", code=1)
    assert said.output.startswith("Error: ")


def test_all_stacks_of_a_group():
    for name in ("a/x", "a/z", "b"):
        h5vidstack.pack(moving((6, 16, 20)), f"many.h5::/{name}")
    for command, count in (("info", 2), ("verify", 2), ("ls", 2)):
        assert len(json.loads(run(command, "many.h5::/a", "--json").output)) == count
    assert json.loads(run("info", "many.h5::/a/x", "--json").output)["stack"] == "/a/x"
    run("info", "many.h5::/c", code=1)
