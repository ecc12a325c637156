from importlib.util import find_spec

import numpy as np
import pytest
from benched import stack

from h5vidstack.bench.advice import advise
from h5vidstack.bench.comparison import compare


@pytest.mark.skipif(find_spec("hdf5plugin") is None, reason="needs hdf5plugin")
def test_a_peer_that_loses_nan():
    frames = stack("float32")
    frames[3, 4, 5] = np.nan
    found = compare(frames, methods=["ZFP", "lzf"], rounds=1)
    (lost,) = (row for row in found.rows if row.name == "ZFP bounded")
    assert lost.broken == "NaN or infinities lost"
    assert "ZFP" not in advise(found)
