"""The files that frames came from."""

from pathlib import Path

import numpy as np

from h5vidstack.metadata.files import SourceFiles, joined_files
from h5vidstack.metadata.words import NOTHING


def made(*names):
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(name.encode())
    return SourceFiles.of(names)


def test_one_image_a_file():
    files = made("d/a.png", "d/b.png")
    assert [record.path for record in files] == ["d/a.png", "d/b.png"]
    assert files[1].size == 7
    assert files[1].time.year > 2000
    assert files.names(2).tolist() == [b"a.png", b"b.png"]
    assert files.place(1, 2) == (1, 0)
    taken = files.take(np.array([1]), 2)
    assert taken.place(0, 1) == (1, 0)


def test_all_of_one_file():
    files = made("film.avi")
    assert files.names(3) is None
    assert files.place(2, 3) == (0, 2)


def test_joined():
    one, two = made("a.png", "b.png"), made("film.avi")
    assert joined_files(None, 1, None, 1) is None
    both = joined_files(one, 2, two, 3)
    assert [both.place(frame, 5) for frame in range(5)] == [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2)]
    part = joined_files(one, 2, None, 1)
    assert part.place(2, 3) == (None, None)
    assert part.file[2] == NOTHING
    digests = one.with_digests(np.ones((2, 32), np.uint8))
    assert [bool(record.sha256) for record in joined_files(digests, 2, two, 1)] == [
        True,
        True,
        False,
    ]
