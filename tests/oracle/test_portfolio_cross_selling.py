"""Cross-selling to the resellers against plain loops over their lines."""

from collections.abc import Iterator

import pandas as pd
import pytest
from tests.books import RESELLERS_AS_OF, opened_book, reseller_settings, reseller_tables

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.cross_sell_pairs import cross_sell_pairs
from portfolio_ml.portfolio.selling.cross_selling import CrossSelling, cross_selling
from portfolio_ml.portfolio.selling.next_category import next_category
from portfolio_ml.portfolio.selling.next_category_evidence import next_category_evidence
from portfolio_ml.timeline import to_date


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    settings = reseller_settings(tmp_path_factory.mktemp("resellers"))
    with opened_book(settings, as_of=RESELLERS_AS_OF) as book:
        yield book


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    lines, _ = reseller_tables()
    return lines[lines["timestamp"] <= pd.Timestamp(RESELLERS_AS_OF)]


@pytest.fixture(scope="module")
def learnt(book: Book) -> CrossSelling:
    learnt = cross_selling(book)
    assert isinstance(learnt, CrossSelling)
    return learnt


def _firsts(lines: pd.DataFrame) -> dict[str, dict[str, pd.Timestamp]]:
    table = lines.groupby(["customer_id", "category"])["timestamp"].min()
    found: dict[str, dict[str, pd.Timestamp]] = {}
    for (customer, category), day in table.items():
        found.setdefault(customer, {})[category] = day
    return found


def test_support_and_chances_are_those_of_a_loop_over_customers(
    book: Book, learnt: CrossSelling, lines: pd.DataFrame
) -> None:
    rows = cross_sell_pairs(book, learnt).rows.to_pylist()
    firsts = _firsts(lines)

    assert len(rows) > 20
    assert (rows[0]["category"], rows[0]["added"]) == ("Road Frames", "Road Bikes")
    assert {row["since"] for row in rows} == {"ever", "new"}
    half_year = pd.Timedelta(days=182)
    begin = min(min(days.values()) for days in firsts.values())
    for row in [*rows[:20], *(row for row in rows if row["since"] == "new")]:
        support = chances = 0
        for days in firsts.values():
            start = min(days.values())
            is_old = start - begin < half_year
            for day in {d for d in days.values() if d > start}:
                has = {
                    name
                    for name, since in days.items()
                    if since < day
                    and (
                        row["since"] == "ever"
                        or (day - since <= half_year and not (is_old and since == start))
                    )
                }
                if row["category"] in has and not days.get(row["added"], day) < day:
                    chances += 1
                    support += days.get(row["added"]) == day
        assert (row["support"], row["chances"]) == (support, chances)


def test_the_most_added_is_judged_as_a_loop_over_the_cutoffs_judges_it(
    book: Book, learnt: CrossSelling, lines: pd.DataFrame
) -> None:
    rows = next_category_evidence(book, learnt).rows.to_pylist()
    told = next(r for r in rows if r["method"] == "most added" and r["recommended"] == 1)
    firsts, hits = _firsts(lines), []
    horizon = pd.Timedelta(days=learnt.horizon_days)
    order = {name: place for place, name in enumerate(learnt.firsts.categories)}
    for cutoff in (pd.Timestamp(to_date(day)) for day in learnt.choice.cutoffs):
        added: dict[str, int] = {}
        could: dict[str, int] = {}
        for days in firsts.values():
            start = min(days.values())
            for day in {d for d in days.values() if d > start}:
                if cutoff - 4 * horizon < day <= cutoff:
                    for name in order:
                        could[name] = could.get(name, 0) + (not days.get(name, day) < day)
                        added[name] = added.get(name, 0) + (days.get(name) == day)
        for days in firsts.values():
            owned = {name for name, day in days.items() if day <= cutoff}
            new = {name for name, day in days.items() if cutoff < day <= cutoff + horizon}
            if owned and new:
                best = max(
                    set(order) - owned,
                    key=lambda n: (added.get(n, 0) / max(could.get(n, 0), 1), -order[n]),
                )
                hits.append(best in new and added.get(best, 0) > 0)

    assert told["customers"] == len(hits)
    assert told["hit_rate"] == pytest.approx(sum(hits) / len(hits), abs=1e-9)


def test_nobody_is_recommended_what_it_owns(
    book: Book, learnt: CrossSelling, lines: pd.DataFrame
) -> None:
    figure = next_category(book, learnt)
    owned = {customer: set(days) for customer, days in _firsts(lines).items()}

    rows = figure.rows.to_pylist()
    assert len(rows) > 400
    assert not any(row["category"] in owned[row["customer_id"]] for row in rows)
    assert all(row["because"] in (owned[row["customer_id"]] | {None}) for row in rows)
    amounts = [row["expected_amount"] for row in rows if row["expected_amount"] is not None]
    assert amounts == sorted(amounts, reverse=True)
