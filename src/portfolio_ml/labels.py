"""Outcomes in (as_of, as_of + horizon]."""

from collections.abc import Mapping, Sequence

import narwhals as nw

from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import dates
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.table import Horizons
from portfolio_ml.schema import MONEY_SCALE, Measure
from portfolio_ml.timeline import in_outcome

LABELS = ("future_purchase_days", "future_spend", "future_returned")
MARGIN = "future_margin"


def labels(measure: Measure) -> tuple[str, ...]:
    """The columns of `outcomes`.

    Example:
        >>> labels("margin")[-1]
        'future_margin'
    """
    return (*LABELS, MARGIN) if measure == "margin" else LABELS


def outcomes(
    inputs: Inputs, as_of_days: Sequence[int], *, horizons: Horizons, measure: Measure = "revenue"
) -> Frame:
    """What each customer did after each as-of day; those who did nothing have no row.

    Columns: customer, as_of, future_purchase_days within the churn horizon, future_spend and
    future_returned (currency units) within the value horizon; and where margin is measured, for
    which the lines must have a cost, future_margin (likewise, and below 0 where cost exceeds it).
    """
    tables = {"days": inputs.days, "dates": dates(as_of_days, inputs.engine)}
    return inputs.engine.planned(_outcomes, tables, horizons, measure)


def _outcomes(tables: Mapping[str, Frame], horizons: Horizons, measure: Measure) -> Frame:
    day, as_of = nw.col("day"), nw.col("as_of")
    in_churn = in_outcome(day, as_of, horizons.churn_days)
    in_value = in_outcome(day, as_of, horizons.value_days)
    bought = in_churn & nw.col("is_purchase")
    margin = {MARGIN: _total("margin", in_value)} if measure == "margin" else {}
    return (
        tables["days"]
        .join(tables["dates"], how="cross")
        .filter(in_outcome(day, as_of, max(horizons.churn_days, horizons.value_days)))
        .group_by("customer", "as_of")
        .agg(
            future_purchase_days=bought.cast(nw.Int64).sum().cast(nw.Int64),
            future_spend=_total("spend", in_value),
            future_returned=_total("returned", in_value),
            **margin,
        )
    )


def _total(column: str, inside: nw.Expr) -> nw.Expr:
    return nw.when(inside).then(nw.col(column)).otherwise(0).sum() / MONEY_SCALE
