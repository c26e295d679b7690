"""Representatives, handovers and goals of the resellers against plain pandas."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from tests.books import RESELLERS_AS_OF, opened_book, reseller_settings, reseller_tables

from portfolio_ml.portfolio.goals.goals import goal_customers, goals, progress
from portfolio_ml.portfolio.representatives.handover import handovers, handovers_by_pair
from portfolio_ml.portfolio.representatives.matches import matches, workloads
from portfolio_ml.portfolio.representatives.matching import matching
from portfolio_ml.portfolio.representatives.representatives import (
    representatives,
    representatives_by_section,
)

pytestmark = pytest.mark.oracle

AS_OF = pd.Timestamp(RESELLERS_AS_OF)
SINCE = date(2019, 10, 31)
GOALS = [
    {"figure": "customers", "target": 480, "by": date(2020, 10, 31), "since": SINCE},
    {"figure": "average_ticket", "target": 30_000, "by": date(2020, 10, 31), "since": SINCE,
     "section": "segment", "value": "Warehouse"},
    {"figure": "revenue_share", "target": 0.2, "by": date(2020, 10, 31), "since": SINCE,
     "section": "region", "value": "Canada"},
]  # fmt: skip


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    settings = reseller_settings(tmp_path_factory.mktemp("resellers"), {"goals": GOALS})
    with opened_book(settings, as_of=RESELLERS_AS_OF) as book:
        yield book


@pytest.fixture(scope="module")
def tables():
    return reseller_tables()


def stock(tables, on, activity_days):
    """Customers at a date: revenue and orders of 365 days, activity, representative, sections."""
    lines, customers = tables
    seen = lines[lines["timestamp"] <= on]
    year = seen[seen["timestamp"] > on - timedelta(days=365)]
    rows = pd.DataFrame({"last": seen.groupby("customer_id")["timestamp"].max()})
    rows["revenue"] = year.groupby("customer_id")["amount"].sum()
    rows["orders"] = year.groupby("customer_id")["order_id"].nunique()
    rows = rows.fillna({"revenue": 0.0, "orders": 0})
    rows["active"] = (on - rows["last"]).dt.days <= activity_days
    known = customers[customers["valid_from"] <= on].sort_values("valid_from")
    known = known.groupby("customer_id")[["representative_id", "segment", "region"]].last()
    return rows.join(known)


def both(book, tables):
    days = book.frozen.activity_days
    return stock(tables, AS_OF, days), stock(tables, AS_OF - timedelta(days=365), days)


def test_the_book_and_pandas_agree_on_who_is_active(book, tables):
    now, then = both(book, tables)

    assert now["active"].sum() == book.now.is_active.sum()
    assert then["active"].sum() == book.then.is_active.sum()


@pytest.mark.parametrize("keys", [["representative_id"], ["segment", "representative_id"]])
def test_results_of_representatives(book, tables, keys):
    now, then = both(book, tables)
    figure = representatives(book) if len(keys) == 1 else representatives_by_section(book)
    found = figure.rows.to_pandas().rename(columns={"section": "segment"}).set_index(keys)
    held, was = now.groupby(keys), then[then["active"]]
    expected = pd.DataFrame(
        {
            "customers": held.size(),
            "active": held["active"].sum(),
            "revenue": held["revenue"].sum(),
            "orders": held["orders"].sum(),
        }
    ).reindex(found.index, fill_value=0)

    for name in expected:
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(float), abs=0.02)
    was = was.assign(kept=now["active"].reindex(was.index))
    counted = was.groupby(keys)["kept"].agg(["size", "mean"]).reindex(found.index)
    assert found["active_then"].to_numpy() == pytest.approx(counted["size"].fillna(0).to_numpy())
    assert found["retention"].to_numpy(float) == pytest.approx(
        counted["mean"].to_numpy(float), nan_ok=True
    )


def test_seventeen_representatives_add_up_to_the_portfolio(book):
    found = representatives(book).rows.to_pandas()

    assert len(found) == 17
    assert found["customers"].sum() == book.now.count
    assert found["revenue"].sum() == pytest.approx(book.now.money("revenue").sum() / 10_000)


def test_handovers(book, tables):
    lines, customers = tables
    rows = customers.sort_values(["customer_id", "valid_from"])
    rows = rows[rows["valid_from"] <= AS_OF]
    rows["from"] = rows.groupby("customer_id")["representative_id"].shift()
    rows = rows[rows["from"].notna() & (rows["from"] != rows["representative_id"])].copy()
    rows["until"] = rows.groupby("customer_id")["valid_from"].shift(-1)
    rows["until"] = rows["until"].fillna(AS_OF + timedelta(days=1))
    rows = rows[rows["valid_from"] > AS_OF - timedelta(days=365)]
    found = handovers(book).rows.to_pandas()
    keys = ["customer_id", "handed_over_on"]
    found["handed_over_on"] = pd.to_datetime(found["handed_over_on"])
    found = found.set_index(keys).sort_index()

    assert len(rows) > 50
    assert set(zip(rows["customer_id"], rows["valid_from"], strict=True)) == {*found.index}
    for row in rows.itertuples():
        told = found.loc[(row.customer_id, row.valid_from)]
        own = lines[lines["customer_id"] == row.customer_id]
        length = row.until - row.valid_from
        after = own[(own["timestamp"] >= row.valid_from) & (own["timestamp"] < row.until)]
        before = own[
            (own["timestamp"] >= row.valid_from - length) & (own["timestamp"] < row.valid_from)
        ]
        assert told["revenue_before"] == pytest.approx(before["amount"].sum(), abs=0.01)
        assert told["revenue_after"] == pytest.approx(after["amount"].sum(), abs=0.01)
        assert told["orders_after"] == after["order_id"].nunique()
        assert told["to_representative_id"] == row.representative_id
    pairs = handovers_by_pair(book, handovers(book)).rows.to_pandas()
    assert pairs["handovers"].sum() == len(found)
    assert pairs["revenue_after"].sum() == pytest.approx(found["revenue_after"].sum())


def test_goals(book, tables):
    now, _ = both(book, tables)
    then = stock(tables, pd.Timestamp(SINCE), book.frozen.activity_days)
    found = goals(book, progress(book)).rows.to_pylist()

    def measured(rows):
        house = rows[rows["segment"] == "Warehouse"]
        return [
            rows["active"].sum(),
            house["revenue"].sum() / house["orders"].sum(),
            rows.loc[rows["region"] == "Canada", "revenue"].sum() / rows["revenue"].sum(),
        ]

    assert [row["attained"] for row in found] == pytest.approx(measured(now))
    assert [row["attained_since"] for row in found] == pytest.approx(measured(then))


def test_who_would_close_the_gap_of_a_share_does(book, tables):
    now, _ = both(book, tables)
    found = goal_customers(book, progress(book)).rows.to_pandas()
    found = found[found["goal"] == "3"]
    canada = now["region"] == "Canada"
    could = np.quantile(now.loc[canada & now["active"], "revenue"], 0.75)
    revenue = now["revenue"].copy()
    chosen = found["customer_id"]
    revenue[chosen] = could

    assert revenue[canada].sum() / revenue.sum() == pytest.approx(found["reaches"].iloc[-1])
    assert revenue[canada].sum() / revenue.sum() >= 0.2
    revenue[chosen.iloc[-1]] = now["revenue"][chosen.iloc[-1]]
    assert revenue[canada].sum() / revenue.sum() < 0.2


def test_nobody_is_matched_where_retention_differs_no_more_than_by_chance(book):
    found = matching(book)
    rows = matches(book, found).rows.to_pandas()

    assert not rows["is_recommended"].any()
    assert (rows["assigned_representative_id"] == rows["representative_id"]).all()
    assert workloads(book, found).rows.to_pandas()["assigned"].sum() == book.now.count
