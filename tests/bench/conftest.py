"""A comparison that several tests look at."""

import numpy as np
import pytest
from benched import stack

from h5vidstack.bench.comparison import compare


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """All of our contestants, and the peers that every machine has; with the page."""
    folder = tmp_path_factory.mktemp("bench")
    page = folder / "x.html"
    np.save(folder / "x.npy", stack())
    seen = []
    found = compare(
        folder / "x.npy", peers=True, rounds=1, max_error=2, page=page,
        progress=lambda *step: seen.append(step),
    )  # fmt: skip
    return found, page.read_text(), seen
