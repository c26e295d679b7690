"""Which kinds of interactions tell how satisfied customers are, and on which scale.

Nothing says what the value of an interaction is. It is taken for satisfaction where at least ten
values of a kind were given within two years, all of them on a scale from 1 to 5 or from 0 to 10,
whole or half, three or more different ones, and on at least half of that kind's interactions.
Minutes, amounts and yes or no are none of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.engine import Engine, Frame

LOOKED_BACK_DAYS = 730
FEWEST_VALUES = 10
FEWEST_STEPS = 3
LEAST_TOLD = 0.5
SCALES = ((1.0, 5.0), (0.0, 10.0))
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Scale:
    """What a kind of interactions tells of satisfaction.

    Attributes:
        kind: The kind.
        values: How many values there are.
        low: The scale's lowest value.
        high: Its highest.
    """

    kind: str
    values: int
    low: float
    high: float

    @property
    def said(self) -> str:
        """How it was chosen, for people."""
        return (
            f"{self.kind} is taken for satisfaction: {self.values} values within two years, all "
            f"from {self.low:.0f} to {self.high:.0f}"
        )


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """How satisfied customers are; arrays of one length.

    Attributes:
        customer: Their numbers in the inputs, ascending.
        level: The mean of the last year's values, 0 for the scale's lowest and 1 for its highest;
            NaN without one.
        answers: How many those are.
        trend: Their mean minus that of the year before; NaN where either has none.
        is_clear: Whether the trend is beyond what such few answers scatter (two standard errors).
    """

    customer: NDArray[np.int64]
    level: NDArray[np.float64]
    answers: NDArray[np.int64]
    trend: NDArray[np.float64]
    is_clear: NDArray[np.bool_]


def scales(seen: Frame, engine: Engine) -> Sequence[Scale]:
    """The kinds that tell satisfaction.

    Args:
        seen: The interactions in history, with age_days and value.
        engine: Where they are.
    """
    value = nw.col("value")
    recent = seen.filter(nw.col("age_days") < LOOKED_BACK_DAYS)
    told = recent.with_columns(_odd=((value * 2).round() - value * 2).abs())
    kinds = told.group_by("kind").agg(
        rows=nw.len(),
        values=value.count(),
        low=value.min(),
        high=value.max(),
        steps=value.n_unique(),
        odd=nw.col("_odd").max(),
    )
    found = []
    for row in engine.collect(kinds.sort("kind")).to_pylist():
        is_told = row["values"] >= max(FEWEST_VALUES, LEAST_TOLD * row["rows"])
        # An unknown value counts as one of the different ones.
        steps = row["steps"] - (row["rows"] > row["values"])
        if is_told and steps >= FEWEST_STEPS and not row["odd"]:
            fits = [s for s in SCALES if s[0] <= row["low"] and row["high"] <= s[1]]
            if fits:
                found.append(Scale(row["kind"], row["values"], *fits[0]))
    return found


def satisfaction(seen: Frame, engine: Engine, *, by: Sequence[Scale]) -> Satisfaction:
    """How satisfied each customer is who told within two years.

    Args:
        seen: The interactions in history, with customer, age_days, kind and value.
        engine: Where they are.
        by: The kinds that tell it.
    """
    known = pa.table(
        {
            "kind": [scale.kind for scale in by],
            "low": pa.array([scale.low for scale in by], pa.float64()),
            "high": pa.array([scale.high for scale in by], pa.float64()),
        }
    )
    recent = seen.filter((nw.col("age_days") < LOOKED_BACK_DAYS) & ~nw.col("value").is_null())
    answers = recent.join(engine.from_arrow(known), on="kind", how="inner").with_columns(
        answer=(nw.col("value") - nw.col("low")) / (nw.col("high") - nw.col("low")),
        year=nw.col("age_days") // YEAR_DAYS,
    )
    sums = answers.with_columns(square=nw.col("answer") ** 2).group_by("customer", "year")
    table = engine.collect(
        sums.agg(
            count=nw.len().cast(nw.Int64),
            total=nw.col("answer").sum(),
            square=nw.col("square").sum(),
        ).sort("customer", "year")
    )
    return _compared(table)


def _compared(table: pa.Table) -> Satisfaction:
    numbers, year, count, total, square = (
        table[name].to_numpy() for name in ("customer", "year", "count", "total", "square")
    )
    customer, row = np.unique(numbers.astype(np.int64), return_inverse=True)
    counts, sums = np.zeros((2, customer.size)), np.zeros((2, customer.size))
    np.add.at(counts, (year, row), count)
    np.add.at(sums, (year, row), total)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    around = max(float((square - total**2 / count).sum()), 0.0)
    freedom = float((count - 1).sum())
    scatter = around / freedom if freedom > 0 else np.nan
    with np.errstate(divide="ignore"):
        error = np.sqrt(scatter * (1 / counts[0] + 1 / counts[1]))
    trend = means[0] - means[1]
    return Satisfaction(
        customer=customer,
        level=means[0],
        answers=counts[0].astype(np.int64),
        trend=trend,
        is_clear=np.abs(trend) > 2 * error,
    )
