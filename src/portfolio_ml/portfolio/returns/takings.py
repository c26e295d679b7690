"""What each customer brought between dates, net of returns."""

from collections.abc import Sequence
from itertools import pairwise

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.features.cut import seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.schema import Measure
from portfolio_ml.timeline import in_outcome


def taken_between(inputs: Inputs, days: Sequence[int], *, measure: Measure = "revenue") -> pa.Table:
    """One row per customer with a line in (first day, last day], sorted by number.

    Columns: `customer`, the number in the inputs, and `taken_0`, `taken_1`, ...: what the customer
    brought in (days[0], days[1]], in (days[1], days[2]], ..., in 1/10,000 currency unit, as was
    known on the last of the days.

    Args:
        inputs: The portfolio's tables.
        days: Day numbers, ascending; two at least.
        measure: What counts: net spend, or what is left of it after the cost of the goods.
    """
    net = nw.col("spend") - nw.col("returned") if measure == "revenue" else nw.col("margin")
    first, last, day = days[0], days[-1], nw.col("day")
    sums = {
        f"taken_{n}": nw.when(in_outcome(day, start, end - start)).then(net).otherwise(0).sum()
        for n, (start, end) in enumerate(pairwise(days))
    }
    seen = seen_at(inputs, [last]).filter(in_outcome(day, first, last - first))
    totals = seen.group_by("customer").agg(**sums)
    whole = totals.with_columns(nw.col(*sums).cast(nw.Int64))
    return inputs.engine.collect(whole.sort("customer"))


def of_customers(taken: pa.Table, name: str, customers: NDArray[np.int64]) -> NDArray[np.int64]:
    """A column of `taken_between` for customers by their ascending numbers; 0 where they have none.

    Example:
        >>> taken = pa.table({"customer": [1, 4], "taken_0": [50, 70]})
        >>> of_customers(taken, "taken_0", np.array([0, 1, 4])).tolist()
        [0, 50, 70]
    """
    found = np.zeros(customers.size, np.int64)
    if taken.num_rows:
        known = taken["customer"].to_numpy()
        place = np.clip(np.searchsorted(known, customers), 0, known.size - 1)
        is_known = known[place] == customers
        found[is_known] = taken[name].to_numpy()[place[is_known]]
    return found
