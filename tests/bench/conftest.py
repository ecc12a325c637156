"""A comparison that several tests look at."""

import numpy as np
import pytest
from benched import stack

from h5vidstack.bench.comparison import compare

SOME = ["auto fast", "auto balanced", "bounded balanced", "pca 20", "video mp4", "gzip 4"]


@pytest.fixture(scope="session")
def whole(tmp_path_factory, long):
    """A comparison with its page: in a long run of all contestants, else of one of each kind."""
    folder = tmp_path_factory.mktemp("bench")
    page = folder / "x.html"
    np.save(folder / "x.npy", stack())
    seen = []
    found = compare(
        folder / "x.npy", methods=() if long else SOME, peers=long, rounds=1, max_error=2, page=page,
        progress=lambda *step: seen.append(step),
    )  # fmt: skip
    return found, page.read_text(), seen
