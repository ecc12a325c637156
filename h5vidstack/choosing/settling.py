"""The codings of many piles: after some trials a pile gets what those like it got."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ..codecs import block
from ..codecs.recipe import Recipe
from ..shapes import Numbers
from .sampling import Take
from .trials import Chooser, ChosenRecipe

ENOUGH = 12
"""Piles of some number of bits for which codings are tried in any case."""
MAJORITY = 2 / 3
"""The share of these that must have got the same coding."""
SHARE = 1 / 16
"""Trials are made for piles of which the sample is no more than this share."""
ALIKE = 1.25
"""A pile is like others if its sample shrinks as theirs did, within this factor."""


@dataclass
class _Past:
    """What came of the trials for piles of some number of bits.

    Attributes
    ----------
    shares
        For each coding that was chosen, the stored share of each sample.
    """

    shares: dict[Recipe, list[float]] = field(default_factory=lambda: defaultdict(list))

    def usual(self) -> Recipe | None:
        """Return the coding that most piles got, if there were enough."""
        total = sum(map(len, self.shares.values()))
        if total < ENOUGH:
            return None
        recipe = max(self.shares, key=lambda one: len(self.shares[one]))
        return recipe if len(self.shares[recipe]) >= MAJORITY * total else None


class SettlingChooser:
    """Chooses codings for pile after pile.

    Piles of one stack are mostly alike. A small one costs more trials than coding, so it gets what
    others got, if a sample of it then takes as much room as theirs.
    """

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self._past: defaultdict[int, _Past] = defaultdict(_Past)

    def choose(self, pile: Numbers, take: Take) -> ChosenRecipe:
        """Choose as `Chooser.choose` does."""
        chooser = self._chooser
        if chooser.wish.fixed is not None:
            return chooser.choose(pile, take)
        samples = chooser.samples(pile, take)
        bits = max(block.to_values(sample, chooser.template)[0].bits for sample in samples)
        past, sampled = self._past[bits], sum(sample.nbytes for sample in samples)
        usual = past.usual()
        if usual is not None and sampled > SHARE * len(pile) * take(pile[:1]).nbytes:
            share, shares = chooser.share(usual, samples), past.shares[usual]
            if min(shares) / ALIKE <= share <= max(shares) * ALIKE:
                return ChosenRecipe(recipe=usual)
        choice = chooser.choose_by(samples)
        found = next((trial for trial in choice.trials if trial.chosen), None)
        if found is not None:
            past.shares[choice.recipe].append(found.stored_bytes / found.sample_bytes)
        return choice
