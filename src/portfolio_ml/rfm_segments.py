"""The classic RFM segments, by rule from the quintile scores: known names for every customer.

The scores of frequency and monetary value become one, half their sum rounded down, and the grid of
recency by that says the segment. `docs/explanation/segments.md` shows the grid.
"""

import numpy as np
from numpy.typing import NDArray

CHAMPIONS = "champions"
LOYAL = "loyal"
POTENTIAL_LOYALISTS = "potential loyalists"
NEW = "new"
PROMISING = "promising"
NEEDING_ATTENTION = "needing attention"
ABOUT_TO_SLEEP = "about to sleep"
AT_RISK = "at risk"
CANNOT_LOSE = "can't lose them"
HIBERNATING = "hibernating"
LOST = "lost"

GRID = {
    5: (NEW, POTENTIAL_LOYALISTS, POTENTIAL_LOYALISTS, CHAMPIONS, CHAMPIONS),
    4: (PROMISING, POTENTIAL_LOYALISTS, POTENTIAL_LOYALISTS, LOYAL, CHAMPIONS),
    3: (ABOUT_TO_SLEEP, NEEDING_ATTENTION, NEEDING_ATTENTION, LOYAL, LOYAL),
    2: (HIBERNATING, ABOUT_TO_SLEEP, AT_RISK, AT_RISK, AT_RISK),
    1: (LOST, LOST, HIBERNATING, CANNOT_LOSE, CANNOT_LOSE),
}
"""Per recency score, the segments of a joint score of frequency and monetary value from 1 to 5."""

_NAMES = np.array([GRID[recency] for recency in range(1, 6)])


def rfm_segments(
    rfm_r: NDArray[np.int8], rfm_f: NDArray[np.int8], rfm_m: NDArray[np.int8]
) -> NDArray[np.str_]:
    """The segment of each customer's scores, each from 1 to 5, shape (customers,).

    Example:
        >>> scores = np.array([[5, 5, 5], [5, 2, 1], [1, 5, 4]], np.int8)
        >>> rfm_segments(*scores.T).tolist()
        ['champions', 'new', "can't lose them"]
    """
    joint = (rfm_f + rfm_m) // 2
    found: NDArray[np.str_] = _NAMES[rfm_r - 1, joint - 1]
    return found
