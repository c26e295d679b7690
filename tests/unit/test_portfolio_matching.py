"""Matches of customers and representatives: by hand, and in worlds whose truth is known."""

import numpy as np
import pyarrow as pa
import pytest
from tests.books import frozen_with, small_book
from tests.histories import after, bought, day_of

from portfolio_ml.engine import opened
from portfolio_ml.portfolio.representatives.comparison import compared
from portfolio_ml.portfolio.representatives.matches import matches, workloads
from portfolio_ml.portfolio.representatives.matching import matching
from portfolio_ml.portfolio.representatives.track_records import TrackRecords

DEALS = pa.schema(
    {
        "representative_id": pa.string(),
        "is_won": pa.bool_(),
        "opened_day": pa.int32(),
        "closed_day": pa.int32(),
        "customer_id": pa.string(),
        "amount": pa.int64(),
        "segment": pa.string(),
    }
)


def results(who: str, won: int, lost: int, segment: str = "shop") -> list[dict[str, object]]:
    """Deals of long ago."""
    day = day_of(after(10))
    told = {"representative_id": who, "segment": segment, "opened_day": day, "closed_day": day}
    return [{**told, "is_won": n < won} for n in range(won + lost)]


def offered(customer: str, who: str, amount: float) -> dict[str, object]:
    """An open deal of this year."""
    return {
        "representative_id": who,
        "customer_id": customer,
        "opened_day": day_of(after(390)),
        "amount": round(amount * 10_000),
    }


@pytest.fixture(scope="module")
def engine():
    with opened() as engine:
        yield engine


def matched(engine, deals, *, customers, settings=None):
    """The matches of customers who are told as id: representative."""
    lines = [line for name in customers for line in bought(name, 395, amount=100.0)]
    rows = [
        {"customer_id": name, "representative_id": who, "segment": "shop"}
        for name, who in customers.items()
    ]
    book = small_book(
        lines, engine, as_of=after(400), frozen=frozen_with(activity_days=60), customers=rows,
        settings={"representatives": settings or {}},
    )  # fmt: skip
    found = matching(book, None if deals is None else pa.Table.from_pylist(deals, schema=DEALS))
    return matches(book, found), workloads(book, found)


GOOD_AND_BAD = [*results("good", 45, 5), *results("bad", 5, 45), *results("fair", 25, 25)]


def test_a_customer_is_matched_with_the_best_and_gains_the_difference_times_what_is_at_stake(
    engine,
):
    found, load = matched(
        engine,
        [*GOOD_AND_BAD, offered("ann", "bad", 1000.0)],
        customers={"ann": "bad", "bob": "good", "cyd": "fair"},
        settings={"workload": 2},
    )

    ann, *others = found.rows.to_pylist()
    assert (ann["customer_id"], ann["best_representative_id"]) == ("ann", "good")
    assert ann["value_at_stake"] == 1000.0
    assert ann["expected_gain"] == pytest.approx(1000 * 0.8, rel=0.1)  # from 10 % to 90 %, shrunk
    assert ann["gain_low"] < ann["expected_gain"] < ann["gain_high"]
    assert ann["p_better"] > 0.99
    assert ann["is_recommended"]
    assert not ann["is_thin"]
    assert ann["assigned_representative_id"] == "good"
    assert ann["assigned_gain"] == ann["expected_gain"]
    assert ann["reason"] == (
        "88% of deals won to be expected, 12% now; better with a probability over 99%"
    )
    assert not any(row["is_recommended"] for row in others)
    rows = {row["representative_id"]: row for row in load.rows.to_pylist()}
    assert (rows["good"]["customers"], rows["good"]["assigned"]) == (1, 2)
    assert (rows["bad"]["given"], rows["good"]["received"]) == (1, 1)
    assert rows["good"]["gain"] == ann["expected_gain"]


