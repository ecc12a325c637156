import numpy as np
import pytest
from pictures import RANDOM, read, same
from PIL import Image

import h5vidstack
from h5vidstack.sources.openers import read_image


@pytest.mark.parametrize(("name", "how"), [
    ("x.png", {}), ("x.gif", {}), ("x.webp", {"lossless": True}), ("still.png", {"default_image": True}),
])  # fmt: skip
def test_frames_of_an_animation_in_any_order(name, how):
    rng = np.random.default_rng(0)
    pages = [Image.fromarray(rng.integers(0, 256, (13, 17, 3), np.uint8)) for _ in range(5)]
    pages[0].save(name, save_all=True, append_images=pages[1:], **how)
    whole, source = read(name)
    assert len(whole) == 5
    for numbers in ([4, 3, 2, 1, 0], [2, 2], [1, 4, 0, 3], [3]):
        np.testing.assert_array_equal(source.take(np.array(numbers)), whole[numbers])


def test_animations_are_whole_pictures():
    gray = np.repeat(RANDOM.integers(0, 256, (1, 9, 13)), 5, 0).astype(np.uint8)
    gray[:, 2:4] = RANDOM.integers(0, 256, (5, 2, 13))  # the rest is left out of later pictures
    colours = np.stack([gray, 255 - gray, gray // 2], -1)
    pages = [Image.fromarray(frame) for frame in colours]
    for ending, how in (("png", {}), ("webp", {"lossless": True})):
        pages[0].save(f"a.{ending}", save_all=True, append_images=pages[1:], **how)
        assert same(f"a.{ending}", colours).count == 5
    with pytest.raises(h5vidstack.SourceError, match="holds 5 images"):
        read_image("a.png")
