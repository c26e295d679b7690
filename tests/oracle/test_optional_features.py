"""Features of all columns and tables against a calculation by hand, on the corner cases."""

from datetime import date

import pytest
from tests.by_hand import OF_CUSTOMER, OF_MODEL, OF_PORTFOLIO, assert_as_by_hand
from tests.histories import HORIZONS, OPTIONAL, Line, after, day_of
from tests.portfolios import Contact, Interaction, Known, Portfolio

from portfolio_ml.features.feature import Stage
from portfolio_ml.features.table import at

pytestmark = pytest.mark.oracle

AS_OF = day_of(after(1000))


def line(age, amount=10.0, **known):
    """A line of some age at the as-of day; whose it is, its case tells."""
    return Line("", after(1000 - age), amount, **known)


def touched(*ages, **known):
    return [Interaction("", after(1000 - age), **known) for age in ages]


def since(age, **known):
    return Known("", None if age is None else after(1000 - age), **known)


EDGES = (0, 6, 7, 29, 30, 59, 60, 89, 90, 179, 180, 359, 360, 364, 365, 729, 730)

# One customer each.
LINES = {
    "nothing is known": [line(5), line(400)],
    "one free line": [line(5, 0.0, product_id="p", category="food", channel="web", minute=0)],
    "everything at the edges of the windows": [
        line(age, amount, order_id=f"{age}", product_id=f"p-{age % 4}", category=f"c-{age % 3}",
             channel=f"{age % 2}", quantity=1.5, cost=3.25, discount=0.75, minute=age)
        for age in EDGES
        for amount in (10.0 + age, -1.0)
    ],
    "orders with and without ids": [
        line(age, order_id=order)
        for age in (1, 2, 3, 4, 5)
        for order in ("o-1", "o-1", f"o-{age}", None, None)
    ],
    "an order over two days": [line(3, order_id="o"), line(4, order_id="o")],
    "an order that is only returned": [line(3, -2.0, order_id="o"), line(4, order_id=None)],
    "the same product thrice on a day": [line(3, product_id="p")] * 3,
    "a product that comes back": [line(a, product_id=f"p-{a % 2}") for a in (1, 20, 30, 50, 90)],
    "a product that was returned before it was bought": [
        line(9, product_id="q"),
        line(8, -5.0, product_id="p"),
        line(1, product_id="p"),
    ],
    "products that are partly known": [line(1, product_id="p"), line(1), line(9, product_id="q")],
    "no products on the last three days": [
        line(50, product_id="p"), line(3), line(2), line(1, 0.0),
    ],
    "one category": [line(1, 3.3, category="food"), line(400, 6.7, category="food")],
    "a category that cost nothing": [line(1, 0.0, category="food"), line(2, category="toys")],
    "categories that all cost nothing": [line(1, 0.0, category="a"), line(2, 0.0, category="b")],
    "a category that was only returned": [line(1, -5.0, category="food"), line(2)],
    "a category dropped a year ago": [line(364, category="food"), line(365, category="toys")],
    "all categories dropped": [line(366, category="food"), line(700, category="toys"), line(1)],
    "alike categories": [line(3, category=name) for name in "abcde"],
    "a large and a small category": [line(3, 1e6, category="a"), line(3, 0.01, category="b")],
    "units": [line(1, quantity=q) for q in (None, 0.0, 2.5, -3.0)] + [line(2, -1.0, quantity=9.0)],
    "units of earlier days": [line(a, quantity=float(a)) for a in (1, 2, 3, 4, 5)],
    "no units on earlier days": [line(a, quantity=1.0) for a in (1, 2, 3)] + [line(9)],
    "costs are given back": [
        line(1, cost=4.0), line(1, -10.0, cost=-4.0), line(2, cost=-2.5), line(3, 1.0), line(400),
    ],
    "as much returned as bought": [line(1, cost=4.0), line(1, -10.0, cost=4.0)],
    "more returned than bought": [line(1, cost=4.0), line(300, -30.0, cost=4.0)],
    "nothing bought for a year": [line(500, cost=4.0, discount=1.0, category="food")],
    "a discount that takes all": [line(1, 0.0, discount=10.0), line(1, 0.0)],
    "a discount on what is returned": [line(1, discount=2.0), line(2, -5.0, discount=1.0)],
    "discounts of 0 and unknown": [line(1, discount=0.0), line(1), line(1, discount=0.0001)],
    "hours": [line(1, minute=m) for m in (0, 359, 360, 719, 720, 1079, 1080, 1439, None)],
    "hours of returns": [line(1, -3.0, minute=5), line(1, minute=700)],
    "no hour is known on a day": [line(1), line(2, minute=3)],
    "channels that tie": [line(a, channel=name) for a in (3, 365) for name in ("web", "shop")],
    "a channel for returns": [line(1, -3.0, channel="post"), line(1, channel="web")],
}  # fmt: skip

