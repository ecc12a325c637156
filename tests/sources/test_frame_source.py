import weakref

import numpy as np
import pytest
from objects import FRAMES, read, same

import h5vidstack
from h5vidstack.sources.openers import open_source


def test_frames_that_are_no_arrays():
    with pytest.raises(h5vidstack.SourceError, match="frame 0"):
        read(iter(["a", "b"]))
    with pytest.raises(h5vidstack.SourceError, match="no stack"):
        open_source(7)


class Volumes:
    """A reader that gives a whole volume as one frame, as imageio's do of TIFFs."""

    def __init__(self, volumes):
        self._volumes = volumes

    def __len__(self):
        return len(self._volumes)

    def __iter__(self):
        return iter(self._volumes)


@pytest.mark.parametrize("shape", [(5, 12, 15), (5, 12, 15, 3), (2, 5, 12, 15)])
def test_volumes_that_are_given_as_frames(shape):
    source = Volumes([np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)] * 2)
    with pytest.raises(h5vidstack.SourceError, match=r"np\.concatenate\(list\(source\)\)"):
        open_source(source)
    frame = shape[-3:] if shape[-1] == 3 else shape[-2:]
    same(np.concatenate(list(source)), np.concatenate([*source]).reshape(-1, *frame))


def test_no_frame_is_kept_while_the_next_is_made():
    made = []

    def frames():
        for number in range(5):
            assert not any(frame() is not None for frame in made)
            frame = np.full((4, 5), number, np.uint8)
            made.append(weakref.ref(frame))
            yield frame
            del frame

    assert read(frames())[0][:, 0, 0].tolist() == list(range(5))


def test_channels_of_frames_become_frames():
    source = Volumes([FRAMES.transpose(1, 2, 0)] * 2)
    with pytest.raises(h5vidstack.SourceError, match="moveaxis") as caught:
        open_source(source)
    advice = str(caught.value).rpartition("frames: ")[2]
    same(eval(advice, {"np": np, "source": source}), np.concatenate([FRAMES] * 2))
