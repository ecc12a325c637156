import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving
from places import BENCHMARKS

import h5vidstack


def test_a_recording_closed_before_all_was_written():
    """As a disk that was full for a while leaves it: there is room, but not the blocks."""
    frames = moving((20, 20, 30))
    recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=4)
    for frame in frames[:12]:
        recorder.write(frame)
    recorder.flush()
    # Private: no disk can be filled just between these two steps.
    recorder._live.pile.data.resize(16, axis=0)
    recorder._failed = True
    with pytest.raises(h5vidstack.OutputError):
        recorder.close()
    with h5py.File("x.h5") as file:
        assert file["stack/frames"].shape[0] == 16
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames[:12])
        assert "recover" in stack.verify()[0]
    spec = subprocess.run(
        [sys.executable, "-c", "import sys, runpy; read = runpy.run_path(sys.argv[1])['read_stack']; print(len(read('x.h5')))", BENCHMARKS.parent / "spec" / "reader.py"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert spec.stdout == "12\n"
    assert h5vidstack.recover("x.h5", "good.h5").saved == 12


def test_half_written_metadata_of_a_recording_is_an_error_at_once():
    """HDF5 would read it again and again, for ever."""
    code = """
import os, numpy as np, h5vidstack
recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=4)
for frame in np.load("frames.npy"):
    recorder.write(frame)
recorder.flush()
os._exit(0)
"""
    frames = moving((12, 20, 30))
    np.save("frames.npy", frames)
    subprocess.run([sys.executable, "-c", code], check=True)
    data = bytearray(Path("x.h5").read_bytes())
    data[data.index(b"EAHD") + 12] ^= 255  # the header of the index of chunks
    Path("x.h5").write_bytes(data)
    with pytest.raises(h5vidstack.FormatError, match="damaged"):
        h5vidstack.open("x.h5")
    h5vidstack.recover("x.h5", "good.h5")
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
