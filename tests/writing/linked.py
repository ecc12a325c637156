"""Parts of a stack in several files, and what all readers of the whole get."""

import h5py
import numpy as np
from click.testing import CliRunner
from frames import moving
from places import SPEC_READER

import h5vidstack
from h5vidstack import cli

FRAMES = moving((60, 17, 23))


SHUFFLED = FRAMES[np.random.default_rng(0).permutation(60)]


def run(*args, code=0):
    result = CliRunner().invoke(cli.main, list(map(str, args)))
    assert result.exit_code == code, result.output
    return result


def parts(*cuts):
    """FRAMES in files p1.h5, p2.h5, ..."""
    names = []
    for number, part in enumerate(np.split(FRAMES, cuts), 1):
        names.append(f"p{number}.h5")
        h5vidstack.pack(part, names[-1], method="video")
    return names


def check(path, want, problems=0):
    """What all readers get."""
    with h5vidstack.open(path) as stack:
        np.testing.assert_array_equal(stack[:], want, strict=True)
        np.testing.assert_array_equal(list(stack), want)
        assert len(stack.verify()) == problems
        reverse = stack[::-3]
    np.testing.assert_array_equal(reverse, want[::-3])
    file, _, inner = str(path).partition("::")
    stack = inner or "/stack"
    np.testing.assert_array_equal(SPEC_READER["read_stack"](file, stack), want, strict=True)
    with h5py.File(file) as opened:
        if "frames" in opened[stack]:
            np.testing.assert_array_equal(opened[stack]["frames"][...], want, strict=True)
            return True
    return False
