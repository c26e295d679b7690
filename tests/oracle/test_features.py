"""Features of transactions against a calculation by hand, on the corner cases.

Those of the optional columns and tables are in `test_optional_features`.
"""

from datetime import date

import pytest
from tests.by_hand import assert_as_by_hand
from tests.histories import HORIZONS, Line, after, bought, day_of
from tests.portfolios import Portfolio

from portfolio_ml.features.table import at

pytestmark = pytest.mark.oracle

CASES = {
    "one purchase": bought("a", 0),
    "one purchase, on the as-of day": bought("a", 1000),
    "one free purchase": bought("a", 400, amount=0),
    "two customers who bought once": bought("a", 10, amount=5) + bought("b", 700, amount=25),
    "a customer with returns only is not there": [
        *bought("a", 10, 500),
        Line("b", after(300), -20),
        Line("b", after(900), -20),
    ],
    "returns before, between and after the purchases": [
        Line("a", after(100), -3),
        *bought("a", 200, 500, 900),
        Line("a", after(700), -7.5),
        Line("a", after(1000), -2.5),
    ],
    "a purchase and a return on one day": [
        *bought("a", 600, 800),
        Line("a", after(800), -10),
    ],
    "many purchases on one day": bought("a", 990, 990, 990, amount=2) + bought("a", 5, amount=7),
    "all amounts are zero": bought("a", 1, 2, 900, amount=0) + bought("b", 50, 60, amount=0),
    "a zero amount is a purchase": [*bought("a", 0, 400), Line("a", after(950), 0)],
    "free earlier days count in the earlier mean": [
        *bought("a", 100, 200, amount=0),
        *bought("a", 300, amount=30),
        *bought("a", 700, 800, 900, amount=20),
    ],
    "nothing spent before the last three purchase days": [
        *bought("a", 100, 200, amount=0),
        *bought("a", 700, 800, 900, amount=20),
    ],
    "orders of several lines": [
        Line("a", after(900), 4, "o-1"),
        Line("a", after(900), 6, "o-1"),
        Line("a", after(900), 5, "o-2"),
        Line("b", after(980), 5, "o-2"),
    ],
    "an order over two days is one on each": [
        Line("a", after(899), 4, "o-1"),
        Line("a", after(900), 6, "o-1"),
    ],
    "lines of a day without an id are one order": [
        Line("a", after(900), 4, "o-1"),
        Line("a", after(900), 4, None),
        Line("a", after(900), 4, None),
        Line("a", after(999), 4, None),
    ],
    "an order that is only returned is none": [
        Line("a", after(900), 4, "o-1"),
        Line("a", after(900), -4, "o-2"),
        Line("a", after(950), 4, None),
        Line("a", after(950), -4, "o-1"),
    ],
    "days at the edges of the windows": [
        line
        for age in (
            0,
            6,
            7,
            13,
            14,
            29,
            30,
            59,
            60,
            89,
            90,
            119,
            120,
            179,
            180,
            239,
            240,
            299,
            300,
            359,
            360,
            364,
            365,
            729,
            730,
        )
        for line in (Line("a", after(1000 - age), 1 + age), Line("a", after(1000 - age), -0.5))
    ],
    "the same price, however often paid": [
        *bought("a", 500, 600, 700, amount=9.99),
        *bought("b", 800, amount=9.99),
        *bought("c", *range(900, 907), amount=9.99),
        *bought("d", 905, amount=9.98),
    ],
    "gaps that lengthen, shorten and stay": [
        *bought("four purchase days", 100, 110, 120, 180),
        *bought("five", 100, 110, 120, 150, 210),
        *bought("eight", 0, 400, 500, 590, 600, 610, 620, 900),
        *bought("clockwork", *range(0, 1000, 30)),
        *bought("a cycle missed", 880, 900, 920, amount=5),
        *bought("today", 980, 990, 1000),
    ],
    "thirty whole gaps, and not a little less": [
        *bought("a", 869, 872, 875),
        *bought("b", 900, 910),
    ],
    "months that tie, and the last of February": [
        *(Line("tie", date(year, month, 1), 10) for year, month in ((2020, 9), (2021, 3))),
        *(Line("leap", date(2020, 2, day), 10) for day in (28, 29)),
        Line("leap", date(2020, 3, 1), 19.9999),
        Line("new year", date(2020, 12, 31), 1),
        Line("new year", date(2021, 1, 1), 1),
    ],
    "the days of a year ago that are ahead": [
        line
        for age in (274, 275, 276, 364, 365, 640, 729, 730, 3_285, 3_559, 3_560, 3_649, 3_650)
        for line in (Line("a", after(1000 - age), 1), Line(f"{age}", after(1000 - age), 1))
    ],
    "a gap that ends between two days": bought("a", 0, 7, 15) + bought("b", 3, 9),
    "before 1970": [Line("a", after(days - 30_000), 12.5) for days in (0, 31, 400, 700)],
    "later lines are not seen": bought("a", 0, 900, 1001, 1900) + bought("b", 1001),
    "the tenth of a cent": [Line("a", after(900), 0.0001), Line("b", after(1), 123_456_789.9999)],
}

AS_OF = after(1000)


@pytest.mark.parametrize("case", CASES)
def test_features_are_what_a_calculation_by_hand_gives(engine, case):
    portfolio = Portfolio(CASES[case])

    table = at(portfolio.inputs(engine), [day_of(AS_OF)], horizons=HORIZONS)

    assert_as_by_hand(table, portfolio, [day_of(AS_OF)], HORIZONS)


def test_a_worked_example(engine):
    lines = [
        Line("a", after(0), 30, "o-1"),
        Line("a", after(0), 20, "o-2"),
        Line("a", after(100), 40, "o-3"),
        Line("a", after(110), -40, "o-3"),
        Line("a", after(400), 10, "o-4"),
        Line("a", after(600), 60, "o-5"),
        Line("a", after(600), 15, "o-5"),
        *bought("b", 500, amount=200),
    ]

    table = at(Portfolio(lines).inputs(engine), [day_of(after(630))], horizons=HORIZONS)
    row = table.rows.to_pylist()[0]

    assert table.rows["customer_id"].to_pylist() == ["a", "b"]
    assert {name: row[name] for name in WORKED} == pytest.approx(WORKED, rel=1e-6)


# Spend on the purchase days 0, 100, 400 and 600 is 50, 40, 10 and 75; the gaps are 100, 300, 200.
WORKED = {
    "recency_days": 30,
    "tenure_days": 630,
    "purchase_days": 4,
    "orders": 5,
    "spend": 175,
    "net_spend": 135,
    "largest_purchase_day": 75,
    "monetary": 43.75,
    "ticket": 35,
    "rate_per_year": 3 * 365 / 660,
    "spend_30d": 0,
    "spend_90d": 75,
    "orders_365d": 2,
    "spend_365d": 85,
    "spend_365_to_730d": 90,
    "returned_365d": 0,
    "gap_mean_days": 200,
    "gap_median_days": 200,
    "gap_std_days": 100,
    "gap_longest_days": 300,
    "gap_last_days": 200,
    "recent_ticket": 125 / 3,
    "last_ticket": 75,
    "ticket_trend": 125 / 3 / 50 - 1,
    "spend_trend": 85 / 90 - 1,
    "typical_gap_days": 200,
    "overdue_ratio": 0.15,
    "rfm_r": 4,
    "rfm_f": 4,
    "rfm_m": 2,
}
