"""A sample of the matrix; `make test-sources` runs all of it."""

import numpy as np
import pytest
from matrix import KINDS, core

SHARES = {"tiff": 0.03, "png": 0.03, "pictures": 0.1, "videos": 0.025, "hdf5": 0.05, "arrays": 0.1}


def tallies(kind, share, packed=20):
    total = {}
    for number, case in enumerate(core.chosen(KINDS[kind](), share), 1):
        core.run(case, total.setdefault(case.group, core.Tally()), pack=number % packed == 0)
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_equal_or_refused(kind):
    total = tallies(kind, SHARES[kind])
    assert core.faults(total) == []
    assert sum(tally.equal for tally in total.values()) > 10


def test_what_is_read_wrongly_is_found(monkeypatch):
    right = core.ours

    def wrong(source, options):
        frames, opened = right(source, options)
        changed = frames.copy()
        changed.view(np.uint8)[..., -1] ^= 1
        return changed, opened

    monkeypatch.setattr(core, "ours", wrong)
    (tally,) = tallies("hdf5", 0.002).values()
    assert len(tally.different) == tally.files - tally.refused.total()


def test_refusing_all_is_found(monkeypatch):
    def refuse(source, _options):
        raise core.h5vidstack.SourceError(f"{source} is refused")

    monkeypatch.setattr(core, "ours", refuse)
    lines = core.faults(tallies("hdf5", 0.002))
    assert any("refused against expectation" in line for line in lines)
    assert any(line.startswith("only 0 of ") for line in lines)
