"""Returns and loyalty points of the resellers, beside plain pandas."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.books import (
    RESELLERS_AS_OF,
    PointsRows,
    opened_book,
    reseller_settings,
    reseller_tables,
    scores_of,
)

from portfolio_ml.portfolio.book import SCORES, Book
from portfolio_ml.portfolio.loyalty.loyalty import loyalty
from portfolio_ml.portfolio.loyalty.members import members
from portfolio_ml.portfolio.returns.profitability import stock_returns
from portfolio_ml.schema import POINTS_SCALE
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.oracle

AS_OF = pd.Timestamp(RESELLERS_AS_OF)
RULE = {
    "points_per_unit": 0.5,
    "section": "segment",
    "multipliers": {"Warehouse": 2},
    "expire_days": 180,
    "tiers": {"silver": 5_000, "gold": 50_000},
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    settings = reseller_settings(tmp_path_factory.mktemp("resellers"), {"loyalty": RULE})
    with opened_book(settings, as_of=RESELLERS_AS_OF) as book:
        yield book


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    sold, _ = reseller_tables()
    return sold[sold["timestamp"] <= AS_OF]


def test_a_stock_returns_what_plain_sums_say(book: Book, lines: pd.DataFrame) -> None:
    # Any value will do: here, what a customer spent in the 90 days before.
    dates = [date(2019, 4, 30), date(2019, 10, 31), RESELLERS_AS_OF]
    value = {}
    for day in map(pd.Timestamp, dates):
        seen = lines[lines["timestamp"] <= day]
        recent = seen[seen["timestamp"] > day - pd.Timedelta(days=90)]
        spent = recent.groupby("customer_id")["amount"].sum()
        value[day] = spent.reindex(seen["customer_id"].unique(), fill_value=0.0)
    scored = [
        scores_of(
            {"customer_id": name, "as_of": day.date(), "ltv": worth} for name, worth in of.items()
        )
        for day, of in value.items()
    ]
    now = book.now.with_scores(scored.pop(), SCORES)
    then = pa.concat_tables(scored)

    figure = stock_returns(replace(book, now=now, then_scores=then, has_scores=True))

    found = figure.rows.to_pandas()
    for row, (since, until) in zip(
        found.itertuples(), zip(value, [*value][1:], strict=False), strict=True
    ):
        there = value[since].index
        between = lines[(lines["timestamp"] > since) & (lines["timestamp"] <= until)]
        earned = between[between["customer_id"].isin(there)]["amount"].sum()
        kept = value[until].reindex(there).sum()
        assert row.customers == len(there)
        assert row.recruits == len(value[until]) - len(there)
        assert row.earned == pytest.approx(earned)
        assert row.recruits_earned == pytest.approx(between["amount"].sum() - earned)
        assert row.value_kept == pytest.approx(kept)
        assert row.period_return == pytest.approx((kept + earned) / value[since].sum() - 1)


def test_points_of_the_rule_are_those_of_plain_sums(book: Book, lines: pd.DataFrame) -> None:
    _, customers = reseller_tables()
    segment = customers.drop_duplicates("customer_id").set_index("customer_id")["segment"]
    times = np.where(lines["customer_id"].map(segment) == "Warehouse", 1.0, 0.5)
    points = (lines["amount"] * times).groupby(lines["customer_id"])
    alive = lines["timestamp"] >= AS_OF - pd.Timedelta(days=180)
    recent = lines["timestamp"] > AS_OF - pd.Timedelta(days=365)

    figure, programme, tiers = loyalty(book)

    found = figure.rows.to_pandas().set_index("customer_id").sort_index()
    assert len(found) == points.ngroups
    assert found["earned"].to_numpy() == pytest.approx(points.sum().sort_index().to_numpy())
    left = (lines["amount"] * times * alive).groupby(lines["customer_id"]).sum().sort_index()
    assert found["balance"].to_numpy() == pytest.approx(left.to_numpy(), abs=0.01)
    year = (lines["amount"] * times * recent).groupby(lines["customer_id"]).sum().sort_index()
    tier = pd.cut(
        year, [-np.inf, 5_000, 50_000, np.inf], right=False, labels=["none", "silver", "gold"]
    )
    assert found["tier"].fillna("none").tolist() == tier.astype(str).tolist()
    counts = tier.value_counts()
    assert {r["tier"]: r["customers"] for r in tiers.rows.to_pylist()} == counts.to_dict()
    [told] = programme.rows.to_pylist()
    assert told["liability"] == pytest.approx(0.01 * left.sum())


def test_members_beside_others_are_those_of_a_plain_grouping(
    book: Book, lines: pd.DataFrame
) -> None:
    assert book.then is not None
    ids = np.array(book.then.rows["customer_id"].to_pylist())
    joined = [name for name in ids if int(name) % 3 == 0]
    day = to_day(book.then.as_of - timedelta(days=1))
    table = pa.table(
        {
            "customer_id": joined,
            "day": pa.array([day] * len(joined), pa.int32()),
            "points": pa.array([POINTS_SCALE] * len(joined), pa.int64()),
            "reason": pa.array([None] * len(joined), pa.string()),
            "expires_day": pa.array([None] * len(joined), pa.int32()),
        }
    )
    engine = book.inputs.engine

    figure = members(book, PointsRows(engine.keep(engine.from_arrow(table))))

    then = pd.DataFrame(
        {
            "tenure": pd.cut(book.then.column("tenure_days"), [-1, 364, 729, np.inf]).astype(str),
            "tier": book.then.texts("value_tier"),
            "segment": book.then.texts("segment"),
            "member": np.isin(ids, joined),
        },
        index=ids,
    )
    since = lines["timestamp"] > pd.Timestamp(book.then.as_of)
    spent = lines[since].groupby("customer_id")["amount"].sum()
    then["revenue"] = spent.reindex(ids).fillna(0.0)
    means = then.pivot_table(
        index=["tenure", "tier", "segment"],
        columns="member",
        values="revenue",
        aggfunc=["mean", "size"],
    ).dropna()
    weight = means["size"][True]
    expected = (means["mean"][True] - means["mean"][False]).mul(weight).sum() / weight.sum()
    row = figure.rows.to_pylist()[0]
    assert row["members"] == weight.sum()
    assert row["non_members"] == means["size"][False].sum()
    assert row["difference"] == pytest.approx(expected)
    # Every third customer is nobody special.
    assert row["standardised_low"] < 0 < row["standardised_high"]
