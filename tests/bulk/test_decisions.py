import os
from dataclasses import replace
from pathlib import Path

import pytest
from injected import planned, put

import h5vidstack
from h5vidstack.bulk.decisions import Standing, decide
from h5vidstack.bulk.discovery import state_of
from h5vidstack.bulk.one_file import without_result
from h5vidstack.bulk.run_log import LogEntry


@pytest.fixture
def done():
    """A file that is done, and what the log says of it."""
    put("a.h5", "out/a.h5")
    task = planned("a.h5", "out/a.h5").task
    result = replace(
        without_result(task, "done", ""), target_state=state_of("out/a.h5"), source_state=task.state
    )
    return task, {(task.source, task.target): LogEntry(result, "same")}


def decided(task, entries, settings="same", **more):
    """What becomes of a file: why it is left, or that it is done, and what that replaces."""
    task = replace(task, state=state_of(task.source))
    todo, results = decide([task], Standing(entries=entries, settings=settings, **more))
    if results:
        return results[0].what if results[0].status == "skipped" else results[0].status
    return "anew" if todo[0].replaces is not None else "new"


def test_what_is_done_is_not_done_again(done):
    assert decided(*done) == "done before, as the log says"
    assert decided(*done, overwrite=True) == "done before, as the log says"


def test_what_was_changed_since_is_done_again(done):
    task, entries = done
    assert decided(task, entries, "other options") == "anew"
    os.utime("a.h5", ns=(1, 1))
    assert decided(task, entries) == "anew"
    assert decided(task, entries, skip_existing=True) == "the output exists"


def test_an_output_that_is_gone_is_made_again(done):
    os.remove("out/a.h5")
    assert decided(*done) == "new"
    assert decided(*done, skip_existing=True) == "new"


def test_an_output_that_others_wrote_is_in_the_way(done):
    task, entries = done
    os.utime("out/a.h5", ns=(1, 1))
    with pytest.raises(h5vidstack.OutputError, match=r"exists already.*--skip-existing.*--log"):
        decided(task, {})
    assert decided(task, entries) == "failed"  # of a run that goes on, only this file
    assert decided(task, entries, overwrite=True) == "new"
    assert (
        decided(task, {}, skip_existing=True) == "the output exists, and is older than its source"
    )


def test_what_failed_is_tried_again(done):
    task, entries = done
    (place, entry), *_ = entries.items()
    wrong = {place: replace(entry, result=replace(entry.result, status="failed"))}
    assert decided(task, wrong) == "failed"  # which is not from us
    os.remove("out/a.h5")
    assert decided(task, wrong) == "new"


def test_what_was_begun_is_done_again(done):
    """The run was killed after the output had its name, and before the log said so."""
    task, entries = done
    (place, entry), *_ = entries.items()
    begun = {place: replace(entry, result=replace(entry.result, status="begun"))}
    assert decided(task, begun) == decided(task, entries, settings="other")


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_file_that_was_cut_does_not_count_as_done(done, size):
    whole = Path("out/a.h5").read_bytes()
    Path("out/a.h5").write_bytes(whole[:size])
    assert decided(*done, skip_existing=True) == "failed"
    Path("out/a.h5").unlink()
    Path("out/a.h5").mkdir()
    assert decided(*done, skip_existing=True) == "failed"