KNOWN = {
    "nothing is told but that they are there": [since(None)],
    "changed today": [
        since(None, region="north", income=10.0, service_cost=2.0),
        since(0, region="south", income=15.0, service_cost=1.0),
    ],
    "changes tomorrow": [
        since(800, region="north", income=10.0),
        since(-1, region="south", income=15.0),
    ],
    "known from tomorrow on": [since(-1, region="south", income=1.0, birthday=date(1990, 1, 1))],
    "changed a year ago": [
        since(900, region="north", income=10.0),
        since(365, region="south", income=15.0),
    ],
    "changed a day less than a year ago": [
        since(900, region="north", income=10.0),
        since(364, region="south", income=15.0),
    ],
    "known for less than a year": [since(364, region="north", income=10.0)],
    "no longer known": [since(None, region="north", income=10.0), since(9)],
    "known again": [
        since(900, region="north", income=0.0, service_cost=-1.0),
        since(400, region="north", income=0.0, service_cost=-1.0),
        since(300),
        since(2, region="north", income=12.5, service_cost=1.0),
    ],
    "born on the last of February": [since(None, birthday=date(1988, 2, 29))],
    "born today": [
        since(None, birthday=after(1000), signup_date=after(1000), ended_at=after(1000)),
    ],
    "born tomorrow": [
        since(None, birthday=after(1001), signup_date=after(1001), ended_at=after(1001)),
    ],
    "an ended contract": [since(50, ended_at=after(900), signup_date=date(1969, 5, 5))],
}  # fmt: skip

INTERACTIONS = {
    "interactions at the edges": touched(0, 29, 30, 89, 90, 364, 365, -1),
    "values at the edges": [
        event
        for age in (0, 179, 180, 364, 365)
        for event in touched(age, value=float(age) + 0.1) + touched(age, kind="Web-Chat", value=1.0)
    ],
    "values that are partly known": touched(1, 2) + touched(3, value=-4.5) + touched(200),
    "values of long ago only": touched(500, value=2.0),
    "values without any before": touched(5, value=2.0),
    "interactions of another kind": touched(1, kind="visit", value=5.0),
    "interactions to come": touched(-1, value=5.0),
}

CONTACTS = {
    "contacts at the edges": [Contact("", after(1000 - a)) for a in (0, 29, 30, 89, 90, 364, 365)],
    "contacts held out": [Contact("", after(999), held) for held in (True, False, None)],
    "contacts held out only": [Contact("", after(999), True)],
    "contacts to come": [Contact("", after(1001), False)],
}


def named(cases):
    return [row._replace(customer=name) for name, rows in cases.items() for row in rows]


EVERYTHING = Portfolio(
    lines=[
        *named(LINES),
        *(Line(name, after(950), 7.5) for name in (*KNOWN, *INTERACTIONS, *CONTACTS)),
    ],
    customers=[*named(KNOWN), Known("has never bought", None, region="north")],
    interactions=[*named(INTERACTIONS), Interaction("has never bought", after(900))],
    contacts=[*named(CONTACTS), Contact("has never bought", after(900))],
    columns={name for name in OPTIONAL if name != "known_day"},
)

LATE = Portfolio(
    lines=[
        *(row._replace(recorded=row.date) for row in named(LINES)),
        Line("recorded today", after(900), 5.0, "o", "p", "food", recorded=after(1000)),
        Line("recorded tomorrow", after(900), 5.0, "o", "p", "food", recorded=after(1001)),
        *(Line("partly recorded", after(900 + a), 5.0, f"{a}", recorded=after(900 + a * a))
          for a in range(15)),
        Line("a return that comes late", after(300), 8.0, recorded=after(200)),
        Line("a return that comes late", after(400), -8.0, recorded=after(1001)),
    ],
    customers=[row._replace(valid_from=None) for row in named(KNOWN) if row.valid_from is None],
    is_dated=False,
)  # fmt: skip


def test_every_feature_has_an_oracle_of_its_stage(engine):
    catalogue = EVERYTHING.inputs(engine).catalogue
    by_hand = {Stage.PORTFOLIO: OF_PORTFOLIO, Stage.MODEL: OF_MODEL}

    assert {*catalogue.names} == {*OF_CUSTOMER, *OF_PORTFOLIO, *OF_MODEL}
    assert catalogue.left_out == {}
    without = [
        f.name for f in catalogue.features if f.name not in by_hand.get(f.stage, OF_CUSTOMER)
    ]
    assert without == []


def test_features_of_all_tables_are_what_a_calculation_by_hand_gives(engine):
    days = [AS_OF, AS_OF - 365, day_of(date(2020, 2, 29))]

    table = at(EVERYTHING.inputs(engine), days, horizons=HORIZONS)

    assert_as_by_hand(table, EVERYTHING, days, HORIZONS)


def test_what_is_recorded_late_and_what_never_changes_is_what_a_calculation_by_hand_gives(engine):
    days = [AS_OF - 90, AS_OF, AS_OF + 1]

    table = at(LATE.inputs(engine), days, horizons=HORIZONS)

    assert_as_by_hand(table, LATE, days, HORIZONS)
