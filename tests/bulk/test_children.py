"""Processes that are killed, end or hang: only their file fails, and nothing is left of it."""

import sys
import threading

import pytest
from injected import Wrong, names, planned, put, wait_for

import h5vidstack
from h5vidstack.bulk import children
from h5vidstack.bulk.children import Children


@pytest.fixture
def crew():
    found = Children()
    yield found
    found.close()


def test_a_process_that_ended_is_replaced(crew):
    put("a", "killed", "b", "exits", "c", "bug", "prints")
    found = {name: crew.call(Wrong(), planned(name)) for name in names()}
    assert {name: one.status for name, one in found.items()} == {
        "a": "done", "b": "done", "c": "done", "bug": "failed", "exits": "failed",
        "killed": "failed", "prints": "done",
    }  # fmt: skip
    assert "its process ended (SIGKILL)" in found["killed"].what
    assert "its process ended (exit code 7)" in found["exits"].what
    assert (found["killed"].error, found["bug"].error) == ("killed", "ZeroDivisionError")
    assert found["a"].what == found["b"].what != found["c"].what


@pytest.mark.parametrize("how", ["waits", "hangs"])
def test_what_is_stopped_ends_soon(crew, how, monkeypatch):
    monkeypatch.setattr(children, "PATIENCE", 0.2)
    put(how)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(crew.call(Wrong(), planned(how))), daemon=True
    )
    thread.start()
    wait_for(f"{how}.out.begun")
    crew.stop()
    thread.join(30)
    assert found[0].status == "stopped"
    assert crew.call(Wrong(), planned(how)).status == "stopped"


def test_processes_that_cannot_be_started(crew, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(h5vidstack.WorkerError, match=r"exit code 0.*--threads"):
        crew.call(Wrong(), planned("a"))
