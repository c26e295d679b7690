"""Due reorders of the resellers against pandas."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from tests.books import RESELLERS_AS_OF, opened_book, reseller_settings, reseller_tables

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.reorder_evidence import reorder_evidence
from portfolio_ml.portfolio.selling.reordering import Reordering, reordering
from portfolio_ml.portfolio.selling.reorders import reorders

TODAY = pd.Timestamp(RESELLERS_AS_OF)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    settings = reseller_settings(tmp_path_factory.mktemp("resellers"))
    with opened_book(settings, as_of=RESELLERS_AS_OF) as book:
        yield book


@pytest.fixture(scope="module")
def learnt(book: Book) -> Reordering:
    return reordering(book)


@pytest.fixture(scope="module")
def cycles() -> pd.DataFrame:
    """Every cycle by pandas, with its shrunk level."""
    lines, _ = reseller_tables()
    lines = lines[lines["timestamp"] <= TODAY]
    both = pd.concat([lines, lines.assign(category="anything")])
    days = both.groupby(["customer_id", "category", "timestamp"])["amount"].sum().reset_index()
    keys = ["customer_id", "category"]
    days["gap"] = np.log(days.groupby(keys)["timestamp"].diff().dt.days)
    found = days.groupby(keys).agg(
        purchase_days=("timestamp", "size"), last=("timestamp", "max"),
        mean=("gap", "mean"), variance=("gap", "var"), amount=("amount", "median"),
    ).reset_index()  # fmt: skip
    found = found[found["purchase_days"] >= 3].copy()
    found["gaps"] = found["purchase_days"] - 1
    found["around"] = found["variance"].fillna(0) * (found["gaps"] - 1)

    def usual(some: pd.DataFrame) -> tuple[float, float]:
        within = some["around"].sum() / (some["gaps"] - 1).sum()
        scatter = some["mean"].var(ddof=0) - within * (1 / some["gaps"]).mean()
        return some["mean"].mean(), within / max(scatter, 1e-3)

    everything = usual(found)
    moments = {
        name: usual(part) if len(part) >= 20 else everything
        for name, part in found.groupby("category")
    }
    mean = found["category"].map({name: value[0] for name, value in moments.items()})
    weight = found["category"].map({name: value[1] for name, value in moments.items()})
    level = (found["gaps"] * found["mean"] + weight * mean) / (found["gaps"] + weight)
    found["cycle_days"] = np.exp(level)
    due = np.round(found["cycle_days"]).astype(int)
    found["due"] = found["last"] + pd.to_timedelta(due, unit="D")
    return found.set_index(keys)


def test_cycles_due_dates_and_amounts_are_those_of_pandas(
    book: Book, learnt: Reordering, cycles: pd.DataFrame
) -> None:
    rows = reorders(book, learnt).rows.to_pandas().set_index(["customer_id", "category"])
    expected = cycles.loc[rows.index]

    assert len(learnt.now.customer) == len(cycles)
    assert len(rows) > 100
    assert rows["purchase_days"].tolist() == expected["purchase_days"].tolist()
    assert rows["cycle_days"].to_numpy() == pytest.approx(expected["cycle_days"].to_numpy())
    assert pd.to_datetime(rows["due_date"]).tolist() == expected["due"].tolist()
    assert rows["usual_amount"].to_numpy() == pytest.approx(expected["amount"].to_numpy())
    assert ((TODAY - expected["due"]).dt.days >= -7).all()


def test_who_is_due_this_week_by_pandas_is_listed(
    book: Book, learnt: Reordering, cycles: pd.DataFrame
) -> None:
    rows = reorders(book, learnt).rows.to_pandas()
    listed = set(rows.loc[rows["category"] == "anything", "customer_id"])
    ahead = (cycles["due"] - TODAY).dt.days.between(0, 7)
    due = cycles[ahead].xs("anything", level="category")

    assert set(due.index) <= listed


def test_resellers_who_were_due_bought_soon_and_the_windows_held(
    book: Book, learnt: Reordering
) -> None:
    rows = reorder_evidence(book, learnt).rows.to_pylist()
    of = {(r["what"], r["regularity"], r["state"]): r for r in rows}
    due = of["anything", "regular", "due"]

    assert due["bought_soon"] > 0.6
    assert due["bought_soon"] > 5 * of["anything", "regular", "not listed"]["bought_soon"]
    assert due["in_window_low"] < 0.8 + 0.1 < due["in_window_high"] + 0.1
