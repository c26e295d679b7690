"""Anniversaries and peak months of the resellers against pandas."""

from collections.abc import Iterator

import pandas as pd
import pytest
from tests.books import RESELLERS_AS_OF, opened_book, reseller_settings, reseller_tables

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.key_dates import key_dates
from portfolio_ml.portfolio.selling.peak_months import peak_months

TODAY = pd.Timestamp(RESELLERS_AS_OF)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    settings = reseller_settings(
        tmp_path_factory.mktemp("resellers"), {"daily_list": {"key_date_days": 40}}
    )
    with opened_book(settings, as_of=RESELLERS_AS_OF) as book:
        yield book


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    lines, _ = reseller_tables()
    return lines[lines["timestamp"] <= TODAY]


def test_anniversaries_are_those_of_pandas(book: Book, lines: pd.DataFrame) -> None:
    rows = key_dates(book).rows.to_pylist()
    told = {r["customer_id"]: (r["date"], r["years"]) for r in rows if r["kind"] == "anniversary"}
    first = lines.groupby("customer_id")["timestamp"].min()
    this_year = first.apply(lambda day: day.replace(year=2020))
    is_near = this_year.between(TODAY, TODAY + pd.Timedelta(days=40)) & (first.dt.year < 2020)

    assert told
    assert told == {
        name: (this_year[name].date(), 2020 - first[name].year) for name in first[is_near].index
    }


def test_peak_months_are_those_of_pandas(book: Book, lines: pd.DataFrame) -> None:
    month = lines["timestamp"].dt.year * 12 + lines["timestamp"].dt.month - 1
    spend = lines.assign(month=month).groupby(["customer_id", "month"])["amount"].sum()
    end, same, asked = 2020 * 12 + 4, {}, 0
    for name, part in spend.groupby(level="customer_id"):
        own = part.droplevel("customer_id")
        peaks = []
        for year in range(5):
            inside = own[(own.index < end - 12 * year) & (own.index >= end - 12 * (year + 1))]
            if len(inside) and own.index.min() <= end - 12 * (year + 1):
                peaks.append(min(inside[inside == inside.max()].index % 12))
        asked += len(peaks) >= 2
        if len(peaks) >= 2 and len(set(peaks)) == 1:
            same[name] = peaks[0] + 1

    found = peak_months(book.inputs, book.as_of_day)
    ids = dict(
        zip(
            book.now.rows["customer"].to_pylist(),
            book.now.rows["customer_id"].to_pylist(),
            strict=True,
        )
    )
    assert found.asked == asked
    told = zip(found.customer.tolist(), found.month.tolist(), strict=True)
    assert {ids[customer]: month for customer, month in told} == same


def test_resellers_have_no_season_of_their_own(book: Book) -> None:
    assert any(note.startswith("no seasons: 37 of 132") for note in key_dates(book).notes)