def test_the_limit_gives_the_best_to_whom_it_brings_most(engine):
    found, _ = matched(
        engine,
        [*GOOD_AND_BAD, offered("ann", "bad", 1000.0), offered("bob", "bad", 5000.0)],
        customers={"ann": "bad", "bob": "bad", "cyd": "good", "dan": "fair"},
        settings={"workload": 2},
    )

    assigned = {r["customer_id"]: r["assigned_representative_id"] for r in found.rows.to_pylist()}
    assert assigned == {"ann": "fair", "bob": "good", "cyd": "good", "dan": "fair"}


def test_without_a_limit_nobody_gets_more_than_whoever_has_most_today(engine):
    _, load = matched(
        engine,
        [*GOOD_AND_BAD, *[offered(name, "bad", 10.0) for name in ("a", "b", "c")]],
        customers={"a": "bad", "b": "bad", "c": "bad", "d": "good", "e": "fair"},
    )

    rows = {row["representative_id"]: row for row in load.rows.to_pylist()}
    assert all(row["most"] == 3 for row in rows.values())
    assert rows["good"]["assigned"] == 3


def test_a_handful_of_deals_is_called_thin_and_never_recommended(engine):
    found, _ = matched(
        engine,
        [*results("lucky", 5, 0), *results("bad", 5, 45), *results("worse", 2, 48),
         offered("ann", "bad", 1000.0), offered("bob", "lucky", 10.0)],
        customers={"ann": "bad", "bob": "lucky", "cyd": "worse"},
        settings={"workload": 3},
    )  # fmt: skip

    rows = {row["customer_id"]: row for row in found.rows.to_pylist()}
    assert not any(row["is_recommended"] for row in rows.values() if row["customer_id"] != "cyd")
    assert rows["ann"]["best_representative_id"] == "bad"
    assert rows["bob"]["is_thin"]
    assert rows["ann"]["assigned_representative_id"] == "bad"


def test_where_everyone_is_thin_the_best_of_them_is_told_as_such(engine):
    found, _ = matched(
        engine,
        [*results("one", 5, 2), *results("two", 2, 5), offered("ann", "two", 1000.0)],
        customers={"ann": "two", "bob": "one"},
    )

    ann = found.rows.to_pylist()[0]
    assert (ann["customer_id"], ann["best_representative_id"]) == ("ann", "one")
    assert ann["is_thin"]
    assert not ann["is_recommended"]
    assert "of 7 deals only, too few to judge by" in ann["reason"]


def test_customers_without_a_representative_get_one(engine):
    found, load = matched(
        engine,
        [*GOOD_AND_BAD, offered("ann", "good", 1000.0)],
        customers={"ann": None, "bob": None, "cyd": "good", "dan": "bad", "eve": "fair"},
        settings={"workload": 2},
    )

    rows = {row["customer_id"]: row for row in found.rows.to_pylist()}
    assert rows["ann"]["representative_id"] is None
    assert rows["ann"]["assigned_representative_id"] == "good"
    assert rows["ann"]["expected_gain"] == pytest.approx(1000 * 0.4, rel=0.1)  # 50 % is average
    assert rows["bob"]["assigned_representative_id"] in {"bad", "fair"}
    assert sum(row["assigned"] for row in load.rows.to_pylist()) == 5


def test_a_limit_that_cannot_hold_everyone_is_raised_and_told(engine):
    found, load = matched(
        engine, GOOD_AND_BAD,
        customers={"a": "bad", "b": "bad", "c": "good", "d": "fair"}, settings={"workload": 1},
    )  # fmt: skip

    assert all(row["assigned"] <= 2 for row in load.rows.to_pylist())
    assert any("cannot look after 4: 2 each are assumed" in note for note in found.notes)


def test_whoever_has_more_than_the_limit_gives_those_where_it_costs_least(engine):
    found, load = matched(
        engine,
        [*GOOD_AND_BAD, offered("ann", "good", 1000.0), offered("bob", "good", 10.0),
         offered("eve", "fair", 1.0)],
        customers={"ann": "good", "bob": "good", "cyd": "bad"},
        settings={"workload": 1},
    )  # fmt: skip

    rows = {row["customer_id"]: row for row in found.rows.to_pylist()}
    assert rows["ann"]["assigned_representative_id"] == "good"
    assert rows["bob"]["assigned_representative_id"] == "fair"
    assert rows["bob"]["assigned_gain"] < 0
    assert [row["most"] for row in load.rows.to_pylist()] == [1, 1, 1]


