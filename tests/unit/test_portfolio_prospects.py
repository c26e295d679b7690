"""The fit of prospects, worked out by hand and in worlds with and without something planted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.likeness import auroc_interval, evidence, likeness, trait
from portfolio_ml.portfolio.selling.prospects import fit_of, prospect_fit, prospect_traits
from portfolio_ml.prospects import Prospects
from portfolio_ml.schema import QUARANTINE

AS_OF = after(800)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def _prospects(engine: Engine, rows: Sequence[dict[str, Any]]) -> Prospects:
    names = sorted({name for row in rows for name in row})
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    return Prospects(
        frame=engine.keep(engine.from_arrow(table)),
        kept=len(rows),
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=frozenset(names) - {"prospect_id"},
        source="a test",
    )


def _book(engine: Engine) -> Book:
    """160 customers: 60 of 80 mills bring much in their first year, 60 of 80 shops little."""
    lines: list[Line] = []
    customers = []
    for number in range(160):
        name, is_mill = f"c{number:03}", number < 80
        is_usual = number % 4 != 0
        amount = (100.0 if is_mill == is_usual else 1.0) + number * 37 % 160 / 1000
        lines += [Line(name, after(number), amount)]
        # What comes after the first year is not looked at.
        lines += [Line(name, after(number + 400), 5000.0)] if number % 3 == 0 else []
        customers.append(
            {
                "customer_id": name,
                "segment": "mill" if is_mill else "shop",
                "phone": f"0{number}",
                "representative_id": "kim" if is_mill else "lee",
            }
        )
    leads = [
        {"prospect_id": "p1", "segment": "mill", "phone": "1", "representative_id": "kim"},
        {"prospect_id": "p2", "segment": "shop", "phone": "2", "representative_id": "lee"},
        {"prospect_id": "p3", "segment": None, "phone": "3", "representative_id": None},
        {"prospect_id": "p4", "segment": "farm", "phone": "4", "representative_id": None},
    ]
    book = small_book(
        lines, engine, as_of=AS_OF, frozen=frozen_with(activity_days=100), customers=customers
    )
    return replace(book, prospects=_prospects(engine, leads))


@pytest.fixture(scope="module")
def book(engine: Engine) -> Book:
    return _book(engine)


def test_prospects_like_the_best_come_first_with_what_makes_them_alike(book: Book) -> None:
    figure = prospect_fit(book)
    rows = figure.rows.to_pylist()

    assert [(r["prospect_id"], r["rank"], r["alike"], r["unlike"]) for r in rows] == [
        ("p1", 1, "segment mill", None),
        ("p3", 2, None, None),
        ("p4", 2, None, None),
        ("p2", 4, None, "segment shop"),
    ]
    assert [r["traits_known"] for r in rows] == [1, 0, 0, 1]
    assert rows[0]["fit"] > 0.6 > rows[1]["fit"] > 0.4 > rows[3]["fit"]
    # Three of four mills brought about 100, and one of four shops.
    assert rows[0]["expected_value"] == pytest.approx(0.75 * 100 + 0.25, abs=0.5)
    assert rows[3]["expected_value"] == pytest.approx(0.25 * 100 + 0.75, abs=0.5)
    assert figure.notes[2] == "compared by segment"


def test_a_level_weighs_how_much_commoner_it_is_among_the_best_shrunk(book: Book) -> None:
    rows = {r["level"]: r for r in prospect_traits(book).rows.to_pylist()}
    mill, shop = rows["mill"], rows["shop"]

    both = (mill["best"] + mill["worst"]) / 80
    of_best = (mill["best"] + 30 * both) / (40 + 30)
    of_worst = (mill["worst"] + 30 * both) / (40 + 30)
    assert mill["times_commoner"] == pytest.approx(of_best / of_worst)
    assert (mill["prospects"], shop["prospects"]) == (1, 1)
    assert mill["best"] + shop["best"] == 40


def test_names_ids_and_what_comes_of_being_a_customer_are_left_out(book: Book) -> None:
    fit = fit_of(book)

    assert not isinstance(fit, str)
    assert [each.name for each in fit.traits] == ["segment"]


def test_what_cannot_be_judged_is_absent_with_the_reason(engine: Engine, book: Book) -> None:
    def absent(of: Book) -> set[str]:
        return {figure(of).absent for figure in (prospect_fit, prospect_traits)}

    without = replace(book, prospects=None)
    assert absent(without) == {"there are no prospects: name their table under data.prospects"}
    other = replace(book, prospects=_prospects(engine, [{"prospect_id": "p", "hat": "red"}]))
    [why] = absent(other)
    assert why.startswith("customers and prospects share no attribute")
    few = small_book(bought("ann", 0, 500), engine, as_of=AS_OF)
    [why] = absent(replace(few, prospects=book.prospects))
    assert why.startswith("fewer than 120 customers")
    alike = [Line(f"c{n}", after(n % 9), 10.0) for n in range(130)]
    same = small_book(alike, engine, as_of=AS_OF)
    [why] = absent(replace(same, prospects=book.prospects))
    assert why.startswith("half of the customers brought the same")


def test_numbers_are_parted_into_ranges_even_where_they_are_texts() -> None:
    judged = np.arange(100)
    found = trait(
        "staff",
        pa.array([f"{n}.0" for n in range(100)]),
        pa.array(["5", "99", None, "many"]),
        judged=judged,
    )

    assert found is not None
    assert found.levels == (
        "up to 20", "above 20, up to 40", "above 40, up to 59", "above 59, up to 79", "above 79",
    )  # fmt: skip
    assert found.prospects.tolist() == [0, 4, -1, -1]


def test_a_birthday_is_an_age(engine: Engine) -> None:
    lines = [Line(f"c{n:03}", after(n % 9), 1.0 + n) for n in range(130)]
    customers = [
        {"customer_id": f"c{n:03}", "birthday": date(2000 - n // 2, 1, 1)} for n in range(130)
    ]
    zero = date(1970, 1, 1)
    leads = [
        {"prospect_id": "old", "birthday": (date(1940, 5, 1) - zero).days},
        {"prospect_id": "young", "birthday": (date(1999, 5, 1) - zero).days},
    ]
    book = small_book(lines, engine, as_of=AS_OF, customers=customers)
    rows = prospect_fit(replace(book, prospects=_prospects(engine, leads))).rows.to_pylist()

    assert [r["prospect_id"] for r in rows] == ["old", "young"]
    assert rows[0]["alike"].startswith("age in years above")


def _world(seed: int, pull: float) -> bool:
    """Whether six attributes, of which the first pulls, are said to tell best from worst."""
    rng = np.random.default_rng(seed)
    is_best = np.arange(200) < 100
    traits = []
    for number in range(6):
        draw = rng.random(200) + pull * is_best * (number == 0)
        levels = pa.array(np.digitize(draw, [0.25, 0.5, 0.75]).astype(str).tolist())
        found = trait(f"t{number}", levels, levels, judged=np.arange(200))
        assert found is not None
        traits.append(found)
    rows = np.arange(200)
    return likeness(traits, best=rows[is_best], worst=rows[~is_best]).tells


def test_what_is_planted_is_found_and_in_null_worlds_hardly_anything_is_claimed() -> None:
    assert sum(_world(seed, 0.3) for seed in range(4)) >= 3
    # 2.5 % of them by chance; of the 300 worlds from seed 1000 on, 8.
    assert sum(_world(seed, 0.0) for seed in range(1000, 1025)) <= 3


def test_the_auroc_counts_pairs_and_ties_as_half() -> None:
    best, worst = np.array([3.0, 1.0, 2.0]), np.array([1.0, 0.0])
    pairs = [(b > w) + 0.5 * (b == w) for b in best for w in worst]

    auroc, low, high = auroc_interval(best, worst)
    assert auroc == pytest.approx(float(np.mean(pairs)))
    assert low < auroc < high


def test_evidence_of_customers_and_prospects_is_the_sum_of_their_levels() -> None:
    values = pa.array(["a"] * 20 + ["b"] * 20)
    found = trait("t", values, pa.array(["b", "c"]), judged=np.arange(40))
    assert found is not None
    of_customers, of_prospects = evidence([found], [np.array([0.5, -0.5])])

    assert of_customers.tolist() == [0.5] * 20 + [-0.5] * 20
    assert of_prospects.tolist() == [-0.5, 0.0]
