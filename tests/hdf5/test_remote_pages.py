import os

from frames import moving, noise
from serving import serving

import h5vidstack
from h5vidstack.hdf5 import remote_pages

OPEN, FRAME = 8, 2
"""Requests that opening and a random frame may take."""


def test_requests_do_not_grow_with_the_stack():
    """What opening reads is not the tables of 20,000 frames."""
    h5vidstack.pack(noise((20000, 24, 24)), "x.h5", method="video", preset="raw", verify=False)
    with serving() as server, h5vidstack.open(f"{server.url}/x.h5") as stack:
        assert len(server.requests) <= OPEN
        assert (
            server.bytes
            < remote_pages.HEAD + remote_pages.TAIL + remote_pages.STEP + remote_pages.PAGE
        )
        before = len(server.requests)
        stack[12345]
        assert len(server.requests) - before <= FRAME


def test_structures_of_a_small_file_take_no_more_room():
    """HDF5 takes what it needs from the file in large pieces only if much is to come."""
    h5vidstack.pack(moving((3, 8, 8)), "x.h5")
    assert os.path.getsize("x.h5") < 17000
