from pathlib import Path

import numpy as np
import pytest
from frames import noise
from objects import FRAMES, same

import h5vidstack
from h5vidstack.sources.openers import open_source


def test_npy_is_its_one_array_to_the_last_byte():
    for order in ("C", "F"):
        np.save("a.npy", np.array(FRAMES, order=order))
        assert same("a.npy").file_bytes == Path("a.npy").stat().st_size
    np.save("b.npy", FRAMES.astype(">u2"))
    same("b.npy")
    with open("two.npy", "wb") as file:
        np.save(file, FRAMES[:3])
        np.save(file, FRAMES[3:])
    with pytest.raises(h5vidstack.SourceError, match=r"two\.npy has 1208 bytes behind"):
        open_source("two.npy")
    Path("cut.npy").write_bytes(Path("a.npy").read_bytes()[:-1])
    with pytest.raises(h5vidstack.SourceError, match=r"cut\.npy"):
        open_source("cut.npy")


@pytest.mark.parametrize("change", [(b"(6,", b"(-6"), (b"{", b"("), (b"'<u2'", b"'<?2'")])
def test_damaged_headers_of_npy(change):
    np.save("x.npy", FRAMES)
    data = Path("x.npy").read_bytes()
    Path("x.npy").write_bytes(data.replace(*change, 1))
    with pytest.raises(h5vidstack.SourceError, match="cannot read x.npy"):
        h5vidstack.pack("x.npy", "x.h5")


def test_memory_of_a_mapped_file_is_given_back(monkeypatch):
    from h5vidstack.sources import npy

    monkeypatch.setattr(npy, "MOST_MAPPED", 1000)
    frames = noise((40, 20, 30))
    np.save("x.npy", frames)
    array = np.load("x.npy", mmap_mode="r").view(npy.MappedArray)
    pieces = [array[start : start + 7] for start in range(0, 40, 7)]
    np.testing.assert_array_equal(np.concatenate(pieces), frames)
    h5vidstack.pack("x.npy", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
