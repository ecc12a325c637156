import json

import numpy as np
from frames import wave
from packing import run


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
