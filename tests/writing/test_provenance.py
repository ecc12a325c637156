import json

import av
import h5py
from frames import moving

import h5vidstack
from h5vidstack.writing.provenance import settings


def test_a_file_keeps_what_was_asked_for_and_done():
    h5vidstack.pack(moving((20, 17, 23)), "x.h5", preset="ffv1", verify=False, chunk_frames=7)
    with h5py.File("x.h5") as file:
        kept = json.loads(file["stack"].attrs["settings"])
    assert kept["codings"] == ["ffv1"]
    assert kept["chunk"] == [7, 17, 23]
    assert kept["verified"] is False
    assert kept["order"].startswith("time order")
    assert kept["libraries"]["PyAV"] == av.__version__


def test_every_way_of_writing_says_the_same_of_itself():
    frames = moving((20, 17, 23))
    names = set(settings(method="auto", order="as it came", codings=["raw"], chunk=(1, 2, 3)))
    h5vidstack.pack(frames, "packed.h5")
    h5vidstack.pack(frames, "pca.h5", method="pca", components=2)
    with h5vidstack.create("recorded.h5", (17, 23), "u1") as recorder:
        for frame in frames:
            recorder.write(frame)
    for name in ("packed.h5", "pca.h5", "recorded.h5"):
        with h5vidstack.open(name) as stack:
            assert names <= set(stack.attrs["settings"]), name


def test_what_else_there_is_to_say_comes_along():
    made = settings(method="m", order="o", codings=("a", "b"), chunk=(1, 2), clusters=3)
    assert (made["codings"], made["clusters"], made["verified"]) == (["a", "b"], 3, True)
