"""The chain of purchase weeks, step by step, and the projection that comes of it."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from tests.books import frozen_with, small_book
from tests.histories import after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.flow.looks import Look, missed_a_week
from portfolio_ml.portfolio.flow.projection import projections
from portfolio_ml.portfolio.flow.purchase_weeks import (
    CLASSES,
    FIRST,
    OLDEST,
    PurchaseWeeks,
    purchase_weeks,
)
from portfolio_ml.portfolio.flow.renewal import BAND_STARTS, BANDS, Chances, Seen, ahead

pytestmark = pytest.mark.unit

WEEKS = 110
MODULES = ("cohorts", "health", "looks", "monthly_flow", "purchase_weeks")


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    """Forty who buy every week, 10 each, and ten who buy once and never again."""
    last = 7 * WEEKS - 1
    weekly = [f"weekly{n}" for n in range(40)]
    lines = [
        line for n, name in enumerate(weekly) for line in bought(name, *range(n % 7, last + 1, 7))
    ]
    lines += [line for n in range(10) for line in bought(f"once{n}", 350 + n)]
    with opened() as engine:
        yield small_book(lines, engine, as_of=after(last), frozen=frozen_with(activity_days=56))


@pytest.fixture(scope="module")
def of(book: Book) -> PurchaseWeeks:
    return purchase_weeks(book)


def test_weeks_are_counted_back_from_the_as_of_day(of: PurchaseWeeks) -> None:
    weekly = of.week[of.place == np.flatnonzero(np.bincount(of.place) > 1)[0]]

    assert of.weeks == WEEKS
    assert weekly.tolist() == list(range(WEEKS - 1, -1, -1))
    assert of.active(0) == 40
    assert of.active(WEEKS - 52) == 50  # the ten had just bought
    assert of.revenue(0, 0) == 40 * 10.0 * 10_000


@pytest.fixture(scope="module")
def both(book: Book) -> tuple[Figure, Figure]:
    return projections(book)


def naive_exposures(of: PurchaseWeeks, newest: int, oldest: int) -> np.ndarray:
    """Customer-weeks and purchases by weeks since, counted one by one."""
    found = np.zeros((2, BANDS))
    for place in np.unique(of.place):
        bought_in = set(of.week[of.place == place].tolist())
        for week in range(newest, oldest + 1):
            earlier = [w for w in bought_in if w > week]
            if earlier:
                band = np.searchsorted(BAND_STARTS, min(earlier) - 1 - week, side="right") - 1
                found[0, band] += 1
                found[1, band] += week in bought_in
    return found


@pytest.mark.parametrize("origin", [0, 20, 60])
def test_what_was_seen_is_as_counted_week_by_week(of: PurchaseWeeks, origin: int) -> None:
    seen = Seen.before(of, origin)
    exposed, bought_in = naive_exposures(of, origin, min(origin + 52, of.weeks) - 1)

    assert seen.exposed.sum(axis=0).tolist() == exposed.tolist()
    assert seen.bought.sum(axis=0).tolist() == bought_in.tolist()
    assert seen.moved.sum() == seen.bought.sum()


def test_looking_ahead_is_the_same_as_walking_week_by_week() -> None:
    rng = np.random.default_rng(5)
    chances = Chances(
        rng.uniform(0.05, 0.9, (1, CLASSES, BANDS)),
        rng.dirichlet(np.ones(CLASSES), size=(1, CLASSES, BANDS)),
    )
    is_active = (np.arange(OLDEST + 1) < 3).astype(float)
    found = ahead(chances, is_active, 4)
    band = np.searchsorted(BAND_STARTS, np.arange(OLDEST + 1), side="right") - 1

    where = np.zeros((CLASSES, OLDEST + 1))
    where[2, 5] = 1.0
    purchases = 0.0
    for week in range(1, 5):
        buys = where * chances.bought[0][:, band]
        purchases += buys.sum()
        moved = np.zeros_like(where)
        moved[:, 0] = np.einsum("cj,cje->e", buys, chances.moved[0][:, band])
        moved[:, 1:] += (where - buys)[:, :-1]
        where = moved
        assert found.active[week, 0, 2, 5] == pytest.approx((where * is_active).sum(), rel=1e-5)
        assert found.purchases[week, 0, 2, 5] == pytest.approx(purchases, rel=1e-5)


def test_whoever_buys_every_week_goes_on_if_nothing_changes(both: tuple[Figure, Figure]) -> None:
    figure, _ = both
    rows = {(r["measure"], k % 4): r for k, r in enumerate(figure.rows.to_pylist())}

    for k, weeks in enumerate((13, 26, 39, 52)):
        active, revenue = rows["active", k], rows["revenue", k]
        assert active["day"] == after(7 * WEEKS - 1 + 7 * weeks)
        assert active["expected"] == pytest.approx(40, abs=0.5)
        assert active["low"] <= active["expected"] <= active["high"]
        assert active["if_unchanged"] == 40
        assert revenue["expected"] == pytest.approx(400 * weeks, rel=0.02)
        assert revenue["if_repeated"] == 400 * weeks
        assert rows["lapsed", k]["expected"] == pytest.approx(10, abs=1)
    stages = [rows[stage, 3]["expected"] for stage in ("new", "developing", "mature")]
    assert stages == pytest.approx([0, 0, 40], abs=0.5)


def test_there_are_never_fewer_than_no_lapsed_customers(book: Book) -> None:
    """Where nobody ever lapsed, the luck of recruits does not bring the interval below 0."""
    lines = [line for n in range(30) for line in bought(f"c{n}", *range(11 * n, 364, 21))]
    young = small_book(
        lines, book.inputs.engine, as_of=after(363), frozen=frozen_with(activity_days=360)
    )

    rows = [r for r in projections(young)[0].rows.to_pylist() if r["measure"] == "lapsed"]

    assert {(r["expected"], r["low"]) for r in rows} == {(0.0, 0.0)}
    assert min(r["high"] for r in rows) > 0


def test_the_check_looks_back_a_quarter_at_a_time(both: tuple[Figure, Figure]) -> None:
    _, figure = both
    rows = {(r["measure"], r["horizon"]): r for r in figure.rows.to_pylist()}

    assert {m for m, _ in rows} == {"active", "revenue"}
    assert rows["active", "13 weeks"]["looks"] == 6  # from weeks 13, 26, ... 78
    assert rows["active", "52 weeks"]["looks"] == 3
    assert rows["revenue", "26 weeks"]["error"] < 0.05
    assert any("look" in note and "believe" in note for note in figure.notes)


def test_the_projection_is_the_same_whenever_it_is_made(
    book: Book, both: tuple[Figure, Figure]
) -> None:
    again = projections(book)

    assert [f.rows for f in again] == [f.rows for f in both]
    assert [f.notes for f in again] == [f.notes for f in both]


def test_half_a_year_of_history_is_needed(engine: Engine) -> None:
    young = small_book(bought("ann", *range(0, 150, 7)), engine, as_of=after(150))

    for figure in projections(young):
        assert figure.absent == (
            "the history holds 21 weeks up to 2020-05-30, and a projection needs 26 with "
            "purchases in the last year"
        )


def test_a_history_too_short_to_look_back_is_projected_all_the_same(engine: Engine) -> None:
    young = small_book(bought("ann", *range(0, 200, 7)), engine, as_of=after(200))
    figure, check = projections(young)

    assert not figure.absent
    assert "the history is too short to check any of this against the past" in figure.notes
    assert "too short to look back" in check.absent


def test_one_who_bought_once_has_no_pace_yet(of: PurchaseWeeks) -> None:
    once = np.bincount(of.place) == 1

    assert (of.pace[once[of.place]] == FIRST).all()
    assert of.pace[of.after < 0].tolist().count(0) == 40


def test_what_was_missed_beyond_the_interval_is_a_variance_a_week() -> None:
    def look(outcome: float, low: float, high: float) -> Look:
        return Look(13, "active", 4, {"chain": 100.0}, low, high, outcome)

    missed = missed_a_week([look(100 * math.e**0.2, 100.0, 100.0)], "active")

    assert missed == pytest.approx(0.2**2 / 4)
    assert missed_a_week([look(101.0, 50.0, 200.0)], "active") == 0
    assert missed_a_week([], "active") == 0
