"""Features, outcomes and standing worked out by hand: loops over lists, exact fractions.

Nothing here is shared with the package but the names of the features and the parameters of the
fitted customer-base models. One function per feature, under the feature's name:

- `OF_CUSTOMER`: from what the customer has done and what is known of them,
- `OF_PORTFOLIO`: also from what all others have done,
- `OF_MODEL`: from what the customer has done and the models' parameters.
"""

from collections.abc import Callable, Iterable

import pytest
from tests.by_hand.baskets import OF_BASKETS
from tests.by_hand.expectations import OF_MODEL, models_of
from tests.by_hand.habits import OF_HABITS
from tests.by_hand.outcomes import activity_days, outcome
from tests.by_hand.past import Number, Past, pasts, pasts_in
from tests.by_hand.purchases import OF_PURCHASES
from tests.by_hand.relations import OF_RELATIONS
from tests.by_hand.relative import OF_PORTFOLIO
from tests.portfolios import Portfolio

from portfolio_ml.features.table import FeatureTable, Horizons

__all__ = [
    "OF_CUSTOMER", "OF_MODEL", "OF_PORTFOLIO", "activity_days", "assert_as_by_hand", "outcome",
    "pasts", "pasts_in",
]  # fmt: skip

OF_CUSTOMER: dict[str, Callable[[Past], Number | None]] = {
    **OF_PURCHASES, **OF_BASKETS, **OF_HABITS, **OF_RELATIONS
}  # fmt: skip


def assert_as_by_hand(
    table: FeatureTable, portfolio: Portfolio, as_of_days: Iterable[int], horizons: Horizons
) -> None:
    """The table has the rows of the calculation by hand, and the same values."""
    got = {(row["as_of"], row["customer_id"]): row for row in table.rows.to_pylist()}
    known = {day: pasts_in(portfolio, day) for day in sorted(as_of_days)}
    assert [*got] == [(day, customer) for day, customers in known.items() for customer in customers]
    names = table.rows.column_names[2:]
    wrong = []
    for (day, customer), row in got.items():
        past, everyone = known[day][customer], list(known[day].values())
        models = models_of(table.references[day])
        for name in names:
            if name in OF_CUSTOMER:
                want = OF_CUSTOMER[name](past)
            elif name in OF_PORTFOLIO:
                want = OF_PORTFOLIO[name](past, everyone)
            else:
                want = OF_MODEL[name](past, models, horizons)
            if row[name] != _nearly(want):
                wrong.append(f"{name} of {customer} on {day}: {row[name]}, by hand {want}")
    assert not wrong, "\n".join(wrong)


def _nearly(value: Number | None) -> object:
    return None if value is None else pytest.approx(float(value), rel=1e-5, abs=1e-6)
