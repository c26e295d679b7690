"""Pairs of categories of which the one leads to the other more often than chance has it.

The one is looked at in two ways: as what customers owned at all, and as what they had begun within
half a year; the stronger evidence tells. Many pairs are looked at, so some look strong by chance:
only those are claimed that stand when the share of false claims is held to 5 %, and their intervals
are as wide as having chosen them asks.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.selling.additions import Numbers, Pairs
from portfolio_ml.portfolio.selling.cross_selling import CrossSelling, cross_selling
from portfolio_ml.portfolio.selling.first_purchases import LATE_DAYS
from portfolio_ml.schema import Column, Table

FALSE_SHARE = 0.05
"""At most so large a share of the claimed pairs is expected to be there by chance."""
WAYS = 2
"""Each pair is looked at as what was owned at all, and as what was begun of late."""

CROSS_SELL_PAIRS: Table = contract_of(
    "cross_sell_pairs",
    grain="one category that was owned and one that was added to it",
    key=("category", "added"),
    columns=(
        Column("category", pa.string(), "what customers owned"),
        Column(
            "since", pa.string(), f"ever: they owned it at all; new: they had begun it within "
            f"{LATE_DAYS} days; whichever tells more clearly",
        ),
        Column("added", pa.string(), "what they bought for the first time on a later day"),
        Column(
            "chances", pa.int64(), "days on which a customer who had the one so, and not the "
            "other, bought any category for the first time",
        ),
        Column("support", pa.int64(), "customers who then added the other one"),
        Column(
            "expected", pa.float64(), "how many would have, by how often everyone added it in the "
            "same period", decimals=2,
        ),
        Column("lift", pa.float64(), "support / expected", decimals=2),
        Column(
            "lift_low", pa.float64(), "lower end of its interval, corrected for the number of "
            "pairs and both ways; above 1", decimals=2,
        ),
        Column("lift_high", pa.float64(), "upper end", decimals=2),
        Column(
            "shrunk_lift", pa.float64(), "the lift pulled towards 1, the more the less is "
            "expected; what pairs are sorted by", decimals=2,
        ),
    ),
)  # fmt: skip

TITLE = "Which category leads to which"


def cross_sell_pairs(book: Book, learnt: CrossSelling | str | None = None) -> Figure:
    """The pairs that are claimed, the strongest shrunk lift first.

    Args:
        book: The portfolio.
        learnt: What `cross_selling` says of it, where that is at hand.
    """
    learnt = cross_selling(book) if learnt is None else learnt
    if isinstance(learnt, str):
        return absent(CROSS_SELL_PAIRS, TITLE, learnt)
    end = learnt.found.ends[-1]
    pairs, is_new = clearer(learnt.found.until(end), learnt.found.late_until(end))
    is_claimed, low, high = claimed(pairs)
    owned, added = np.nonzero(is_claimed)
    order = np.lexsort((added, owned, -pairs.lift[owned, added]))
    owned, added = owned[order], added[order]
    names = np.array(learnt.firsts.categories, object)
    columns = {
        "category": names[owned].tolist(),
        "since": np.where(is_new[owned, added], "new", "ever").tolist(),
        "added": names[added].tolist(),
        "chances": pairs.had[owned, added].astype(np.int64),
        "support": pairs.observed[owned, added].astype(np.int64),
        "expected": pairs.expected[owned, added],
        "lift": pairs.observed[owned, added] / pairs.expected[owned, added],
        "lift_low": low[owned, added],
        "lift_high": high[owned, added],
        "shrunk_lift": pairs.lift[owned, added],
    }
    note = (
        f"{owned.size} of {int((pairs.expected > 0).sum())} pairs are claimed; they go together "
        "in time, which does not say that the one is the cause"
    )
    return present(CROSS_SELL_PAIRS, TITLE, columns, as_of=book.as_of, notes=[note])


def clearer(ever: Pairs, late: Pairs) -> tuple[Pairs, NDArray[np.bool_]]:
    """Each pair in the way that tells more clearly, and whether that is what was begun of late."""
    is_late = p_values(late) < p_values(ever)
    return Pairs(
        observed=np.where(is_late, late.observed, ever.observed),
        expected=np.where(is_late, late.expected, ever.expected),
        had=np.where(is_late, late.had, ever.had),
    ), is_late


def p_values(pairs: Pairs) -> Numbers:
    """How likely chance would bring as many additions or more; 1 where it can bring none.

    A customer adds a category once, so that support is a sum of independent chances, at most as
    scattered as a Poisson count.
    """
    can = pairs.expected > 0
    expected = np.where(can, pairs.expected, 1.0)
    return np.where(can, stats.poisson.sf(pairs.observed - 1, expected), 1.0)


def claimed(pairs: Pairs) -> tuple[NDArray[np.bool_], Numbers, Numbers]:
    """Which pairs are claimed, and the interval of each one's lift.

    Each was looked at in two ways, so that its p-value counts twice (Bonferroni). Pairs are
    claimed by Benjamini and Hochberg (1995); the intervals are the exact ones of a Poisson mean at
    the level that Benjamini and Yekutieli (2005) ask of those who were chosen.
    """
    can = pairs.expected > 0
    p_value = np.minimum(WAYS * p_values(pairs), 1.0)
    tested = np.sort(p_value[can])
    passes = np.flatnonzero(tested <= FALSE_SHARE * np.arange(1, tested.size + 1) / tested.size)
    count = int(passes[-1]) + 1 if passes.size else 0
    level = FALSE_SHARE * max(count, 1) / max(tested.size, 1)
    is_claimed = can & (p_value <= level) if count else np.zeros_like(can)
    seen, expected = pairs.observed, np.where(can, pairs.expected, 1.0)
    low = np.where(seen > 0, stats.gamma.ppf(level / WAYS, np.maximum(seen, 1)), 0.0) / expected
    high = stats.gamma.ppf(1 - level / WAYS, seen + 1) / expected
    return is_claimed, low, high
