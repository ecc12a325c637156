import os
import signal

import pytest
from hypothesis import HealthCheck, settings

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", UNTIMED, max_examples=100)
settings.register_profile("long", UNTIMED, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# A shell's background jobs ignore SIGINT, and so would all that tests mean to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    """Every test has its own folder, and nothing may be left half-written in it."""
    monkeypatch.chdir(tmp_path)
    yield
    left = list(tmp_path.rglob("*.tmp"))
    assert not left, f"left behind: {left}"
