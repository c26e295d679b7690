"""What was bought: customers by category and channel, in the 30 days before each date."""

from collections.abc import Sequence

import narwhals as nw
import pyarrow as pa

from portfolio_ml.engine import Frame
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
    since = nw.col("day") - inputs.span.first_day
    found = inputs.engine.collect(
        inputs.lines.filter(is_bought)
        .select(
            "customer",
            column,
            "day",
            known=nw.col(recorded),
            stretch=(since // WINDOW_DAYS).cast(nw.Int32),
        )
        .join(_stretches(inputs, as_of_days), on="stretch", how="inner")
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


def _stretches(inputs: Inputs, as_of_days: Sequence[int]) -> Frame:
    """The stretches of the history, each as long as a window, that each date's window lies in.

    They are two at most, so that a line meets the few dates that are near it, and not all.
    """
    first = inputs.span.first_day
    touched = sorted(
        {
            (day, (edge - first) // WINDOW_DAYS)
            for day in as_of_days
            for edge in (day - WINDOW_DAYS + 1, day)
        }
    )
    return inputs.engine.from_arrow(
        pa.table(
            {
                "as_of": pa.array([day for day, _ in touched], pa.int32()),
                "stretch": pa.array([stretch for _, stretch in touched], pa.int32()),
            }
        )
    )
