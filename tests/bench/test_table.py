import dataclasses

from benched import bench_of, made_up

from h5vidstack.bench import table
from h5vidstack.bench.results import Row


def test_table_marks_the_best_of_the_exact():
    lossy = made_up("pca 20", 10**5, 1, exact=False)
    small, large = made_up("auto small", 10**6, 1), made_up("gzip 4", 10**7, 2, ours=False)
    text = table.lines(bench_of(small, lossy, large))
    (heading,) = (line for line in text if "size KB" in line)
    for title in ("ratio", "exact", "pack MB/s", "read MB/s", "frame ms", "p95 ms", "memory MB"):
        assert title in heading
    (line,) = (line for line in text if line.startswith("auto small "))
    assert "1,000*" in line
    (line,) = (line for line in text if line.startswith("pca 20 "))
    assert "off by 3" in line
    assert "*" not in line
    assert text[-1].startswith("To archive: auto small")


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
