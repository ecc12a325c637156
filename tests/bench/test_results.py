import dataclasses
import math

import numpy as np
import pytest
from benched import bench_of, made_up

from h5vidstack.bench import results, table
from h5vidstack.bench.advice import advise
from h5vidstack.bench.contestants import Contestant
from h5vidstack.bench.measurement import Measurement
from h5vidstack.bench.results import Row


def test_what_breaks_its_word_is_told_and_not_recommended():
    def judged(max_error):
        run = Measurement(1000, 1.0, 1.0, [1.0], False, max_error, None, 0)
        one = Contestant("SZ3 bounded", None, None, bounded=True)
        return results.median_row(one, [run], [None], 10**8, 0.5)

    texts = [table.cell(judged(error), "exact") for error in (0.5, 0.75, math.inf)]
    assert texts == ["off by 0.5", "off by 0.75, over its bound", "NaN or infinities lost"]
    for error in (0.75, math.inf):
        assert "SZ3" not in advise(bench_of(made_up("big", 10**6, 1), judged(error)))
    assert "SZ3" in advise(bench_of(made_up("big", 10**6, 1), judged(0.5)))


def test_medians():
    runs = [
        Measurement(1000, seconds, 2 * seconds, [seconds / 1000] * 3, True, 0.0, None, 0)
        for seconds in (1.0, 9.0, 2.0)
    ]
    one = Contestant("x", None, None)
    row = results.median_row(one, runs, [5, 7, 6], 10**6)
    assert (row.pack_speed, row.read_speed, row.frame_ms, row.peak_bytes) == (0.5, 0.25, 2.0, 7)
    assert row.ratio == 1000


def measured(**more):
    made = {
        "file_bytes": 1000, "pack_seconds": 1.0, "read_seconds": 1.0, "frame_seconds": [0.001],
        "exact": True, "max_error": 0.0, "psnr": None, "anonymous_bytes": 0,
    }  # fmt: skip
    return Measurement(**{**made, **more})


def test_rounds_that_only_read_count_for_reading_alone():
    one = Contestant("x", None, None)
    runs = [measured(), measured(pack_seconds=None, read_seconds=3.0, frame_seconds=[0.1] * 3)]
    row = results.median_row(one, runs, [None, None], 2 * 10**6)
    assert (row.pack_speed, row.read_speed) == (2.0, 1.0)
    assert (row.frame_ms, row.peak_bytes) == (100.0, None)
    assert row.frame_p95_ms == pytest.approx(np.percentile([1, 100, 100, 100], 95))


def test_exact_only_if_every_round_was():
    one = Contestant("x", None, None)
    runs = [measured(), measured(exact=False, max_error=2.0, psnr=40.0), measured()]
    row = results.median_row(one, runs, [3, None, 5], 10**6)
    assert (row.exact, row.max_error, row.peak_bytes, row.broken) == (False, 2.0, 5, None)


def test_the_best_of_exact_rows():
    odd = dataclasses.replace(made_up("odd", 5 * 10**6, 20), peak_bytes=None)
    found = bench_of(
        made_up("small", 10**6, 10), made_up("quick", 10**7, 90), odd,
        made_up("lossy", 10, 10**6, exact=False), Row(name="none", ours=True, problem="absent"),
    )  # fmt: skip
    assert [row.name for row in found.exact] == ["small", "quick", "odd"]
    assert found.best() == {
        "file_bytes": 10**6, "ratio": 100, "pack_speed": 90, "read_speed": 270,
        "frame_ms": 1 / 90, "frame_p95_ms": 2 / 90, "peak_bytes": 1000,
    }  # fmt: skip
    assert bench_of(made_up("lossy", 10, 10**6, exact=False)).best() == {}


def test_the_front_drops_what_another_beats_in_both():
    found = bench_of(
        made_up("large", 9, 5), made_up("same size, slow", 4, 2), made_up("same size", 4, 3),
        made_up("as fast, larger", 5, 3), made_up("small", 1, 1), made_up("lossy", 1, 9, exact=False),
    )  # fmt: skip
    assert [row.name for row in found.front("pack_speed")] == ["small", "same size", "large"]
