"""Goals: what is attained, at what pace, and who would close the gap; by hand."""

import pytest
from tests.books import frozen_with, small_book
from tests.histories import after, bought

from portfolio_ml.config import Lifecycle
from portfolio_ml.engine import opened
from portfolio_ml.portfolio.goals.goals import goal_customers, goals, progress
from portfolio_ml.portfolio.stock import stocks_at, stocks_without_standing

# Day 800 is the as-of date; who bought from day 741 on is active. The last year begins on day 436.
LINES = [
    *bought("ann", 600, 790, amount=100.0),
    *bought("bob", 500, 780, amount=60.0),
    *bought("cyd", 770, amount=20.0),
    *bought("dan", 760, 765, amount=10.0),
    *bought("eve", 300, amount=500.0),
    *bought("fay", 600, amount=40.0),
    *bought("gus", 100, amount=40.0),
]
NORTH = {"ann", "cyd", "eve"}
CUSTOMERS = [
    {"customer_id": name, "region": "North" if name in NORTH else "South"}
    for name in ("ann", "bob", "cyd", "dan", "eve", "fay", "gus")
]
SCORES = [
    {"customer_id": "eve", "p_return": 0.5},
    {"customer_id": "fay", "p_return": 0.6},
    {"customer_id": "gus", "p_return": 0.1},
]


@pytest.fixture(scope="module")
def engine():
    with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
def of(engine):
    """The goals' rows, and those of the customers who would close the gaps."""

    def figures(*told, scores=SCORES):
        book = small_book(
            LINES, engine, as_of=after(800), frozen=frozen_with(activity_days=60),
            customers=CUSTOMERS, scores=scores, settings={"goals": told},
        )  # fmt: skip
        found = progress(book)
        return goals(book, found), goal_customers(book, found)

    return figures


def test_customers_are_counted_now_and_when_the_goal_began_and_the_pace_is_told(of):
    found, _ = of(
        {"figure": "customers", "target": 5, "since": after(650), "by": after(900)}
    )  # of those who had bought within 60 days on day 650, ann and fay were there

    row = found.rows.to_pylist()[0]
    assert (row["attained"], row["attained_since"], row["gap"]) == (4, 2, 1)
    assert row["pace_per_month"] == pytest.approx(2 / 150 * 30.4375)
    assert row["needed_per_month"] == pytest.approx(1 / 100 * 30.4375)
    assert row["planned"] == pytest.approx(2 + 3 * 150 / 250)
    assert row["projected"] == pytest.approx(4 + 2 / 150 * 100)
    assert row["status"] == "on track"


def test_inactive_customers_close_the_gap_likeliest_first_and_no_more_than_it_takes(of):
    found, customers = of({"figure": "customers", "target": 5, "by": after(900)})

    rows = customers.rows.to_pylist()
    assert [row["customer_id"] for row in rows] == ["fay", "eve"]
    assert [row["adds"] for row in rows] == pytest.approx([0.6, 0.5])
    assert [row["reaches"] for row in rows] == pytest.approx([4.6, 5.1])
    assert rows[0]["reason"] == "returns with a probability of 60%; last bought 200 days ago"
    row = found.rows.to_pylist()[0]
    assert (row["customers_needed"], row["closes_gap"], row["note"]) == (2, True, None)


def test_it_is_said_where_all_together_are_not_enough(of):
    found, customers = of({"figure": "customers", "target": 50, "by": after(900)})

    row = found.rows.to_pylist()[0]
    assert (row["customers_needed"], row["closes_gap"], row["status"]) == (3, False, "behind")
    assert row["note"] == "all 3 together would bring it to 5.2, which is not enough"
    assert customers.rows.num_rows == 3


def test_without_scores_who_may_return_is_not_known(of):
    found, customers = of({"figure": "customers", "target": 5, "by": after(900)}, scores=None)

    assert customers.rows.num_rows == 0
    assert found.rows.to_pylist()[0]["note"].startswith("who may return is not known")


def test_a_ticket_is_raised_by_those_furthest_below_their_peers_who_order_often(of):
    found, customers = of({"figure": "average_ticket", "target": 55, "by": after(900)})

    row = found.rows.to_pylist()[0]
    # tickets of the year: ann 100 twice, bob 60 twice, cyd 20, dan 10 twice, fay 40; median 40
    assert row["attained"] == pytest.approx(400 / 8)
    rows = customers.rows.to_pylist()
    assert [r["customer_id"] for r in rows] == ["dan"]
    assert rows[0]["adds"] == pytest.approx(30 * 2 / 8)
    assert rows[0]["reason"] == "2 orders at 10.00; 40.00 is usual among its peers"
    assert row["closes_gap"]
    assert any("no forecast" in note for note in customers.notes)


