"""Signs, potential, reasons, release and advocates of the resellers against plain pandas."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.books import RESELLERS_AS_OF, opened_book, reseller_settings, reseller_tables

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.keeping.advocates import advocates
from portfolio_ml.portfolio.keeping.leaving import leaving, leaving_of
from portfolio_ml.portfolio.keeping.potential import potential
from portfolio_ml.portfolio.keeping.pre_churn import pre_churn
from portfolio_ml.portfolio.keeping.release import release

pytestmark = pytest.mark.oracle

AS_OF = pd.Timestamp(RESELLERS_AS_OF)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with opened_book(
        reseller_settings(tmp_path_factory.mktemp("resellers")), as_of=RESELLERS_AS_OF
    ) as book:
        yield book


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    lines, _ = reseller_tables()
    return lines


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    _, customers = reseller_tables()
    return customers


def frame_of(figure: Figure) -> pd.DataFrame:
    return figure.rows.to_pandas().set_index("customer_id")


def purchase_days(lines: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """One row per customer and purchase day: spend and lines."""
    bought = lines[(lines["timestamp"] <= until) & (lines["amount"] >= 0)]
    days = bought.groupby(["customer_id", "timestamp"])["amount"].agg(["sum", "size"])
    return days.reset_index().sort_values(["customer_id", "timestamp"])


def last_year(lines: pd.DataFrame, until: pd.Timestamp, column: str) -> pd.Series:
    since = until - timedelta(days=365)
    inside = lines[(lines["timestamp"] > since) & (lines["timestamp"] <= until)]
    return inside.groupby("customer_id")[column].sum()


def shrunk(values: pd.Series) -> bool:
    """Whether the last three are less than the others, by the same test in other words."""
    if len(values) < 6:
        return False
    logs = np.log(values.to_numpy())
    earlier, recent = logs[:-3], logs[-3:]
    spread = max(earlier.std(ddof=1), 0.05)
    t = (recent.mean() - earlier.mean()) / (spread * np.sqrt(1 / 3 + 1 / earlier.size))
    p = stats.t.cdf(t, earlier.size - 1)
    return bool(p <= 0.05 and np.exp(recent.mean() - earlier.mean()) <= 0.8)


def active(days: pd.DataFrame, until: pd.Timestamp, window: int) -> pd.Series:
    recency = (until - days.groupby("customer_id")["timestamp"].max()).dt.days
    return recency < window


def test_who_buys_less_is_who_does_by_pandas(book: Book, lines: pd.DataFrame) -> None:
    listed, quality = pre_churn(book)
    days = purchase_days(lines, AS_OF)
    is_active = active(days, AS_OF, book.frozen.activity_days)
    less = days.groupby("customer_id")["sum"].apply(shrunk) & is_active
    fewer = days.groupby("customer_id")["size"].apply(shrunk) & is_active

    signs = frame_of(listed)["signs"]
    assert {*signs[signs.str.contains("smaller_orders")].index} == {*less[less].index}
    assert {*signs[signs.str.contains("fewer_lines")].index} == {*fewer[fewer].index}

    # One churn horizon before, and who has bought since.
    horizon = book.frozen.horizons.churn_days
    cutoff = AS_OF - timedelta(days=horizon)
    then = purchase_days(lines, cutoff)
    was_active = active(then, cutoff, book.frozen.activity_days)
    less = then.groupby("customer_id")["sum"].apply(shrunk)[was_active]
    returned = {*days[days["timestamp"] > cutoff]["customer_id"]}
    churned = pd.Series([name not in returned for name in less.index], index=less.index)
    told = then.groupby("customer_id").size()[less.index] >= 6
    row = next(r for r in quality.rows.to_pylist() if r["sign"] == "smaller_orders")
    assert (row["customers"], row["churned"]) == (less.sum(), (less & churned).sum())
    assert row["customers_without"] == (told & ~less).sum()
    assert row["churned_without"] == (told & ~less & churned).sum()


def test_gaps_are_those_of_pandas(book: Book, lines: pd.DataFrame, customers: pd.DataFrame) -> None:
    gaps, reach = (figure for figure in potential(book))
    found = frame_of(gaps)
    days = purchase_days(lines, AS_OF)
    is_active = active(days, AS_OF, book.frozen.activity_days)
    first = days.groupby("customer_id")["timestamp"].min()
    peers = pd.DataFrame({"tenure": (AS_OF - first).dt.days})[is_active]
    peers["revenue"] = last_year(lines, AS_OF, "amount").reindex(peers.index).fillna(0)
    peers["segment"] = customers.drop_duplicates("customer_id").set_index("customer_id")["segment"]
    peers["band"] = pd.cut(peers["tenure"], [-1, 90, 180, 365, 730, 10**6])
    groups = [["segment", "band"], ["band"], []]
    level = pd.Series(np.nan, index=peers.index)
    for keys in reversed(groups):
        by = peers.groupby(keys, observed=True)["revenue"] if keys else None
        p75 = by.transform(lambda r: r.quantile(0.75)) if by else peers["revenue"].quantile(0.75)
        size = by.transform("size") if by else pd.Series(len(peers), index=peers.index)
        level = level.mask(size >= 20, p75)
    gap = (level - peers["revenue"]).clip(lower=0)

    assert {*found.index} == {*gap[gap > 1e-9].index}
    pd.testing.assert_series_equal(
        found["potential_gap"].sort_index(),
        gap[gap > 1e-9].sort_index(),
        check_names=False,
        check_index_type=False,
    )
    assert reach.rows["days"][0].as_py() == 365
    assert sum(reach.rows["customers"].to_pylist()) > 50


def test_losses_are_those_of_pandas(book: Book, lines: pd.DataFrame) -> None:
    found = frame_of(release(book))
    margin = lines.assign(margin=lines["amount"] - lines["cost"])
    days = purchase_days(lines, AS_OF)
    first = days.groupby("customer_id")["timestamp"].min()
    is_old = (AS_OF - first).dt.days > 365
    is_old &= active(days, AS_OF, book.frozen.activity_days)
    result = last_year(margin, AS_OF, "margin").reindex(first.index).fillna(0)[is_old]
    before = last_year(margin, AS_OF - timedelta(days=365), "margin")
    losing = result[result.round(4) < 0]

    assert {*found.index} == {*losing.index}
    for name, expected in (("result", losing), ("result_before", before)):
        np.testing.assert_allclose(
            found[name].dropna(), expected.reindex(found[name].dropna().index).fillna(0), atol=0.05
        )
    # The segments and regions where money is earned: of those who were there a year ago.
    assert not found["is_candidate"].any()


def test_reasons_are_those_of_pandas(
    book: Book, lines: pd.DataFrame, customers: pd.DataFrame
) -> None:
    days = purchase_days(lines, AS_OF)
    is_active = active(days, AS_OF, book.frozen.activity_days)
    last = days.groupby("customer_id")["timestamp"].max()
    changes = customers.sort_values(["customer_id", "valid_from"])
    earlier = changes.groupby("customer_id")["representative_id"].shift()
    changes = changes[earlier.notna() & (earlier != changes["representative_id"])]
    since = (changes["valid_from"] - changes["customer_id"].map(last)).dt.days
    is_near = (since >= -180) & (since <= 30) & (changes["valid_from"] <= AS_OF)
    changed = {*changes[is_near]["customer_id"]}
    once = days.groupby("customer_id").size() == 1

    rows = {row["reason"]: row for row in leaving(book).rows.to_pylist()}
    gone = {*is_active[~is_active].index}
    assert rows["representative_changed"]["left_with"] == len(changed & gone)
    assert rows["representative_changed"]["stayed_with"] == len(changed - gone)
    assert rows["bought_once"]["left_with"] == len({*once[once].index} & gone)
    found = leaving_of(book)
    told = {
        name
        for name, code in zip(book.now.texts("customer_id"), found.code, strict=True)
        if code == "representative_changed"
    }
    assert told == changed & gone
    assert sum(row["likely_for"] for row in rows.values()) == len(gone)


def test_advocates_are_those_of_pandas(book: Book, lines: pd.DataFrame) -> None:
    found = frame_of(advocates(book))
    days = purchase_days(lines, AS_OF)
    by = days.groupby("customer_id")["timestamp"]
    gaps = by.diff().dt.days
    irregular = gaps.groupby(days["customer_id"]).agg(lambda g: g.std(ddof=1) / g.mean())
    is_loyal = ((AS_OF - by.min()).dt.days > 730) & (by.size() >= 5) & (irregular < 1)
    bought = lines[lines["amount"] >= 0]
    now = last_year(bought, AS_OF, "amount").reindex(is_loyal.index)
    before = last_year(bought, AS_OF - timedelta(days=365), "amount").reindex(is_loyal.index)
    both = is_loyal & (now / before - 1 >= 0.25) & active(days, AS_OF, book.frozen.activity_days)

    assert {*found.index} == {*both[both].index}
    assert not found["revenue"].isna().any()


def test_a_longer_activity_window_hides_no_missed_cycle(book: Book, lines: pd.DataFrame) -> None:
    """The resellers' window is shorter than two of their cycles, so that nobody misses any.

    Within a longer one, those who did are those whom pandas finds.
    """
    wide = replace(book, frozen=replace(book.frozen, activity_days=3650))
    is_all = np.ones(book.now.count, np.bool_)
    rows = book.now.rows.set_column(
        book.now.rows.column_names.index("is_active"), "is_active", [is_all]
    )
    wide = replace(wide, now=replace(book.now, rows=rows))

    signs = frame_of(pre_churn(wide)[0])["signs"]

    days = purchase_days(lines, AS_OF)
    by = days.groupby("customer_id")["timestamp"]
    gaps = by.diff().dt.days.groupby(days["customer_id"])
    count, recency = gaps.count(), (AS_OF - by.max()).dt.days
    prior = book.frozen.reference.gap_days
    typical = (count * gaps.median().fillna(0) + prior) / (count + 1)
    missed = np.floor(recency / typical + 1e-9) - 1
    is_missed = (count >= 2) & (missed >= 2) & (recency > gaps.quantile(0.9))
    assert is_missed.sum() > 50
    assert {*signs[signs.str.contains("missed_cycles")].index} == {*is_missed[is_missed].index}
