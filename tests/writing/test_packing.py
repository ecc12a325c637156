import pytest
from frames import SWEEP

import h5vidstack


def test_without_hashes():
    h5vidstack.pack(SWEEP, "x.h5", hashes=False)
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        with pytest.raises(h5vidstack.FormatError, match="h5vidstack rehash"):
            stack.find(SWEEP[0])
