import re

import numpy as np
import pytest
from benched import bench_of, made_up

from h5vidstack.bench.plot import FAR, LETTER, Axis, draw_plot, marker
from h5vidstack.bench.results import Row


def rows_of(count, seed=0, **about):
    rng = np.random.default_rng(seed)
    return [
        made_up(f"n{i}", int(s), float(v), **about)
        for i, (s, v) in enumerate(rng.integers(1, 10**6, (count, 2)))
    ]


def labels(drawn):
    """Name, left end and base line of each label."""
    found = re.findall(r'<text class="name[^"]*" x="([\d.-]+)" y="([\d.-]+)">([^<]*)', drawn)
    return [(text, float(x), float(y)) for x, y, text in found]


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_plot(count):
    rows = rows_of(count, count)
    drawn = draw_plot(
        bench_of(*rows, Row(name="x", ours=True, problem="no")), "pack_speed", "a < b", True
    )
    assert drawn.count("<circle") == count
    assert "nan" not in drawn
    assert ("a &lt; b" in drawn) == (count > 0)


@pytest.mark.parametrize("count", [2, 15, 40])
def test_every_point_has_its_name_and_no_name_covers_another(count):
    drawn = draw_plot(bench_of(*rows_of(count)), "pack_speed", "speed", True)
    found = labels(drawn)
    assert sorted(text.split(" ")[0] for text, _, _ in found) == sorted(
        f"n{i}" for i in range(count)
    )
    boxes = [(x, y - 11, x + LETTER * len(text), y + 3) for text, x, y in found]
    for number, one in enumerate(boxes):
        for two in boxes[:number]:
            apart = one[2] <= two[0] or two[2] <= one[0] or one[3] <= two[1] or two[3] <= one[1]
            assert apart


def test_exact_and_lossy_ones_are_apart():
    exact, lossy = rows_of(5), rows_of(4, 1, exact=False, ours=False)
    rows = [*exact, *(made_up(f"l{i}", row.file_bytes, row.pack_speed, exact=False)
                      for i, row in enumerate(lossy))]  # fmt: skip
    one = draw_plot(bench_of(*rows), "pack_speed", "speed", True)
    two = draw_plot(bench_of(*rows), "pack_speed", "speed", False)
    assert one.count('class="mark') == 5
    assert "lossy" not in one
    assert 'class="front"' in one
    assert two.count('class="mark ours lossy"') == 4
    assert "front" not in two
    assert draw_plot(bench_of(*exact), "pack_speed", "speed", False) == ""


def test_a_file_that_is_far_larger_stands_at_the_edge_with_its_size():
    rows = [made_up(f"n{i}", 10**6 + i, 10) for i in range(5)]
    drawn = draw_plot(bench_of(*rows, made_up("raw", 90 * 10**6, 10)), "pack_speed", "speed", True)
    assert any(text == "raw (90 MB) \u2192" for text, _, _ in labels(drawn))
    ticks = [float(one.replace(",", "")) for one in re.findall(r'class="mid">([\d.,]+)<', drawn)]
    assert max(ticks) < 1.1 * FAR


def test_markers_differ():
    kinds = {marker(kind, 5, 5).split(" ")[0] for kind in ("ours", "peer", "ours lossy")}
    assert kinds == {"<circle", "<rect", "<path"}
    assert "<title>a &amp; b</title>" in marker("peer", 5, 5, "a & b")


@pytest.mark.parametrize(
    ("low", "high"), [(10, 10), (10, 10.3), (9.7, 10.4), (1, 12), (3, 4000), (1e-3, 1e6)]
)
def test_ticks_are_round_and_show_differences(low, high):
    ticks = Axis([low, high], 0, 100).ticks()
    assert 1 <= len(ticks) <= 10
    assert all(0 <= Axis([low, high], 0, 100).place(tick) <= 100 for tick in ticks)
    assert all(float(f"{tick:.3g}") == pytest.approx(tick) for tick in ticks)
    if high > 2 * low:
        assert len(ticks) >= 4
