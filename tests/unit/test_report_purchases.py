"""What customers bought over time, as the report draws it: worked out by hand."""

from datetime import date

import pytest
from tests.histories import Line, history_of

from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.report.purchases import Month, Purchases, purchases_of

pytestmark = pytest.mark.unit

AS_OF = date(2024, 6, 30)


@pytest.fixture
def bought(engine):
    def told(*lines, customers=("ann", "bob")):
        return purchases_of(inputs_of(history_of(engine, lines), engine), customers, as_of=AS_OF)

    return told


def test_spend_is_net_and_by_month_and_nothing_after_the_date_counts(bought):
    told = bought(
        Line("ann", date(2024, 4, 2), 10.0),
        Line("ann", date(2024, 4, 20), 30.0),
        Line("ann", date(2024, 6, 1), -5.0),
        Line("ann", date(2024, 7, 1), 99.0),
        Line("bob", date(2024, 7, 1), 99.0),
        Line("eve", date(2024, 5, 1), 99.0),
    )

    assert told == {
        "ann": Purchases(
            first_day=date(2024, 4, 2),
            last_day=date(2024, 4, 20),
            purchase_days=2,
            spend=35.0,
            months=(Month(date(2024, 4, 1), 40.0, 2), Month(date(2024, 6, 1), -5.0, 0)),
            next_from=None,
            next_to=None,
        )
    }


def test_the_months_reach_three_years_back(bought):
    days = [date(2021, 6, 30), date(2021, 7, 1), date(2024, 6, 30)]
    ann = bought(*(Line("ann", day, 1.0) for day in days))["ann"]

    assert [month.first_day for month in ann.months] == [date(2021, 7, 1), date(2024, 6, 1)]
    assert (ann.first_day, ann.purchase_days, ann.spend) == (days[0], 3, 3.0)


def test_the_next_order_is_usual_between_the_tenth_and_the_ninetieth_of_its_own_gaps(bought):
    """Gaps of 10, 20, 30, 40 and 50 days: the 10th percentile is 14, the 90th is 46."""
    days = [date(2024, 1, d) for d in (1, 11, 31)] + [
        date(2024, 3, 1), date(2024, 4, 10), date(2024, 5, 30)
    ]  # fmt: skip
    ann = bought(*(Line("ann", day, 1.0) for day in days))["ann"]

    assert (ann.next_from, ann.next_to) == (date(2024, 6, 13), date(2024, 7, 15))


def test_nobody_is_asked_for_when_nobody_is_chosen(bought):
    assert bought(Line("ann", date(2024, 4, 2), 10.0), customers=()) == {}
