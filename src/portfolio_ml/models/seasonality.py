"""What the season does to predictions: churn and value on the clock of the customers' pace.

On a clock that counts days of average pace, a seasonal portfolio is one without season: there the
customer-base model holds, for what was and for what comes. How much more it expects on that clock
than on the calendar's is what predictions are stretched by, customer by customer: a long silence
says less after the slow months, and a horizon in the fast ones holds more purchases.

Trees have learnt from outcomes of some seasons themselves. What of the stretch their predictions
hold already is its mean over the rows that they learnt from, and is taken out again.

In 25 simulated portfolios with yearly waves of 0.2 and 0.5, two to four years old, the blend's
totals were 0.90 to 1.11 of the true ones (off by 5 % on average), and 0.50 to 2.29 without (30 %);
a factor for the seasons of horizon and outcomes alone, which lets a silence speak as it does in any
month, gave 0.70 to 1.30. The mean chance of leaving was off by 0.009 instead of 0.043, and ranks
were as good or better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from portfolio_ml.customer_base import ParetoNBD
from portfolio_ml.models.calibration import log_odds
from portfolio_ml.season import Season

Features = NDArray[np.float32]
Floats = NDArray[np.float64]

AS_OF = "as_of"
FACTS = ("repeat_days", "purchase_span_days", "tenure_days")
MOST = 4.0
"""No customer's value, or odds of a purchase, are changed by more than this factor."""


@dataclass(frozen=True, slots=True)
class Seasonality:
    """A season, and what it does to what is expected of customers.

    Attributes:
        season: The pace of purchases over the year.
        purchase_model: Pareto/NBD, in days, as the champion froze it.
        learned: What the trees' predictions hold of it already: the logarithm of the mean of
            `stretch`, for a value, or the mean of `shift`, for a chance, over the rows that they
            learnt from.
    """

    season: Season
    purchase_model: ParetoNBD
    learned: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.learned):
            raise ValueError("a mean effect of the season is not finite")

    def stretch(self, features: Features, names: Sequence[str], *, horizon_days: int) -> Floats:
        """The factor by which the season changes expected purchases, shape (rows,).

        Args:
            features: Shape (rows, len(names)).
            names: Their names, `FACTS` and `AS_OF` among them.
            horizon_days: How far it is looked ahead.
        """
        plain, timed, ahead = self._clocks(features, names, horizon_days)
        _, usual = self.purchase_model.forecast(*plain, horizon=horizon_days)
        _, paced = self.purchase_model.forecast(*timed, horizon=horizon_days)
        paced = paced * ahead / horizon_days  # who leaves, leaves by the calendar
        ratio = np.divide(paced, usual, out=np.ones_like(usual), where=usual > 0)
        return np.clip(ratio, 1 / MOST, MOST)

    def shift(self, features: Features, names: Sequence[str], *, horizon_days: int) -> Floats:
        """What the season adds to the log-odds of no purchase, shape (rows,).

        Args:
            features: Shape (rows, len(names)).
            names: Their names, `FACTS` and `AS_OF` among them.
            horizon_days: How far it is looked ahead.
        """
        plain, timed, ahead = self._clocks(features, names, horizon_days)
        usual = self.purchase_model.p_no_purchase(*plain, horizon_days)
        paced = self.purchase_model.p_no_purchase(*timed, ahead)
        return np.clip(log_odds(paced) - log_odds(usual), -np.log(MOST), np.log(MOST))

    def stretched(self, boosted: Floats, base: Floats, stretch: Floats) -> tuple[Floats, Floats]:
        """The trees' values and the customer-base model's, in season."""
        return boosted * stretch / np.exp(self.learned), base * stretch

    def shifted(self, boosted: Floats, base: Floats, shift: Floats) -> tuple[Floats, Floats]:
        """The trees' chances of no purchase and the customer-base model's, in season."""
        return expit(log_odds(boosted) + shift - self.learned), expit(log_odds(base) + shift)

    def _clocks(
        self, features: Features, names: Sequence[str], horizon_days: int
    ) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats], Floats]:
        """The customers' x, t_x and T by either clock, and the horizon by the season's."""
        x, span, tenure, as_of = (
            features[:, names.index(name)].astype(np.float64) for name in (*FACTS, AS_OF)
        )
        first = as_of - tenure
        elapsed = self.season.elapsed
        timed = (x, elapsed(first, first + span), elapsed(first, as_of))
        return (x, span, tenure), timed, elapsed(as_of, as_of + horizon_days)

    def to_dict(self) -> dict[str, Any]:
        """The seasonality as plain JSON values."""
        return {
            "season": self.season.to_dict(),
            "purchase_model": self.purchase_model.to_dict(),
            "learned": self.learned,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Seasonality":
        """The seasonality that `to_dict` gave."""
        return cls(
            season=Season.from_dict(values["season"]),
            purchase_model=ParetoNBD.from_dict(values["purchase_model"]),
            learned=float(values["learned"]),
        )


def learned_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The features that a model's trees learn from: all that it expects but the as-of day.

    Example:
        >>> learned_names(("recency_days", "spend", "as_of"))
        ('recency_days', 'spend')
    """
    return names[:-1] if names[-1] == AS_OF else names


def seasonality_of(season: Season | None, purchase_model: ParetoNBD) -> Seasonality | None:
    """What models are told of a season; None where there is none."""
    return None if season is None else Seasonality(season, purchase_model)
