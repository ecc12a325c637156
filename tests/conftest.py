"""What all tests share: an own folder for each, and the two lengths of a run."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Of float16 Hypothesis draws constants of the package, too, and drops those that are none.
UNTIMED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
for name, examples in {"short": 25, "long": 200, "thorough": 2000}.items():
    settings.register_profile(name, UNTIMED, max_examples=examples)


# A shell's background jobs ignore SIGINT, and so would all that tests mean to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run also what takes long")


def pytest_configure(config: pytest.Config) -> None:
    profile = "long" if config.getoption("--long") else "short"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", profile))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked as long, unless all is asked for."""
    if not config.getoption("--long"):
        left = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether this run may take long: then tests that repeat something do it more often."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test has its own folder, and nothing may be left half-written in it."""
    monkeypatch.chdir(tmp_path)
    yield
    left = list(tmp_path.rglob("*.tmp"))
    assert not left, f"left behind: {left}"


@pytest.fixture
def unmeasured_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave child processes out of coverage, which cannot save its data where no file may grow."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
