import json

import numpy as np
import pytest
from frames import wave
from packing import run

from h5vidstack import text


def test_json_is_json():
    frames = wave().astype(np.float32)
    frames[3], frames[4, 5, 6] = np.inf, np.nan
    np.save("a.npy", frames)

    def refuse(word):
        raise AssertionError(word)

    for command in (("pack", "a.npy", "x.h5", "--json"), ("info", "x.h5", "--json"),
                    ("find", "x.h5", "--frame", 4, "--json")):  # fmt: skip
        facts = json.loads(run(*command).output, parse_constant=refuse)
    assert (facts["matches"][0]["frame"], facts["matches"][0]["rmse"]) == (4, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (25, "25 s"), (720, "12 min"), (12_600, "3.5 h")],
)
def test_durations(seconds, words):
    assert text.duration(seconds) == words
