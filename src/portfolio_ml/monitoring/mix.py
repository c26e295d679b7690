"""What was bought: customers by category and channel, in the 30 days before each date."""

from collections.abc import Sequence

import narwhals as nw

from portfolio_ml.features.cut import dates
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.timeline import in_history, in_window

COLUMNS = ("category", "channel")
WINDOW_DAYS = 30


def mixes(inputs: Inputs, as_of_days: Sequence[int]) -> dict[str, list[dict[str, int]]]:
    """Per column that the lines have, and per as-of day, customers by what they bought.

    A customer who bought in two categories counts in both.
    """
    present = [column for column in COLUMNS if column in inputs.columns]
    return {column: _mix(inputs, column, as_of_days) for column in present}


def _mix(inputs: Inputs, column: str, as_of_days: Sequence[int]) -> list[dict[str, int]]:
    is_bought = (nw.col("amount") >= 0) & ~nw.col(column).is_null()
    recorded = "known_day" if "known_day" in inputs.columns else "day"
    found = inputs.engine.collect(
        inputs.lines.filter(is_bought)
        .select("customer", column, "day", known=nw.col(recorded))
        .join(dates(as_of_days, inputs.engine), how="cross")
        .filter(in_window(nw.col("as_of") - nw.col("day"), WINDOW_DAYS))
        .filter(in_history(nw.col("known"), nw.col("as_of")))
        .group_by("as_of", column)
        .agg(customers=nw.col("customer").n_unique())
    )
    counts: dict[int, dict[str, int]] = {day: {} for day in as_of_days}
    rows = zip(*(found[name].to_pylist() for name in ("as_of", column, "customers")), strict=True)
    for day, label, customers in rows:
        counts[day][label] = int(customers)
    return [counts[day] for day in as_of_days]
