"""Packages that h5vidstack can do without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .errors import MissingError


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Import what an extra of pyproject.toml brings, or raise MissingError naming it."""
    try:
        yield
    except ImportError as error:
        raise MissingError(f'{error}: pip install "h5vidstack[{name}]"') from error
