import numpy as np
import pytest
from benched import bench_of, made_up

from h5vidstack.bench.plot import draw_plot
from h5vidstack.bench.results import Row


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_plot(count):
    rng = np.random.default_rng(count)
    rows = [
        made_up(f"n{i}", int(s), float(v))
        for i, (s, v) in enumerate(rng.integers(1, 10**6, (count, 2)))
    ]
    drawn = draw_plot(
        bench_of(*rows, Row(name="x", ours=True, problem="no")), "pack_speed", "a < b"
    )
    assert drawn.count("<circle") == count
    assert "nan" not in drawn
    assert ("a &lt; b" in drawn) == (count > 0)
