"""After some piles the commonest coding is taken for those that are like them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from frames import moving, noise

from h5vidstack.choosing import settling
from h5vidstack.choosing.quality import Wish
from h5vidstack.choosing.trials import Chooser

FRAMES = np.concatenate([moving((40, 32, 48))] * 30) + noise((1200, 32, 48)) // 40


@pytest.fixture
def chooser():
    wish = Wish.read("balanced", None, None, None, None)
    with ThreadPoolExecutor(2) as pool:
        yield Chooser(
            wish=wish, template=wish.template(0.0, np.dtype("u1")), chunk=(16, 32, 48), pool=pool
        )


def test_piles_that_are_alike(chooser):
    settled = settling.SettlingChooser(chooser)
    choices = [
        settled.choose(np.arange(start, start + 40), FRAMES.__getitem__)
        for start in range(0, 1200, 40)
    ]
    tried = [bool(choice.trials) for choice in choices]
    assert all(tried[: settling.ENOUGH])
    assert not any(tried[settling.ENOUGH :])
    assert len({choice.recipe for choice in choices}) == 1


def test_piles_that_are_not(chooser):
    other = {
        "smooth": FRAMES // 16 * 16,
        "of more bits": FRAMES.astype(np.uint16) * 31,
        "constant": FRAMES * 0,
    }
    for frames in other.values():
        settled = settling.SettlingChooser(chooser)
        for start in range(0, 600, 40):
            settled.choose(np.arange(start, start + 40), FRAMES.__getitem__)
        pile = np.arange(40)
        found = settled.choose(pile, frames.__getitem__)
        assert found.recipe == chooser.choose(pile, frames.__getitem__).recipe


def test_large_piles_have_trials_of_their_own(chooser):
    settled = settling.SettlingChooser(chooser)
    for start in range(0, 600, 40):
        settled.choose(np.arange(start, start + 40), FRAMES.__getitem__)
    many = np.tile(np.arange(1200), 100)
    assert settled.choose(many, FRAMES.__getitem__).trials


def test_a_coding_that_was_given(chooser):
    wish = Wish.read("balanced", None, "ffv1", None, None)
    given = Chooser(
        wish=wish, template=wish.template(0.0, np.dtype("u1")), chunk=(16, 32, 48),
        pool=chooser.pool,
    )  # fmt: skip
    found = settling.SettlingChooser(given).choose(np.arange(40), FRAMES.__getitem__)
    assert found.recipe == given.template
