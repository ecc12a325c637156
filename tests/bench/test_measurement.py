import contextlib
from pathlib import Path

from benched import stack
from frames import noise

from h5vidstack.bench import measurement
from h5vidstack.bench.comparison import compare
from h5vidstack.bench.contestants import Contestant


def test_modules_of_the_current_folder_are_none_of_ours():
    Path("numpy.py").write_text("raise SystemExit")
    found = compare(stack(), methods=["lzf"], rounds=1)
    assert found.rows[0].exact


def test_each_random_frame_has_a_fresh_reader():
    opened, frames = [], noise((50, 4, 5))

    class Reader:
        def __init__(self):
            self.asked = []
            opened.append(self.asked)

        def __getitem__(self, key):
            self.asked.append(key)
            return frames[key]

    one = Contestant("x", None, lambda _path: contextlib.nullcontext(Reader()))
    # Private: it runs in a process of its own, where nobody can count.
    assert (
        len(measurement._random_frames(one, Path(), 50, 1))
        == len(opened)
        == measurement.RANDOM_FRAMES
    )
    assert all(len(asked) == 1 for asked in opened)
    assert len({asked[0] for asked in opened}) == len(opened)
