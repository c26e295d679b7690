"""Concentration, flow, cohorts and health of the resellers, against plain pandas."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from tests.books import RESELLERS_AS_OF, opened_book, reseller_settings, reseller_tables

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.concentration import concentration, core_customers
from portfolio_ml.portfolio.flow.cohorts import cohorts
from portfolio_ml.portfolio.flow.flow import flow
from portfolio_ml.portfolio.flow.health import health
from portfolio_ml.portfolio.flow.lifecycle import transitions
from portfolio_ml.portfolio.flow.monthly_flow import monthly_flow

pytestmark = pytest.mark.oracle

DAY = pd.Timedelta(days=1)
NOW = pd.Timestamp(RESELLERS_AS_OF)
THEN = NOW - 365 * DAY


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    settings = reseller_settings(tmp_path_factory.mktemp("resellers"))
    with opened_book(settings, as_of=RESELLERS_AS_OF) as found:
        yield found


@pytest.fixture(scope="module")
def lines(book: Book) -> pd.DataFrame:
    found, _ = reseller_tables()
    found["day"] = found["timestamp"].dt.normalize()
    return found[found["day"] <= NOW]


@pytest.fixture(scope="module")
def window(book: Book) -> int:
    return book.frozen.activity_days


def revenue_at(lines: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    year = lines[(lines["day"] <= day) & (lines["day"] > day - 365 * DAY)]
    return year.groupby("customer_id")["amount"].sum()


def active_at(lines: pd.DataFrame, day: pd.Timestamp, window: int) -> set[str]:
    last = lines[lines["day"] <= day].groupby("customer_id")["day"].max()
    return set(last[(day - last).dt.days < window].index)


def test_the_largest_fifth_brings_what_pandas_says(book: Book, lines: pd.DataFrame) -> None:
    rows = {r["moment"]: r for r in concentration(book).rows.to_pylist()}
    for moment, day in {"now": NOW, "then": THEN}.items():
        held = revenue_at(lines, day).sort_values(ascending=False)
        fifth = int(np.ceil(held.size / 5))
        row = rows[moment]
        assert row["customers"] == held.size
        assert row["revenue"] == pytest.approx(held.sum())
        assert row["top_share"] == pytest.approx(held.iloc[:fifth].sum() / held.sum())
        assert row["largest_10_share"] == pytest.approx(held.iloc[:10].sum() / held.sum())
        assert row["core_customers"] == (held.cumsum() < 0.8 * held.sum()).sum() + 1
        ranks = np.arange(1, held.size + 1)
        gini = 1 - (2 * ranks - 1) @ held.to_numpy() / held.size / held.sum()
        assert row["gini"] == pytest.approx(gini)


def test_the_core_is_the_head_of_the_list(book: Book, lines: pd.DataFrame) -> None:
    held = revenue_at(lines, NOW).sort_values(ascending=False)
    rows = core_customers(book).rows.to_pandas()

    assert rows["customer_id"].tolist() == held.index[: len(rows)].tolist()
    assert rows["revenue"].to_numpy() == pytest.approx(held.iloc[: len(rows)].to_numpy())
    before = revenue_at(lines, THEN).reindex(rows["customer_id"])
    known = set(lines.loc[lines["day"] <= THEN, "customer_id"])
    expected = [before.get(c) if c in known else np.nan for c in rows["customer_id"]]
    there = ~np.isnan(np.array(expected, float))
    assert rows["revenue_then"].to_numpy()[there] == pytest.approx(np.array(expected, float)[there])


def test_the_flow_is_that_of_sets_of_customers(
    book: Book, lines: pd.DataFrame, window: int
) -> None:
    rows = {r["part"]: r for r in flow(book).rows.to_pylist()}
    now, then = (active_at(lines, day, window) for day in (NOW, THEN))
    known = set(lines.loc[lines["day"] <= THEN, "customer_id"])
    value, before = (revenue_at(lines, day) for day in (NOW, THEN))
    expected = {
        "then": (then, before.reindex(sorted(then)).sum()),
        "recruited": (now - known, value.reindex(sorted(now - known)).sum()),
        "reactivated": (now & known - then, value.reindex(sorted(now & known - then)).sum()),
        "lost": (then - now, -before.reindex(sorted(then - now)).sum()),
        "now": (now, value.reindex(sorted(now)).sum()),
    }
    for part, (who, moved) in expected.items():
        assert rows[part]["customers"] == len(who)
        assert rows[part]["value_change"] == pytest.approx(moved)
    (found,) = health(book).rows.to_pylist()
    assert found["recruited_to_lost"] == pytest.approx(
        expected["recruited"][1] / -expected["lost"][1]
    )


def test_stages_follow_from_tenure_and_recency(
    book: Book, lines: pd.DataFrame, window: int
) -> None:
    found = {
        (r["stage_then"], r["stage"]): r["customers"] for r in transitions(book).rows.to_pylist()
    }

    def stages(day: pd.Timestamp) -> pd.Series:
        seen = lines[lines["day"] <= day].groupby("customer_id")["day"]
        tenure, recency = (day - seen.min()).dt.days, (day - seen.max()).dt.days
        before, last = revenue_at(lines, day - 365 * DAY), revenue_at(lines, day)
        trend = (last.reindex(tenure.index).fillna(0) / before.reindex(tenure.index) - 1).fillna(0)
        stage = pd.Series("mature", tenure.index).mask(trend < -0.25, "veteran")
        stage = stage.mask(tenure <= 730, "developing").mask(tenure <= 365, "new")
        return stage.mask(recency >= window, "lapsed")

    now = stages(NOW)
    then = stages(THEN).reindex(now.index).fillna("none")
    assert found == pd.crosstab(then, now).stack().loc[lambda n: n > 0].to_dict()


def test_the_months_are_those_of_walking_day_by_day(
    book: Book, lines: pd.DataFrame, window: int
) -> None:
    days = lines[["customer_id", "day"]].drop_duplicates().sort_values(["customer_id", "day"])
    days["before"] = days.groupby("customer_id")["day"].shift()
    days["after"] = days.groupby("customer_id")["day"].shift(-1)
    gap, ahead = (days["day"] - days["before"]).dt.days, (days["after"] - days["day"]).dt.days
    ends = days["day"] + window * DAY
    is_lost = ((ahead > window) | ahead.isna()) & (ends <= NOW)

    def by_month(of: pd.Series) -> pd.Series:
        return of.dt.strftime("%Y-%m").value_counts()

    recruited = by_month(days.loc[days["before"].isna(), "day"])
    reactivated = by_month(days.loc[gap > window, "day"])
    lost = by_month(ends[is_lost])
    for row in monthly_flow(book).rows.to_pylist():
        month, last = row["month"], pd.Timestamp(row["last_day"])
        assert row["recruited"] == recruited.get(month, 0)
        assert row["reactivated"] == reactivated.get(month, 0)
        assert row["lost"] == lost.get(month, 0)
        active = active_at(lines, last, window)
        assert row["active_end"] == len(active)
        value = revenue_at(lines, last).reindex(sorted(active)).sum()
        assert row["value_end"] == pytest.approx(value)


def test_cohorts_keep_whom_pandas_keeps(book: Book, lines: pd.DataFrame) -> None:
    first = lines.groupby("customer_id")["day"].min()
    cohort = first.dt.to_period("Q").astype(str).str.replace("Q", "-Q")
    after_first = (lines["day"] - lines["customer_id"].map(first)).dt.days
    seen = lines[after_first > 0].assign(
        cohort=lines["customer_id"].map(cohort), period=(after_first + 89) // 90
    )
    bought = seen.groupby(["cohort", "period"])["customer_id"].nunique()
    sizes = cohort.value_counts()
    rows = cohorts(book).rows.to_pylist()

    assert {r["cohort"] for r in rows} == set(sizes.index)
    for row in rows:
        period = int(row["period"][-4:]) // 90
        end = pd.Period(row["cohort"].replace("-Q", "Q"), "Q").end_time.normalize()
        is_over = min(end, NOW) + 90 * period * DAY <= NOW
        assert row["customers"] == sizes[row["cohort"]]
        assert row["bought"] == (bought.get((row["cohort"], period), 0) if is_over else None)
