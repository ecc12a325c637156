import gc
import threading

import h5py

import h5vidstack  # noqa: F401
from h5vidstack.hdf5 import library_lock


def in_a_callback(work):
    """What a function returns that HDF5 calls."""
    with h5py.File("x.h5", "w") as file:
        file.create_group("a")
        return file.visit(lambda name: work())


def test_only_a_thread_that_hdf5_called_holds_the_lock():
    assert not library_lock.is_mine()
    assert in_a_callback(library_lock.is_mine) is True
    found = []

    def look():
        thread = threading.Thread(target=lambda: found.append(library_lock.is_mine()))
        thread.start()
        thread.join()
        return True

    assert in_a_callback(look)
    assert found == [False]


def test_no_garbage_is_collected_while_others_work_for_it():
    def look():
        with library_lock.no_garbage_collection():
            off = not gc.isenabled()
        return off and gc.isenabled()

    assert in_a_callback(look) is True
    with library_lock.no_garbage_collection():
        assert gc.isenabled()
