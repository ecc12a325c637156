"""The functions that take options of packing: their signatures, docstrings, and what they refuse."""

import dataclasses
import inspect

import numpy as np
import pytest

import h5vidstack
from h5vidstack import PackOptions
from h5vidstack.writing import pack_options

FRAMES = np.random.default_rng(0).integers(0, 40, (20, 16, 24), np.uint8)
TAKERS = {
    "pack": h5vidstack.pack,
    "append": h5vidstack.Stack.append,
    "create": h5vidstack.create,
    "repack": h5vidstack.repack,
}


@pytest.mark.parametrize("taker", TAKERS)
def test_functions_name_and_explain_their_options(taker):
    parameters = inspect.signature(TAKERS[taker]).parameters
    names = pack_options.options_of(taker)
    assert set(names) < set(parameters)
    assert "named" not in parameters
    entries = TAKERS[taker].__doc__.splitlines()
    assert set(names) < set(entries)
    assert "<options" not in TAKERS[taker].__doc__


def test_every_option_is_explained_in_the_class():
    names = {field.name for field in dataclasses.fields(PackOptions)}
    assert names < set(PackOptions.__doc__.splitlines())


@pytest.mark.parametrize("taker", ["pack", "create", "repack"])
def test_unknown_options(taker):
    arguments = {"pack": (FRAMES, "x.h5"), "create": ("x.h5", (8, 8), "u1"), "repack": ("a", "b")}
    with pytest.raises(
        TypeError, match=rf"{taker}\(\) has no option 'chunk_frame'; .* chunk_frames"
    ):
        TAKERS[taker](*arguments[taker], chunk_frame=3)
    with pytest.raises(TypeError, match="has no option 'zzz'; it takes .*profile"):
        TAKERS[taker](*arguments[taker], zzz=1)


def test_options_of_others_are_not_taken():
    with pytest.raises(TypeError, match="no option 'gray'"):
        h5vidstack.create("x.h5", (8, 8), "u1", gray=True)
    with pytest.raises(TypeError, match="no option 'gray'"):
        h5vidstack.create("x.h5", (8, 8), "u1", options=PackOptions(gray=True))
    with pytest.raises(TypeError):
        PackOptions("w")