def test_a_customer_with_nothing_at_stake_stays(engine):
    found, _ = matched(
        engine, [*GOOD_AND_BAD, offered("ann", "bad", 10.0)],
        customers={"ann": "bad", "bob": "bad", "cyd": "good", "dan": "fair"},
        settings={"workload": 9},
    )  # fmt: skip

    rows = {row["customer_id"]: row for row in found.rows.to_pylist()}
    assert rows["bob"]["assigned_representative_id"] == "bad"
    assert rows["bob"]["reason"] == "nothing is at stake: no deal begun in 365 days"
    assert rows["ann"]["assigned_representative_id"] == "good"


def test_deals_that_tell_no_customer_leave_revenue_at_stake(engine):
    found, _ = matched(engine, GOOD_AND_BAD, customers={"ann": "bad", "bob": "good"})

    ann = found.rows.to_pylist()[0]
    assert (ann["customer_id"], ann["value_at_stake"]) == ("ann", 100.0)
    assert any("no deal of that time tells its customer and amount" in n for n in found.notes)


def test_without_deals_customers_kept_decide_and_revenue_is_at_stake(engine):
    found, _ = matched(engine, None, customers={"ann": "one"})

    assert found.absent == (
        "nothing tells representatives apart: no decided deal, and nobody active a year ago"
    )


def records(won: np.ndarray, decided: np.ndarray) -> TrackRecords:
    """Track records of representatives in sections, of whom only deals are known."""
    people, sections = decided.shape
    zeros = np.zeros(decided.shape, np.int64)
    return TrackRecords(
        names=np.array([f"r{n:02d}" for n in range(people)], object),
        sections=np.array([f"s{n:02d}" for n in range(sections)], object),
        customers=zeros, active=zeros, revenue=zeros, orders=zeros,
        ticket_error=np.full(decided.shape, np.nan), active_then=zeros, kept=zeros,
        decided=decided, won=won, in_office=np.ones(people, bool),
        representative_of=np.zeros(0, np.int64), section_of=np.zeros(0, np.int64),
    )  # fmt: skip


def recommended(comparison, people, sections):
    """Whether the match with the best is recommended, per section and present representative."""
    section, present = np.divmod(np.arange(people * sections), people)
    may = comparison.may_move(present, section)
    best = comparison.best(section)
    return section, present, best, may[np.arange(section.size), best]


@pytest.mark.parametrize(("people", "sections"), [(4, 2), (12, 5), (40, 4)])
def test_where_representatives_are_alike_hardly_any_world_gets_a_recommendation(people, sections):
    rng = np.random.default_rng(people)
    claims = []
    for _ in range(40):
        decided = rng.integers(0, 60, (people, sections))
        won = rng.binomial(decided, np.linspace(0.2, 0.6, sections))
        found = recommended(compared(records(won, decided), fewest=10), people, sections)
        claims.append(bool(found[3].any()))

    # 0.05 is stated; 6 of 40 are 2.9 standard errors above it
    assert np.mean(claims) < 0.15


def test_what_is_recommended_is_truly_better_at_least_as_often_as_is_said():
    rng = np.random.default_rng(0)
    right, gains = [], []
    for _ in range(25):
        decided = rng.integers(5, 80, (12, 5))
        odds = rng.normal(np.linspace(-1, 0.5, 5), 0.5, (12, 5))
        truth = 1 / (1 + np.exp(-odds))
        won = rng.binomial(decided, truth)
        section, present, best, is_said = recommended(
            compared(records(won, decided), fewest=10), 12, 5
        )
        truly = truth[best, section] - truth[present, section]
        right.append((truly > 0)[is_said])
        gains.append(truly[is_said])

    assert np.concatenate(right).size > 500
    assert np.concatenate(right).mean() > 0.8
    assert np.concatenate(gains).mean() > 0.05
