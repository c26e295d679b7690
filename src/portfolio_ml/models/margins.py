"""The share of net spend that is left after the cost of the goods."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]

COLUMN = "margin"


@dataclass(frozen=True, slots=True)
class Margins:
    """The margin's share of net spend, shrunk from a customer's own to the portfolio's.

    Goods sold below cost make it negative; a loss beyond the net spend itself is taken for chance.

    Attributes:
        share: The portfolio's margin share, in [-1, 1].
        prior_spend: The net spend, currency units, that the portfolio's share counts for.

    Example:
        >>> margins = Margins(share=0.3, prior_spend=100)
        >>> margins.of(np.array([0.0, 300.0]), np.array([0.0, 150.0]))
        array([0.3 , 0.45])
    """

    share: float
    prior_spend: float

    def __post_init__(self) -> None:
        if not (-1 <= self.share <= 1 and 0 < self.prior_spend < np.inf):
            raise ValueError(f"no margin share: {self.share}, prior spend {self.prior_spend}")

    def of(self, net_spend: Floats, margin: Floats) -> Floats:
        """The expected margin share per customer, in [-1, 1], shape (rows,).

        Args:
            net_spend: Net spend so far, currency units; below 0 it counts as none.
            margin: Margin so far, currency units.
        """
        shrunk = (margin + self.share * self.prior_spend) / (
            np.maximum(0.0, net_spend) + self.prior_spend
        )
        return np.clip(shrunk, -1.0, 1.0)


def fit_margins(snapshots: Snapshots, prior_spend: float) -> Margins | None:
    """The portfolio's share of what followed; None where value is revenue.

    Args:
        snapshots: Labelled rows.
        prior_spend: The net spend that the portfolio's share counts for.
    """
    if snapshots.margin is None:
        return None
    return margins_of(float(snapshots.margin.sum()), float(snapshots.net.sum()), prior_spend)


def margins_of(margin: float, net_spend: float, prior_spend: float) -> Margins:
    """The portfolio's share of these totals; none of net spend that is not above 0."""
    share = margin / net_spend if net_spend > 0 else 0.0
    return Margins(share=min(1.0, max(-1.0, share)), prior_spend=prior_spend)
