"""The daily list, worked out by hand: ranks, budgets, rest after a contact, who is left alone."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.books import small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.today.daily_list import COLOURS, bands, daily_list, held_out
from portfolio_ml.schema import Column

pytestmark = pytest.mark.unit

TODAY = after(400)
PEOPLE = [f"c{n}" for n in range(6)]


def figure(name: str, **columns: list[Any]) -> Figure:
    """A figure by customer, with whatever columns are told."""
    contract = contract_of(
        name,
        grain="one customer",
        key=("customer_id",),
        columns=[Column(c, pa.array(v).type, c, null="unknown") for c, v in columns.items()],
    )
    return present(contract, name, columns, as_of=TODAY)


def found(**others: Figure) -> Mapping[str, Figure]:
    nothing = contract_of("nothing", grain="nothing", key=(), columns=())
    none = absent(nothing, "nothing", "it was not asked for")
    return {
        name: others.get(name, none) for name in ("winback", "potential", "reorders", "key_dates")
    }


RISK = [
    {"customer_id": "c0", "p_churn": 0.5, "churn_band": "medium", "value_at_risk": 100.0},
    {"customer_id": "c1", "p_churn": 0.8, "churn_band": "high", "value_at_risk": 60.0},
    {"customer_id": "c2", "p_churn": 0.8, "churn_band": "high", "value_at_risk": 40.0},
    {"customer_id": "c3", "p_churn": 0.1, "churn_band": "low", "value_at_risk": 900.0},
]
HANDS = [
    {"customer_id": person, "representative_id": rep}
    for person, rep in zip(PEOPLE, ["r1", "r1", "r1", "r2", "r2", None], strict=True)
]
LINES = [line for person in PEOPLE for line in bought(person, 10, 390)]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as running:
        yield running


def book(engine: Engine, lines: Sequence[Line] = LINES, **given: Any) -> Book:
    return small_book(lines, engine, as_of=TODAY, **{"scores": RISK, "customers": HANDS, **given})


def test_who_has_most_at_risk_stands_first_and_who_is_at_low_risk_nowhere(engine: Engine) -> None:
    rows = daily_list(book(engine), found()).rows.to_pylist()

    assert [(r["rank"], r["customer_id"], r["amount"]) for r in rows] == [
        (1, "c0", 100.0),
        (2, "c1", 60.0),
        (3, "c2", 40.0),
    ]
    assert [r["band"] for r in rows] == ["high", "medium", "low"]
    assert rows[0]["colour"] == COLOURS["high"]
    assert rows[1]["reason"] == "80 % likely not to buy within 90 days"
    assert {r["action"] for r in rows} == {"keep"}


def test_who_is_at_risk_is_told_with_the_churn_reasons_in_words(engine: Engine) -> None:
    risk = [{**RISK[1], "churn_reasons": "FEW_PURCHASES, SPEND_FALLING"}, RISK[2]]
    lines = [*bought("c1", 390), *bought("c2", 10, 390)]
    rows = daily_list(book(engine, scores=risk, lines=lines), found()).rows.to_pylist()

    assert [row["reason"] for row in rows] == [
        "80 % likely not to buy within 90 days: bought only once",
        "80 % likely not to buy within 90 days",
    ]


def test_a_customer_stands_once_with_what_has_most_in_it(engine: Engine) -> None:
    due = figure(
        "reorders", customer_id=["c1", "c1", "c5"], reason=["paper is due"] * 3,
        usual_amount=[100.0, 10.0, 5.0], due_date=[date(2021, 2, 5)] * 3,
    )  # fmt: skip
    rows = daily_list(book(engine), found(reorders=due)).rows.to_pylist()

    [line] = [r for r in rows if r["customer_id"] == "c1"]
    assert (line["occasion"], line["amount"], line["also"]) == ("reorder", 80.0, "at_risk")
    assert line["due"] == date(2021, 2, 5)
    assert rows[-1]["customer_id"] == "c5"
    assert rows[-1]["representative_id"] is None


def test_a_yearly_gain_counts_for_the_horizons_part_of_the_year(engine: Engine) -> None:
    more = figure("potential", customer_id=["c4"], peer_p75=[1000.0], expected_gain=[365.0])
    rows = daily_list(book(engine), found(potential=more)).rows.to_pylist()

    [line] = [r for r in rows if r["customer_id"] == "c4"]
    assert line["amount"] == 90.0  # a horizon of 90 days


def test_a_representative_gets_as_many_lines_as_contacts_can_be_made(engine: Engine) -> None:
    few = book(engine, settings={"daily_list": {"contacts": 2}})
    rows = daily_list(few, found()).rows.to_pylist()

    assert [r["customer_id"] for r in rows] == ["c0", "c1"]


def test_who_was_contacted_lately_rests_and_who_was_held_out_does_not(engine: Engine) -> None:
    contacts = [
        {"customer_id": "c0", "date": after(395), "action": "call", "held_out": False},
        {"customer_id": "c1", "date": after(395), "action": "call", "held_out": True},
        {"customer_id": "c2", "date": after(300), "action": "call", "held_out": False},
        {"customer_id": "c2", "date": after(401), "action": "call", "held_out": False},
    ]
    rows = daily_list(book(engine, contacts=contacts), found()).rows.to_pylist()

    assert [r["customer_id"] for r in rows] == ["c1", "c2"]


def test_who_is_held_out_takes_no_contact_from_others() -> None:
    people = [f"c{n:03}" for n in range(200)]
    risk = [
        {"customer_id": p, "churn_band": "high", "p_churn": 0.8, "value_at_risk": 1000.0 - n}
        for n, p in enumerate(people)
    ]
    lines = [line for person in people for line in bought(person, 10, 390)]
    settings = {"daily_list": {"contacts": 20, "holdout": 0.3}}
    with opened() as engine:
        many = small_book(lines, engine, as_of=TODAY, scores=risk, settings=settings)
        rows = daily_list(many, found()).rows.to_pylist()

    assert sum(not r["held_out"] for r in rows) == 20
    assert [r["customer_id"] for r in rows] == people[: len(rows)]
    assert any(r["held_out"] for r in rows)


def test_the_holdout_stays_for_a_quarter_and_is_drawn_anew_then() -> None:
    people = [str(n) for n in range(2000)]
    first = held_out(people, date(2024, 4, 1), 0.2)
    last = held_out(people, date(2024, 6, 30), 0.2)
    following = held_out(people, date(2024, 7, 1), 0.2)

    assert np.array_equal(first, last)
    assert 0.16 < first.mean() < 0.24
    assert 0.02 < (first & following).mean() < 0.06  # one in five of one in five


def test_bands_part_the_amounts_and_an_empty_list_has_none() -> None:
    assert bands(np.zeros(2)) == ["low", "low"]
    assert bands(np.array([])) == []


def test_without_scores_and_occasions_there_is_no_list(engine: Engine) -> None:
    told = daily_list(book(engine, scores=None), found())

    assert told.absent.startswith("there is no occasion, and there are no scores")
