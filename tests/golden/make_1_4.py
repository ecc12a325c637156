"""Made the golden files of format 1.4; kept to show how, not to be run again.

    python make_1_4.py FOLDER

They are of added frames, of a recording that was closed and one that was not, of a recovered
stack, and of pixels with fletcher32; all else is in the files of 1.2 and 1.3.
"""

import os
import sys
from pathlib import Path

import h5py
import numpy as np
from make_1_3 import film

import h5vidstack


def make(folder):
    """Write each case, and what a reader must get."""
    os.chdir(folder)
    frames = film(40, 3, 8, np.uint8)[..., 0]
    more = film(30, 3, 11, np.uint8)[..., 1]

    h5vidstack.pack(frames[:21], "longer.h5", method="video", codec="ffv1")
    h5vidstack.pack(frames[21:], "longer.h5", mode="a")
    keep("longer", frames)

    mixed = np.concatenate([frames, more])[np.random.default_rng(0).permutation(70)]
    h5vidstack.pack(mixed[:50], "piles.h5", method="groupvideo", codec="x264")
    h5vidstack.pack(mixed[45:], "piles.h5", mode="a")
    keep("piles", np.concatenate([mixed[:50], mixed[45:]]))

    h5vidstack.pack(frames[:9], "mixed.h5", method="pca", components=3, exact=True)
    h5vidstack.pack(frames[9:], "mixed.h5", mode="a", preset="x264-fast")
    keep("mixed", frames)

    h5vidstack.pack(frames[:5], "pixels.h5", method="hdf5")
    keep("pixels", frames[:5])

    for name in ("recording", "open"):
        recorder = h5vidstack.create(f"{name}.h5", (17, 23), "u1", tile=(16, 16), chunk_frames=4)
        for frame in frames[:18]:
            recorder.write(frame)
        recorder.flush()
        if name == "open":
            Path("copy.h5").write_bytes(Path("open.h5").read_bytes())
        recorder.close()
    Path("copy.h5").replace("open.h5")
    keep("recording", frames[:18])
    keep("open", frames[:16])

    h5vidstack.pack(frames, "bad.h5", method="video", codec="ffv1")
    with h5py.File("bad.h5") as file:
        info = file["stack/frames"].id.get_chunk_info(1)
    data = bytearray(Path("bad.h5").read_bytes())
    data[info.byte_offset + info.size // 2] ^= 1
    Path("bad.h5").write_bytes(data)
    lost = h5vidstack.recover("bad.h5", "recovered.h5").lost
    Path("bad.h5").unlink()
    keep("recovered", np.delete(frames, lost, axis=0))


def keep(name, frames):
    with h5vidstack.open(f"{name}.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
    np.savez_compressed(f"{name}.npz", frames=frames)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
