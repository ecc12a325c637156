import dataclasses

from benched import bench_of, made_up

from h5vidstack.bench import table
from h5vidstack.bench.results import Row


def test_table_marks_the_best_of_the_exact(whole):
    found, _page, _seen = whole
    text = table.lines(found)
    (heading,) = (line for line in text if "size KB" in line)
    for title in ("ratio", "exact", "pack MB/s", "read MB/s", "frame ms", "p95 ms", "memory MB"):
        assert title in heading
    smallest = min((row for row in found.rows if row.exact), key=lambda row: row.file_bytes)
    (line,) = (line for line in text if line.startswith(f"{smallest.name} "))
    assert f"{smallest.file_bytes / 1e3:,.0f}*" in line
    (lossy,) = (line for line in text if line.startswith("pca 20 "))
    assert "off by" in lossy
    assert "*" not in lossy
    assert text[-1].startswith(f"To archive: {smallest.name}")


def test_table_memory_ties_and_long_problems():
    one, two = made_up("one", 10**6, 50.04), made_up("two", 10**6 + 4, 50.01)
    three = dataclasses.replace(made_up("three", 10**7, 1), peak_bytes=2 * 10**6)
    refusing = Row(name="x", ours=True, problem="it does not hold this " * 20)
    found = bench_of(one, two, three, refusing)
    assert all(table.is_best(found, row, "pack_speed") for row in (one, two))
    assert all(table.is_best(found, row, "file_bytes") for row in (one, two))
    assert [table.cell(row, "peak_bytes") for row in (one, three)] == ["<1", "2"]
    assert not any(table.is_best(found, row, "peak_bytes") for row in (one, two, three))
    text = table.lines(found)
    (problem,) = (line for line in text if line.startswith("x "))
    assert problem.endswith(" ...")
    assert len(problem) <= max(len(line) for line in text if line.startswith(("one", "three")))
