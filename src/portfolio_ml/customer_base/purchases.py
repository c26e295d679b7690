"""What the models of a customer base read: how often, how recently, for how long.

`x` is the number of days with a purchase after the first one, `t_x` the time from the first
purchase to the last, `T` the time from the first purchase to the as-of date. `t_x` and `T` share
one unit, whichever it is; a model's rates and horizons are in that unit too. Beware that `t_x`
is what the literature calls recency: large means recent, unlike the feature `recency_days`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from portfolio_ml.errors import DataError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Purchase histories in columns of one shape, checked.

    Attributes:
        x: Repeat purchase days, a whole number.
        t_x: Time from the first to the last purchase; 0 exactly where `x` is 0.
        T: Time from the first purchase to the as-of date, not below `t_x`.
    """

    x: Array
    t_x: Array
    T: Array

    @classmethod
    def of(cls, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Self:
        """The histories, broadcast to one shape.

        Raises:
            DataError: A value is not finite, `x` is not a whole number of at least 0,
                `0 <= t_x <= T` does not hold, or only one of `x` and `t_x` is 0.

        Example:
            >>> Histories.of(x=[0, 2], t_x=[0, 30.4], T=38.9).T
            array([38.9, 38.9])
        """
        columns = (np.asarray(column, dtype=np.float64) for column in (x, t_x, T))
        histories = cls(*np.broadcast_arrays(*columns))
        histories.check()
        return histories

    def check(self) -> None:
        """Nothing, where every row is a possible history.

        Raises:
            DataError: The first rule that is broken, with the first row that breaks it.
        """
        x, t_x, T = self.x, self.t_x, self.T
        finite = np.isfinite(x) & np.isfinite(t_x) & np.isfinite(T)
        _demand(self, finite, "a purchase history must be finite")
        _demand(self, (x >= 0) & (x == np.floor(x)), "x must be a whole number of at least 0")
        _demand(self, (t_x >= 0) & (t_x <= T), "t_x must lie between 0 and T")
        _demand(self, (x == 0) == (t_x == 0), "t_x must be 0 exactly where x is 0")


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseCounts:
    """How many customers share a purchase history: one row each (x, t_x, T).

    The likelihood needs nothing else, so many customers fit in few rows. Built by
    `group_purchases`; rows built by hand may repeat.

    Attributes:
        frequency: `x`, the repeat purchase days.
        recency: `t_x`, the time from the first to the last purchase.
        age: `T`, the time from the first purchase to the as-of date.
        weight: The number of customers with this history, above 0.

    Raises:
        DataError: There is no row, the columns differ in length, a weight is not above 0, or
            `Histories` refuses a row.
    """

    frequency: Array
    recency: Array
    age: Array
    weight: Array

    def __post_init__(self) -> None:
        shapes = {array.shape for array in (self.frequency, self.recency, self.age, self.weight)}
        if len(shapes) > 1 or self.weight.ndim != 1:
            raise DataError("purchase counts take columns of one length", saw=f"shapes {shapes}")
        if not self.weight.size:
            raise DataError(
                "a customer base needs at least one customer", do="check the as-of date"
            )
        if not (np.isfinite(self.weight) & (self.weight > 0)).all():
            raise DataError("weights must be finite and above 0")
        self.histories.check()

    @property
    def histories(self) -> Histories:
        """The rows without their weights."""
        return Histories(self.frequency, self.recency, self.age)

    @property
    def customers(self) -> float:
        """The number of customers."""
        return float(self.weight.sum())

    @property
    def mean_age(self) -> float:
        """The customers' mean age; 1 where nobody has been observed for any time."""
        return float(self.weight @ self.age / self.customers) or 1.0

    def rescaled(self, unit: float) -> Self:
        """The counts with times in multiples of `unit`."""
        return type(self)(self.frequency, self.recency / unit, self.age / unit, self.weight)

    def thinned(self, rows: int) -> Self:
        """At least `rows` of the rows, evenly spread, where there are as many."""
        every = slice(None, None, max(self.weight.size // rows, 1))
        return type(self)(
            self.frequency[every], self.recency[every], self.age[every], self.weight[every]
        )

    def represented(self, rows: int) -> Self:
        """The counts, or at most `rows` of them that stand for all: see `representatives`."""
        chosen, weight = representatives(self.weight, rows)
        return type(self)(self.frequency[chosen], self.recency[chosen], self.age[chosen], weight)


def representatives(weight: Array, rows: int) -> tuple[npt.NDArray[np.intp], Array]:
    """Which rows stand for all, and their weights: those at even steps of the summed weight.

    Rows that are sorted are so represented along their order, without chance.

    Example:
        >>> representatives(np.array([1.0, 1.0, 6.0, 2.0]), rows=2)
        (array([2, 2]), array([5., 5.]))
    """
    if weight.size <= rows:
        return np.arange(weight.size), weight
    ends = np.cumsum(weight)
    step = ends[-1] / rows
    chosen = np.searchsorted(ends, step * (np.arange(rows) + 0.5))
    return chosen, np.full(rows, step)


def group_purchases(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
) -> PurchaseCounts:
    """The distinct histories and how many customers have each, sorted by x, t_x and T.

    One entry a customer; a `weight` of 2 counts an entry twice, 0 leaves it out.

    Raises:
        DataError: See `Histories` and `PurchaseCounts`.

    Example:
        >>> counts = group_purchases([0, 2, 0], [0, 30.4, 0], [38.9, 38.9, 38.9])
        >>> counts.frequency, counts.weight
        (array([0., 2.]), array([2., 1.]))
    """
    histories = Histories.of(np.atleast_1d(x), t_x, T)
    mass = np.ones(histories.x.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if mass.shape != histories.x.shape or not (np.isfinite(mass) & (mass >= 0)).all():
        raise DataError("purchase counts take one weight a row, finite and not below 0")
    columns = np.stack((histories.x, histories.t_x, histories.T, mass))[:, mass > 0]
    columns = columns[:, np.lexsort(columns[2::-1])]
    first = np.flatnonzero((np.diff(columns[:3], prepend=np.nan) != 0).any(axis=0))
    frequency, recency, age = columns[:3, first]
    return PurchaseCounts(frequency, recency, age, np.add.reduceat(columns[3], first))


def _demand(histories: Histories, holds: npt.NDArray[np.bool_], rule: str) -> None:
    if holds.all():
        return
    row = int(np.flatnonzero(~np.ravel(holds))[0])
    x, t_x, T = (
        float(np.ravel(column)[row]) for column in (histories.x, histories.t_x, histories.T)
    )
    raise DataError(rule, where=f"row {row}", saw=f"x={x:g}, t_x={t_x:g}, T={T:g}")
