"""What everything that works for long shares: how many threads, and how to tell progress."""

from __future__ import annotations

import os
from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called as ``progress(frames_done, frames_in_all)``; None where that is not known."""


def default_workers() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
