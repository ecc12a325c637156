from h5vidstack.bulk.outcomes import BulkReport, FileResult


def result(status, before=None, after=None, target="t"):
    return FileResult(
        name="n", source="s", target=target, status=status, before=before, after=after, what="w"
    )


def test_totals_are_of_what_was_written():
    report = BulkReport(
        files=(
            result("done", 100, 50), result("done", None, 10), result("failed", 7),
            result("skipped", 5, 5), result("skipped", target=""),
        ),
        seconds=2.0,
    )  # fmt: skip
    assert (report.before, report.after) == (100, 60)
    assert len(report.failed) == 1
    assert len(report.held) == 1
    assert report.facts()["done"] == 2
    assert report.facts()["skipped"] == 2


def test_ratio():
    assert result("done", 100, 50).ratio == 2
    assert result("done", 0, 50).ratio == 0
    assert result("done", 100, 0).ratio is None
    assert result("failed", 100).ratio is None
