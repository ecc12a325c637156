"""What the viewer says of stacks and frames."""

import json

import numpy as np
import pytest
from frames import DTYPES, moving, pixels
from PIL import Image

import h5vidstack
from h5vidstack.text import json_text
from h5vidstack.viewing.page_facts import frame_facts, stack_facts
from h5vidstack.viewing.time_line import read_time_line


def film():
    """Frames of time and channel, with values along both, and along rows and columns."""
    frames = moving((6, 40, 50)).reshape(3, 2, 40, 50)
    coords = {
        "time": (np.arange(3) * 0.25, {"units": "s"}),
        "channel": ["GFP", "RFP"],
        "x": (np.arange(50) * 0.65, {"units": "um"}),
        "exposure": (("time", "channel"), np.arange(6).reshape(3, 2) * 1.5, {"units": "ms"}),
        "camera": ((), np.float64(7)),
    }
    dims = ("time", "channel", "y", "x")
    h5vidstack.pack(frames, "film.h5", dims=dims, coords=coords, attrs={"sample": "yeast"})


def test_a_stack_with_axes():
    film()
    with h5vidstack.open("film.h5") as stack:
        facts = stack_facts(stack)
    assert facts["axes"] == [
        {"name": "time", "length": 3, "units": "s"},
        {"name": "channel", "length": 2, "units": None},
    ]
    assert facts["rows"] == {"name": "y", "units": None, "values": None}
    assert facts["columns"]["units"] == "um"
    np.testing.assert_allclose(facts["columns"]["values"], np.arange(50) * 0.65)
    assert (facts["frames"], facts["height"], facts["width"], facts["channels"]) == (6, 40, 50, 1)
    assert facts["tile"] is None
    rows = dict(facts["facts"])
    assert rows["frames"] == "6 x 40 x 50 uint8"
    assert rows["exact"] == "yes, every pixel"
    assert rows["@sample"] == "yeast"
    assert rows["exposure"] == "0.0 to 7.5 ms along time, channel"
    json.loads(json_text(facts))


def test_a_frame_with_axes():
    film()
    with h5vidstack.open("film.h5") as stack:
        facts = frame_facts(stack, 5, read_time_line(stack))
    assert facts["axes"] == ["0.5 s", "RFP"]
    assert facts["rows"] == [("exposure", "7.5 ms")]
    assert facts["same_count"] == 0


def test_frames_of_files_and_copies():
    frames = moving((6, 40, 50))
    frames[4] = frames[1]
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(f"img{number}.png")
    h5vidstack.pack("img*.png", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        facts = frame_facts(stack, 4, read_time_line(stack))
        assert facts["rows"] == [("file", "img4.png")]
        assert (facts["same"], facts["same_count"]) == ([1], 1)
        assert dict(stack_facts(stack)["facts"])["copies"].startswith("1 copy")


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    h5vidstack.pack(pixels((3, 16, 20), dtype), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        facts = stack_facts(stack)
    assert facts["dtype"] == ("u1" if dtype == "?" else dtype.lstrip(">"))
    assert facts["bool"] == (dtype == "?")


def test_times_and_large_frames():
    times = np.array(["2026-01-01T10:00:00", "2026-01-01T10:00:05"], "M8[s]")
    frames = np.zeros((2, 2100, 1000), np.uint8)
    h5vidstack.pack(frames, "x.h5", dims=("time", "y", "x"), coords={"time": times}, profile="fast")
    with h5vidstack.open("x.h5") as stack:
        assert stack_facts(stack)["tile"] == 256
        assert frame_facts(stack, 1, read_time_line(stack))["axes"] == ["2026-01-01T10:00:05"]
