"""Metadata in the file, as other programs see them."""

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.layout.metadata_names import NO_VARIABLE
from h5vidstack.metadata.description import Metadata
from h5vidstack.metadata.words import Words, WordsKind
from h5vidstack.sources.openers import open_source


@pytest.mark.parametrize("shape", [(6, 8, 9), (2, 3, 8, 9), (6, 8, 9, 3), (2, 3, 8, 9, 3)])
def test_dimension_scales(shape):
    frames = moving((6, 8, 9))
    if shape[-1] == 3:
        frames = np.repeat(frames[..., None], 3, axis=-1)
    h5vidstack.pack(frames.reshape(shape), "x.h5")
    axes = ["axis_0", "axis_1"] if shape[:2] == (2, 3) else ["frame"]
    axes += ["y", "x", "c"][: len(shape) - len(axes)]
    with h5py.File("x.h5") as file:
        stack = file["stack"]
        whole = stack["nd" if len(axes) > len(stack["frames"].shape) else "frames"]
        assert whole.shape == shape
        assert [axis.label for axis in whole.dims] == axes
        for name, edge, held in zip(axes, shape, whole.dims, strict=True):
            (said, scale), *more = held.items()
            assert more == []
            assert scale == stack[name]
            assert scale.shape == (edge,)
            assert said.startswith(NO_VARIABLE)


def test_words_of_many_pages():
    values = [bytes([number]) * 300_000 for number in range(20)]
    of = np.arange(20, dtype=np.uint32)
    source = open_source(moving((20, 8, 9)))
    source.metadata = Metadata(words={"blob": Words(WordsKind.BYTES, values, of)})
    h5vidstack.pack(source, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        words = stack.source.words["blob"]
        assert [words[frame] for frame in (19, 0, 7)] == [values[frame] for frame in (19, 0, 7)]
        assert list(words.values) == values
        assert words.values[1:3] == values[1:3]
        assert stack.verify() == []
