import json

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
