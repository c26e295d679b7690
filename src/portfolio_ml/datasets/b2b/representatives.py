"""How good each representative is at winning deals, by segment."""

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.days import Floats
from portfolio_ml.datasets.b2b.world import SEGMENTS, World

WON = 0.35  # of the decided deals, at average skill
OWN_PART = 0.4  # of a representative's skill is the same in all segments


def names(world: World) -> NDArray[np.str_]:
    """What the representatives are called."""
    return np.array([f"R{number:02d}" for number in range(1, world.representatives + 1)])


def skills(world: World) -> Floats:
    """The log odds that a representative adds to a deal: a row each, a column per segment."""
    chance = world.chance("skill")
    own = chance.normal(size=(world.representatives, 1))
    by_segment = chance.normal(size=(world.representatives, len(SEGMENTS)))
    mixed: Floats = OWN_PART * own + np.sqrt(1 - OWN_PART**2) * by_segment
    return world.skill_spread * mixed


def win_rates(world: World) -> Floats:
    """The probability that a deal is won: a row per representative, a column per segment."""
    odds = np.log(WON / (1 - WON)) + skills(world)
    found: Floats = 1 / (1 + np.exp(-odds))
    return found
