import numpy as np
import pytest
from frames import moving

import h5vidstack

FRAMES = moving((60, 20, 30))


def test_a_stack_adds_to_itself_and_others_see_it():
    h5vidstack.pack(FRAMES[:10], "x.h5", method="video")
    with h5vidstack.open("x.h5") as stack, h5vidstack.open("x.h5") as other:
        report = stack.append(FRAMES[10:30])
        assert (len(stack), report.frames) == (30, 20)
        np.testing.assert_array_equal(stack[:], FRAMES[:30])
        np.testing.assert_array_equal(other[:], FRAMES[:10])  # the file as it was opened
        other.refresh()
        np.testing.assert_array_equal(other[25], FRAMES[25])
        with h5vidstack.open("x.h5") as source:
            stack.append(source)
        assert len(stack) == 60
    with pytest.raises(h5vidstack.ClosedError):
        stack.append(FRAMES)
    with pytest.raises(h5vidstack.ClosedError):
        stack.refresh()


def test_what_opens_is_a_stack_and_a_file_ends_with_its_block():
    h5vidstack.pack(FRAMES[:10], "x.h5::/a/b")
    for opened in (h5vidstack.open("x.h5", "/a/b"), h5vidstack.open("x.h5::/a/b", workers=1)):
        with opened as stack:
            assert type(stack) is h5vidstack.Stack
            np.testing.assert_array_equal(stack[:], FRAMES[:10])
        with pytest.raises(h5vidstack.ClosedError):
            stack[0]


def test_verify_takes_the_options_of_the_function():
    h5vidstack.pack(FRAMES[:10], "x.h5")
    other = FRAMES[:10].copy()
    other[7, 3, 3] ^= 1
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == stack.verify(against=FRAMES[:10]) == []
        assert stack.verify(against=other) == h5vidstack.verify("x.h5", against=other) != []


def test_bad_frames_are_not_appended():
    h5vidstack.pack(FRAMES[:10], "x.h5")
    with h5vidstack.open("x.h5") as stack:
        for bad in (FRAMES[:, 1:], FRAMES.astype("u2"), []):
            with pytest.raises(h5vidstack.Error):
                stack.append(bad)
        with pytest.raises(TypeError, match=r"append\(\) has no option 'profil'"):
            stack.append(FRAMES, profil="fast")
        assert len(stack) == 10
        np.testing.assert_array_equal(stack[:], FRAMES[:10])


def test_dask_sees_the_same():
    h5vidstack.pack(FRAMES[:10], "x.h5")
    with h5vidstack.open("x.h5") as stack:
        lazy = stack.to_dask()
        assert (lazy.shape, lazy.dtype) == (stack.shape, stack.dtype)
        np.testing.assert_array_equal(lazy[3:7].compute(scheduler="threads"), FRAMES[3:7])


def test_jupyter_shows_text_where_there_is_nothing_to_show():
    h5vidstack.pack(FRAMES[:10], "x.h5")
    with h5vidstack.open("x.h5") as stack:
        # Private by its name only: Jupyter calls it.
        assert "10 x 20 x 30" in stack._repr_html_()
    assert stack._repr_html_() is None
