import json
from pathlib import Path

import pytest

import h5vidstack
from h5vidstack.bulk.outcomes import FileResult, FileState
from h5vidstack.bulk.run_log import opened_log

LOG = Path("run.jsonl")


def result(name, status="done", **more):
    return FileResult(
        name=name, source=f"/s/{name}", target=f"/t/{name}", status=status, what="", **more
    )


def write(*results):
    with opened_log(LOG) as log:
        for one in results:
            log.add(one, "abc")


def read():
    with opened_log(LOG) as log:
        return {source: entry for (source, _), entry in log.entries.items()}


def test_what_is_written_is_read_again():
    one = result("a", before=5, after=3, seconds=1.5, source_state=FileState(5, 7, 1))
    write(one, result("b", "failed", error="SourceError"))
    found = read()
    assert found["/s/a"].result == one
    assert found["/s/a"].settings == "abc"
    assert found["/s/b"].result.status == "failed"
    assert all("time" in json.loads(line) for line in LOG.read_text().splitlines())


def test_the_last_line_of_a_file_counts():
    write(result("a", "failed"), result("b"))
    write(result("a"))
    assert read()["/s/a"].result.status == "done"
    assert len(LOG.read_text().splitlines()) == 3


def test_each_line_is_in_the_file_at_once():
    with opened_log(LOG) as log:
        log.add(result("a"), "abc")
        assert LOG.read_text().endswith("}\n")


@pytest.mark.parametrize("kept", [1, 5, 9, 100, -1])
def test_a_line_that_was_cut_is_not_done(kept):
    write(result("a"), result("b"))
    first, second = LOG.read_bytes().splitlines(keepends=True)
    LOG.write_bytes(first + second[:kept])
    assert set(read()) == {"/s/a"}
    assert LOG.read_bytes() == first
    LOG.write_bytes(second[:kept])
    write(result("c"))
    assert set(read()) == {"/s/c"}


@pytest.mark.parametrize("text", ["hello", "hello\n", "{}\n", '{"time": 5}\n', "[1]\n{", "\n"])
def test_other_files_are_no_logs(text):
    LOG.write_text(text)
    with pytest.raises(h5vidstack.OutputError, match="give the log another name"):
        read()
    assert LOG.read_text() == text


def test_a_damaged_line_is_told():
    write(result("a"), result("b"))
    LOG.write_bytes(LOG.read_bytes().replace(b'"done"', b'"gone"', 1))
    with pytest.raises(h5vidstack.OutputError, match="line 1 of run.jsonl"):
        read()


def test_two_runs_do_not_share_a_log():
    with (
        opened_log(LOG),
        pytest.raises(h5vidstack.OutputError, match="open for writing elsewhere"),
        opened_log(LOG),
    ):
        pass


def test_a_log_that_cannot_be_written():
    with (
        pytest.raises(h5vidstack.OutputError, match="cannot write nowhere/run.jsonl"),
        opened_log(Path("nowhere/run.jsonl")),
    ):
        pass
