import json
import os

import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP, moving

import h5vidstack
from h5vidstack.reading.summary import describe
from h5vidstack.text import json_text


def test_a_stack_of_several_piles_and_copies():
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[:3]])
    report = h5vidstack.pack(frames, "x.h5::/a/b", method="groupvideo", chunk_frames=7)
    found = describe("x.h5::/a/b")
    assert json.loads(json_text(found)) == found  # nothing in it is numpy's
    assert (found["file"], found["stack"]) == (os.path.abspath("x.h5"), "/a/b")
    assert found["format"] == "1.0"
    assert (found["shape"], found["dtype"]) == ([93, 40, 56], "uint8")
    assert (found["unique_frames"], found["in_order"]) == (90, False)
    assert found["raw_bytes"] == frames.nbytes
    assert found["stored_bytes"] == report.stored_bytes
    assert found["ratio"] == pytest.approx(report.ratio)
    assert found["file_bytes"] == os.path.getsize("x.h5")
    assert found["chunk"] == [7, 40, 56]
    assert found["blocks"] == sum(-(-pile["frames"] // 7) for pile in found["groups"])
    assert [pile["coding"] for pile in found["groups"]] == list(report.codings)
    assert (found["lossless"], found["max_error"], found["psnr"]) == (True, 0, None)


def test_loss_and_leading_axes():
    frames = moving((12, 17, 23)).reshape(3, 4, 17, 23)
    report = h5vidstack.pack(frames, "x.h5", crf=30)
    found = describe("x.h5")
    assert (found["leading_shape"], found["lossless"]) == ([3, 4], False)
    assert (found["max_error"], found["mse"]) == (report.max_error, report.mse)
    assert found["psnr"] == pytest.approx(report.psnr)
    assert found["codec"] == "x264"


def test_a_bare_dataset():
    with h5py.File("x.h5", "w") as file:
        how = h5vidstack.Video("ffv1")
        file.create_dataset("d", data=moving((5, 17, 23)), chunks=(2, 17, 23), **how)
    found = describe("x.h5::/d")
    assert (found["codec"], found["blocks"], found["method"]) == ("ffv1", 3, None)
    assert found["settings"] == {}


def test_where_there_is_no_stack():
    h5vidstack.pack(moving((5, 17, 23)), "x.h5")
    for name, words in {"x.h5::/none": "stacks in it: /stack", "y.h5": "no such file"}.items():
        with pytest.raises(h5vidstack.FormatError, match=words):
            describe(name)
