import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from h5vidstack.similar.thumbnails import thumbnails


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1))
@example(5000, 3, 0)
@example(641, 480, 1)
def test_thumbnails_are_pillow_s(width, height, seed):
    rng = np.random.default_rng(seed)
    images = rng.choice(np.array([[0, 255], [90, 120]], np.uint8)[seed % 2], (2, height, width))
    sizes = [(32, 32), (8, 8), (9, 8)]
    for size, found in zip(sizes, thumbnails(images, sizes), strict=True):
        how = Image.Resampling.LANCZOS
        expected = [np.asarray(Image.fromarray(image).resize(size, how)) for image in images]
        np.testing.assert_array_equal(found, expected, strict=True)
