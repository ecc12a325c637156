"""HDF5 serves one thread at a time: h5py holds a lock meanwhile, also while it calls back.

Code that HDF5 calls, such as a function given to `h5py.Group.visititems`, runs while its thread
holds that lock. It must not wait for a thread that needs the lock, too: both would wait for ever.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from h5py._objects import phil


def is_mine() -> bool:
    """Whether this thread holds h5py's lock, and so may not wait for threads that read HDF5."""
    mine: bool = phil._is_owned()
    return mine


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """See that other threads can work for this one, if it holds h5py's lock.

    Garbage is collected in any thread. If h5py's objects are among it, that thread waits for the
    lock (h5py issue 2019).
    """
    if not (is_mine() and gc.isenabled()):
        yield
        return
    try:
        gc.disable()
        yield
    finally:
        gc.enable()