def test_a_sections_share_is_raised_by_its_active_customers_with_the_most_room(of):
    goal = {"figure": "revenue_share", "section": "region", "value": "North", "target": 0.6}
    found, customers = of({**goal, "by": after(900)})

    row = found.rows.to_pylist()[0]
    assert row["of"] == "region: North"
    assert row["attained"] == pytest.approx(220 / 400)
    # active in the North: ann 200 and cyd 20; their 75th percentile is 155
    assert customers.rows.to_pylist()[0]["customer_id"] == "cyd"
    assert customers.rows.to_pylist()[0]["reaches"] == pytest.approx((220 + 135) / (400 + 135))


def test_a_goal_that_is_reached_needs_nobody(of):
    found, customers = of({"figure": "customers", "target": 4, "by": after(900)})

    row = found.rows.to_pylist()[0]
    assert (row["status"], row["gap"], row["customers_needed"]) == ("reached", 0, None)
    assert customers.rows.num_rows == 0


@pytest.mark.parametrize(
    ("told", "status", "note"),
    [
        ({"by": after(700)}, "missed", "has passed: what is attained is that of"),
        ({"by": after(900), "since": after(5)}, "unknown", "before the history, which begins on"),
        ({"by": after(2000), "since": after(850)}, "unknown", "there is no pace yet"),
        (
            {"by": after(900), "section": "region", "value": "Nort"},
            "unknown", "no customer's region is 'Nort': did you mean 'North'?",
        ),
        (
            {"by": after(900), "section": "regions", "value": "North"},
            "unknown", "customers have no attribute 'regions': did you mean 'region'?",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said(of, told, status, note):
    found, _ = of({"figure": "customers", "target": 6, **told})

    row = found.rows.to_pylist()[0]
    assert row["status"] == status
    assert note in row["note"]
    assert any(note in line and line.startswith("goal 1: ") for line in found.notes)


def test_a_goal_whose_day_has_passed_names_nobody_any_more(of):
    found, customers = of({"figure": "customers", "target": 6, "by": after(700)})

    row = found.rows.to_pylist()[0]
    assert (row["status"], row["gap"], row["needed_per_month"]) == ("missed", 2, None)
    assert (row["customers_needed"], row["closes_gap"]) == (None, None)
    assert customers.rows.num_rows == 0


def test_a_stage_of_then_has_the_limits_of_the_config_too(engine):
    goal = {
        "figure": "customers", "target": 5, "since": after(650), "by": after(900),
        "section": "lifecycle_stage", "value": "mature",
    }  # fmt: skip
    book = small_book(
        bought("ann", 500, 620, 790), engine, as_of=after(800),
        lifecycle=Lifecycle(new_days=50, mature_days=100), settings={"goals": [goal]},
    )  # fmt: skip

    row = goals(book, progress(book)).rows.to_pylist()[0]

    assert (row["attained"], row["attained_since"]) == (1, 1)  # for 150 days on day 650


def test_without_goals_the_figures_are_absent(of):
    found, customers = of()

    assert found.absent == "the config sets no goals: see portfolio.goals"
    assert customers.absent == found.absent


def test_each_goal_has_customers_of_its_own(of):
    _, customers = of(
        {"figure": "customers", "target": 5, "by": after(900)},
        {"figure": "average_ticket", "target": 55, "by": after(900)},
    )

    assert {row["goal"] for row in customers.rows.to_pylist()} == {"1", "2"}
    assert [row["place"] for row in customers.rows.to_pylist()] == [1, 2, 1]


def test_a_stock_without_standing_tells_the_same_as_one_with_it(engine):
    book = small_book(
        [*LINES, *bought("hal", 790, amount=-5.0)], engine, as_of=after(800),
        frozen=frozen_with(activity_days=60), customers=CUSTOMERS,
    )  # fmt: skip
    days = [book.as_of_day - 150, book.as_of_day]
    of = {"frozen": book.frozen, "customers": book.customers}

    whole = stocks_at(book.inputs, days, **of)
    for day, bare in stocks_without_standing(book.inputs, days, **of).items():
        assert bare.count > 3
        assert bare.attributes == whole[day].attributes
        names = bare.rows.column_names
        assert bare.rows.to_pylist() == whole[day].rows.select(names).to_pylist()
