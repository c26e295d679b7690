"""What contacts bring, whom to win back, and why they left: worked out by hand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.keeping.leaving import leaving
from portfolio_ml.portfolio.keeping.response import response, uplift_of
from portfolio_ml.portfolio.keeping.winback import NO_UPLIFT, winback

# Forty customers bought on day 0. On day 300 twenty were called, of whom eight bought on day 350;
# twenty were left alone, of whom two did. Day 400 is the as-of date, 90 days the horizon.
CALLED = [f"called{n:02}" for n in range(20)]
ALONE = [f"alone{n:02}" for n in range(20)]
LINES = [
    *(line for name in [*CALLED, *ALONE] for line in bought(name, 0)),
    *(line for name in [*CALLED[:8], *ALONE[:2]] for line in bought(name, 350)),
    *bought("regular", *range(0, 400, 20)),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def contact(name: str, day: int, *, held_out: bool | None, action: str = "call") -> dict[str, Any]:
    """A contact, or that there was none."""
    return {"customer_id": name, "date": after(day), "action": action, "held_out": held_out}


CONTACTS = [
    *(contact(name, 300, held_out=False) for name in CALLED),
    *(contact(name, 300, held_out=True) for name in ALONE),
    contact(CALLED[0], 305, held_out=True),  # the second one of a customer
    contact(CALLED[19], 299, held_out=None),  # nobody knows
    contact("regular", 300, held_out=False),  # an active one
    contact("regular", 390, held_out=False, action="mail"),  # its horizon is not over
    contact("stranger", 300, held_out=False),
]


def book_with(
    engine: Engine,
    *,
    contacts: Sequence[Mapping[str, Any]] | None = None,
    response: Mapping[str, Any] | None = None,
    scores: Sequence[Mapping[str, Any]] | None = None,
) -> Book:
    return small_book(
        LINES,
        engine,
        as_of=after(400),
        frozen=frozen_with(activity_days=60),
        contacts=contacts,
        settings={"response": response or {}},
        scores=scores,
    )


SCORES = [
    {"customer_id": name, "value_if_buys": value, "p_return": 0.1}
    for name, value in [
        *((name, 100.0) for name in CALLED),
        *((name, 10.0) for name in ALONE[:10]),
        *((name, 200.0) for name in ALONE[10:]),
        ("regular", 900.0),
    ]
]


def test_the_uplift_is_measured_against_those_left_alone(engine: Engine) -> None:
    figure = response(book_with(engine, contacts=CONTACTS))
    rows = {(r["action"], r["audience"]): r for r in figure.rows.to_pylist()}

    assert [*rows] == [
        (a, w) for a in ("any action", "call") for w in ("all", "active", "inactive")
    ]
    row = rows["any action", "inactive"]
    assert (row["contacted"], row["contacted_bought"]) == (20, 8)
    assert (row["held_out"], row["held_out_bought"]) == (20, 2)
    assert row["uplift"] == pytest.approx(0.3)
    # Wilson's intervals are 0.242 to 0.581 and 0.034 to 0.262.
    assert row["uplift_low"] == pytest.approx(0.3 - (0.158**2 + 0.162**2) ** 0.5, abs=1e-3)
    assert row["uplift_high"] == pytest.approx(0.3 + (0.181**2 + 0.066**2) ** 0.5, abs=1e-3)
    active = rows["call", "active"]
    assert (active["contacted"], active["held_out"], active["uplift"]) == (1, 0, None)
    # The active one has nobody to be compared with, and takes no part in the uplift of all.
    assert rows["call", "all"]["contacted"] == 21
    assert rows["call", "all"]["uplift"] == pytest.approx(0.3)


def test_a_configured_uplift_goes_first_and_is_said_to_be_one(engine: Engine) -> None:
    figure = response(book_with(engine, contacts=CONTACTS, response={"uplift": 0.1}))

    first = figure.rows.to_pylist()[0]
    assert (first["source"], first["uplift"], first["contacted"]) == ("configured", 0.1, None)
    uplift = uplift_of(figure)
    assert uplift is not None
    assert (uplift.source, uplift.estimate.value, uplift.estimate.low) == ("configured", 0.1, 0.1)


@pytest.mark.parametrize(
    ("contacts", "why"),
    [
        (None, "there is no table of contacts"),
        ([{"customer_id": "regular", "date": after(300), "action": "call"}], "map held_out"),
        ([contact("regular", 390, held_out=False)], "no contact was made 90 days or more ago"),
    ],
)
def test_without_held_out_customers_there_is_no_uplift(
    engine: Engine, contacts: Sequence[Mapping[str, Any]] | None, why: str
) -> None:
    book = book_with(engine, contacts=contacts, scores=SCORES)

    assert why in response(book).absent
    assert why in winback(book).absent
    assert NO_UPLIFT in winback(book).absent


def test_few_customers_tell_no_uplift(engine: Engine) -> None:
    few = [c for c in CONTACTS if c["customer_id"] != ALONE[0]]
    book = book_with(engine, contacts=few, scores=SCORES)

    assert uplift_of(response(book)) is None
    assert "fewer than 20 on either side" in winback(book).absent


def test_who_is_worth_a_contact_is_listed_by_what_it_brings(engine: Engine) -> None:
    book = book_with(engine, contacts=CONTACTS, response={"contact_cost": 5.0}, scores=SCORES)

    figure = winback(book)
    rows = figure.rows.to_pylist()

    # 0.3 x 200 - 5, 0.3 x 100 - 5; 0.3 x 10 does not pay a contact; the active are not won back.
    assert [r["customer_id"] for r in rows] == [*ALONE[10:], *CALLED[8:]]
    assert rows[0]["winback_value"] == pytest.approx(55.0)
    assert rows[-1]["winback_value"] == pytest.approx(25.0)
    assert rows[0]["winback_low"] == pytest.approx(200 * 0.0742 - 5, abs=0.05)
    assert rows[0]["uplift_source"] == "measured"
    assert rows[0]["last_purchase"] == after(0)
    assert rows[0]["reason"] == "bought_once"
    assert figure.notes[0].startswith("22 of 30 inactive customers are worth a contact, 850 EUR")


def test_without_scores_nobody_is_listed(engine: Engine) -> None:
    assert winback(book_with(engine, response={"uplift": 0.1})).absent == NO_SCORES


def test_the_likely_reason_is_the_first_that_holds(engine: Engine) -> None:
    usual = range(0, 180, 30)
    lines = [
        *bought("angry", *usual), *bought("sad", *usual), *bought("handed", *usual),
        *bought("ended", *usual), *bought("once", 150),
        *bought("slow", 0, 10, 20, 30, 60, 100, 150),
        *bought("sender", *usual), Line("sender", after(160), -10.0),
        *bought("less", 0, 30, 60, 90, amount=100.0), *bought("less", 110, 130, 150, amount=20.0),
        *(Line("dear", after(30 * n), 10.0, discount=2.0 if n < 3 else 0.1) for n in range(6)),
        *bought("silent", *usual), *bought("here", *range(0, 400, 40)),
    ]  # fmt: skip
    talks = [
        {"customer_id": "angry", "kind": "complaint", "date": after(140), "value": None},
        {"customer_id": "silent", "kind": "complaint", "date": after(20), "value": None},
        {"customer_id": "silent", "kind": "complaint", "date": after(300), "value": None},
        {"customer_id": "angry", "kind": "survey", "date": after(140), "value": 1.0},
        {"customer_id": "sad", "kind": "survey", "date": after(40), "value": 5.0},
        {"customer_id": "sad", "kind": "survey", "date": after(100), "value": 2.0},  # the last one
        {"customer_id": "silent", "kind": "survey", "date": after(100), "value": 4.0},
    ]
    customers = [
        {"customer_id": name, "valid_from": after(day), "representative_id": rep, "ended_at": end}
        for name, day, rep, end in [
            ("handed", 0, "r1", None), ("handed", 140, "r2", None), ("ended", 0, "r1", after(170)),
            ("silent", 0, "r1", after(500)), ("silent", 200, "r1", after(500)),
        ]
    ]  # fmt: skip
    book = small_book(
        lines,
        engine,
        as_of=after(400),
        frozen=frozen_with(activity_days=60),
        interactions=talks,
        customers=customers,
        settings={"response": {"uplift": 0.5}},
        scores=[{"customer_id": line.customer, "value_if_buys": 10.0} for line in lines],
    )

    reasons = {r["customer_id"]: r["reason"] for r in winback(book).rows.to_pylist()}

    assert reasons == {
        "angry": "complaint",
        "sad": "low_satisfaction",
        "handed": "representative_changed",
        "ended": "contract_ended",
        "once": "bought_once",
        "slow": "slowed_down",
        "sender": "return_last",
        "less": "smaller_orders",
        "dear": "discount_withdrawn",
        "silent": "no_sign",
    }
    rows = {r["reason"]: r for r in leaving(book).rows.to_pylist()}
    assert sum(r["likely_for"] for r in rows.values()) == 10
    assert (rows["complaint"]["left"], rows["complaint"]["left_with"]) == (10, 1)
    assert (rows["complaint"]["stayed"], rows["complaint"]["stayed_with"]) == (1, 0)
    assert rows["low_satisfaction"]["left"] == 3


def test_what_happened_to_those_who_stayed_as_well_is_no_reason(engine: Engine) -> None:
    # Thirty who left and thirty who stayed all returned something at the end.
    lines = []
    for n in range(30):
        for name, last in (("gone", 200), ("here", 360)):
            lines += [*bought(f"{name}{n}", 0, last), Line(f"{name}{n}", after(last), -1.0)]
    book = small_book(lines, engine, as_of=after(400), frozen=frozen_with(activity_days=60))

    rows = {r["reason"]: r for r in leaving(book).rows.to_pylist()}

    row = rows["return_last"]
    assert (row["left_with"], row["stayed_with"], row["lift"]) == (30, 30, 1.0)
    assert (row["is_named"], row["likely_for"]) == (False, 0)
    assert rows["no_sign"]["likely_for"] == 30


def test_values_that_may_be_negative_are_not_read_as_five_points(engine: Engine) -> None:
    names = [f"{kind}{n}" for kind in ("gone", "here") for n in range(20)]
    lines = [line for name in names for line in bought(name, 100, 200)]
    lines += [line for name in names[20:] for line in bought(name, 390)]
    talks = [
        {"customer_id": name, "kind": "survey", "date": after(195), "value": 2.0 - 4 * (n % 4 == 0)}
        for n, name in enumerate(names)
    ]
    book = small_book(
        lines, engine, as_of=after(400), frozen=frozen_with(activity_days=60), interactions=talks
    )

    rows = {r["reason"]: r for r in leaving(book).rows.to_pylist()}

    assert rows["low_satisfaction"]["left_with"] == 5  # and not everybody
