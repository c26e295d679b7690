"""The catalogue's columns at one as-of date in pandas, as a good user would write them.

Lines become purchase days in order, and days become customers; everything is a `groupby` with a
built-in aggregate. Money is a whole number of 1/10,000 unit in a float64, which adds exactly. The
columns of the customer-base models (`p_alive`, ...) are left out.

Run it as `python -m benchmarks.features_pandas SOURCE OUT AS_OF`; it tells what each step costs.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.command import (
    DAY_PARTS,
    EPOCH,
    MONEY_SCALE,
    MONTHS,
    QUINTILES,
    SCORES,
    SHORT,
    WEEKDAYS,
    Say,
    run,
    timed,
)

CODED = ("product_id", "category", "channel", "order_id")


def write(source: Path, out: Path, *, as_of: date, say: Say) -> None:
    """Write the features of every customer with a purchase up to `as_of`."""
    features = features_of(source, as_of=as_of, say=say)
    with timed("write", say):
        features.to_parquet(out, index=False)


def features_of(source: Path, *, as_of: date, say: Say) -> pd.DataFrame:
    """The customer's id and the features, a row per customer with a purchase up to `as_of`."""
    with timed("lines", say):
        lines, ids = _lines(source, as_of)
    is_bought = lines["amount"] >= 0
    bought, returned = lines[is_bought], lines[~is_bought]
    del lines
    with timed("days", say):
        days = _days(bought, (as_of - EPOCH).days)
    with timed("rfm", say):
        rfm = _rfm(days)
    with timed("windows", say):
        windows = _windows(rfm.index, days)
    with timed("rhythm", say):
        rhythm = _rhythm(rfm, days, (as_of - EPOCH).days)
    with timed("trend", say):
        trend = _trend(rfm, days)
    with timed("basket", say):
        basket = _basket(rfm.index, days)
    with timed("products", say):
        products = _products(rfm.index, days, bought)
    with timed("categories", say):
        categories = _categories(bought)
    with timed("channels", say):
        channels = _channels(bought)
    with timed("returns", say):
        returns = _returns(rfm.join(windows), returned)
        discounts = _discounts(rfm.index, days)
        margin = _margin(rfm.index, days, returned)
    with timed("calendar", say):
        calendar = _calendar(rfm, days)
    with timed("features", say):
        families = [rfm, windows, rhythm, trend, basket, products, categories, channels, returns]
        families += [discounts, margin, calendar, _scores(rfm)]
        numbers = pd.concat(families, axis="columns").astype("float32")
        customer_id = pd.Series(ids[rfm.index], index=rfm.index, name="customer_id")
        return pd.concat([customer_id, numbers], axis="columns")


def _lines(source: Path, as_of: date) -> tuple[pd.DataFrame, pd.Index]:
    """The lines with numbers for texts, and the ids of the customers."""
    lines = pd.read_parquet(source)
    lines = lines[lines["timestamp"] < pd.Timestamp(as_of + timedelta(1))]
    lines["customer"], ids = pd.factorize(lines.pop("customer_id"))
    for name in CODED:
        lines[name] = pd.factorize(lines[name])[0]
    moment = lines.pop("timestamp")
    lines["age"] = (pd.Timestamp(as_of) - moment.dt.normalize()).dt.days.astype("int16")
    lines["day_part"] = (moment.dt.hour // 6).astype("int8")
    for name in ("amount", "cost", "discount"):
        lines[name] = (lines[name] * MONEY_SCALE).round()
    lines["cost"] = lines["cost"].abs()
    return lines, ids


def _days(bought: pd.DataFrame, today: int) -> pd.DataFrame:
    """The purchase days, each customer's latest first."""
    rows = bought[["customer", "age", "cost", "discount"]].assign(
        spend=bought["amount"],
        units=bought["quantity"].abs(),
        lines=1,
        discounted_lines=(bought["discount"] > 0).astype("int64"),
        **{part: (bought["day_part"] == n).astype("int64") for n, part in enumerate(DAY_PARTS)},
    )
    keys = ["customer", "age"]
    days = rows.groupby(keys).sum()
    days["orders"] = bought[[*keys, "order_id"]].drop_duplicates().groupby(keys).size()
    days = days.reset_index()
    by_customer = days.groupby("customer")
    days["gap"] = by_customer["age"].shift(-1) - days["age"]
    position = by_customer.cumcount()
    days["is_last"] = position == 0
    days["is_recent"] = position < 3
    day = pd.to_datetime(today - days["age"].astype("int64"), unit="D")
    days["weekday"] = day.dt.day_of_week
    days["month"] = day.dt.month
    return days


def _rfm(days: pd.DataFrame) -> pd.DataFrame:
    features = days.groupby("customer").agg(
        recency_days=("age", "min"),
        tenure_days=("age", "max"),
        purchase_days=("age", "size"),
        orders=("orders", "sum"),
        spend=("spend", "sum"),
        largest_purchase_day=("spend", "max"),
    )
    features = features.astype({"recency_days": "int64", "tenure_days": "int64"})
    features["monetary"] = features["spend"] / (features["purchase_days"] * MONEY_SCALE)
    features["ticket"] = features["spend"] / (features["orders"] * MONEY_SCALE)
    features[["spend", "largest_purchase_day"]] /= MONEY_SCALE
    features["repeat_days"] = features["purchase_days"] - 1
    features["purchase_span_days"] = features["tenure_days"] - features["recency_days"]
    features["rate_per_year"] = features["repeat_days"] * 365 / (features["tenure_days"] + 30)
    return features


def _sums(rows: pd.DataFrame, names: list[str], index: pd.Index) -> pd.DataFrame:
    """The sums per customer, 0 where there is nothing to add."""
    return rows.groupby("customer")[names].sum().reindex(index, fill_value=0)


def _windows(index: pd.Index, days: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=index)
    for window in (*SHORT, 365):
        inside = days[days["age"] < window].assign(days=1)
        sums = _sums(inside, ["days", "orders", "spend"], index)
        columns[f"purchase_days_{window}d"] = sums["days"]
        columns[f"orders_{window}d"] = sums["orders"]
        columns[f"spend_{window}d"] = sums["spend"] / MONEY_SCALE
        is_before = (days["age"] >= window) & (days["age"] < 2 * window)
        before = _sums(days[is_before], ["spend"], index)["spend"]
        name = "spend_trend" if window == 365 else f"spend_change_{window}d"
        columns[name] = sums["spend"] / _above_zero(before) - 1
    columns["spend_365_to_730d"] = before / MONEY_SCALE
    orders = _above_zero(columns["orders_365d"])
    columns["recent_order_share"] = columns["orders_90d"] / orders
    return columns


def _above_zero(values: pd.Series) -> pd.Series:
    """The values to divide by; null where they are not above 0."""
    return values.where(values > 0)


def _rhythm(rfm: pd.DataFrame, days: pd.DataFrame, today: int) -> pd.DataFrame:
    columns = pd.DataFrame(index=rfm.index)
    gaps = days.groupby("customer")["gap"]
    columns["gap_mean_days"] = gaps.mean()
    columns["gap_median_days"] = gaps.median()
    columns["gap_std_days"] = gaps.std()
    columns["gap_longest_days"] = gaps.max()
    columns["gap_last_days"] = days[days["is_last"]].set_index("customer")["gap"]
    recent = days[days["is_recent"]].groupby("customer")["gap"].mean()
    earlier = days[~days["is_recent"]].groupby("customer")["gap"].mean()
    columns["gap_change"] = recent / earlier - 1
    columns["gap_irregularity"] = columns["gap_std_days"] / columns["gap_mean_days"]
    columns["recency_to_longest_gap"] = rfm["recency_days"] / columns["gap_longest_days"]
    own = rfm["repeat_days"] * columns["gap_median_days"].fillna(0)
    all_days = own + columns["gap_median_days"].median()
    typical = all_days / rfm["purchase_days"]
    overdue = rfm["recency_days"] * rfm["purchase_days"] / all_days
    missed = np.floor(overdue - 1).clip(lower=0)
    columns["typical_gap_days"] = typical
    columns["overdue_ratio"] = overdue
    columns["missed_cycles"] = missed.where(rfm["purchase_days"] > 2)
    next_day = today - rfm["recency_days"] + typical
    columns["expected_next_order_day"] = np.floor(next_day + 0.5)
    return columns


def _trend(rfm: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=rfm.index)
    recent = days[days["is_recent"]].groupby("customer")["spend"].mean()
    earlier = days[~days["is_recent"]].groupby("customer")["spend"].mean()
    columns["recent_ticket"] = recent / MONEY_SCALE
    columns["last_ticket"] = days[days["is_last"]].set_index("customer")["spend"] / MONEY_SCALE
    columns["ticket_trend"] = recent / _above_zero(earlier) - 1
    age = days["age"].astype("float64")
    rows = days[["customer", "spend"]].assign(t=age, tt=age * age, ts=age * days["spend"])
    sums = rows.groupby("customer").sum()
    n, t, spend = rfm["purchase_days"], sums["t"], sums["spend"]
    slope = (t * spend - n * sums["ts"]) / (n * sums["tt"] - t * t)
    columns["ticket_slope"] = slope.where(n > 2) * 365 / MONEY_SCALE
    year = days[days["age"] < 360]
    weighted = year[["customer"]].assign(slope=(15 - 6 * (year["age"] // 60)) * year["spend"])
    slope = _sums(weighted, ["slope"], rfm.index)["slope"]
    columns["spend_slope"] = slope / (105 * MONEY_SCALE)
    return columns


def _basket(index: pd.Index, days: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=index)
    names = ["lines", "orders", "units", *DAY_PARTS]
    sums = _sums(days, names, index)
    recent = _sums(days[days["is_recent"]], names, index)
    earlier = sums - recent
    for one, name in {"line": "lines", "unit": "units"}.items():
        before = earlier[name] / _above_zero(earlier["orders"])
        columns[f"{one}s_per_order"] = sums[name] / sums["orders"]
        columns[f"{one}s_change"] = recent[name] / recent["orders"] / _above_zero(before) - 1
    for part in DAY_PARTS:
        columns[f"{part}_share"] = sums[part] / sums["lines"]
    return columns


def _products(index: pd.Index, days: pd.DataFrame, bought: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=index)
    lines = _sums(days, ["lines"], index)["lines"]
    recent_days = days[days["is_recent"]]
    recent_lines = _sums(recent_days, ["lines"], index)["lines"]
    since = recent_days.groupby("customer")["age"].max()
    known = bought[bought["product_id"] >= 0]
    firsts = known.groupby(["customer", "product_id"])["age"].max().reset_index()
    new = firsts[firsts["age"] <= firsts["customer"].map(since)]
    products = firsts.groupby("customer").size().reindex(index, fill_value=0)
    new_products = new.groupby("customer").size().reindex(index, fill_value=0)
    columns["products"] = products
    columns["product_repeat_share"] = 1 - products / lines
    columns["new_product_share"] = new_products / recent_lines
    return columns


def _categories(bought: pd.DataFrame) -> pd.DataFrame:
    known = bought[bought["category"] >= 0]
    rows = known[["customer", "category", "age"]].assign(
        spend=known["amount"], spend_year=known["amount"].where(known["age"] < 365, 0)
    )
    by_category = rows.groupby(["customer", "category"])
    spends = by_category[["spend", "spend_year"]].sum()
    spends["is_new"] = by_category["age"].min() < 365
    spends["mass"] = spends["spend"] * np.log(spends["spend"].where(spends["spend"] > 0))
    by_customer = spends.groupby("customer")
    sums = by_customer[["spend", "spend_year", "mass"]].sum()
    top = by_customer[["spend", "spend_year"]].max() / sums[["spend", "spend_year"]].where(sums > 0)
    total = _above_zero(sums["spend"])
    columns = pd.DataFrame(index=by_customer.size().index)
    columns["categories"] = by_customer.size()
    columns["categories_365d"] = by_customer["is_new"].sum()
    columns["category_entropy"] = (np.log(total) - sums["mass"] / total).clip(lower=0)
    columns["category_top_share"] = top["spend"]
    columns["category_top_change"] = top["spend_year"] - top["spend"]
    columns["categories_dropped"] = 1 - columns["categories_365d"] / columns["categories"]
    return columns


def _channels(bought: pd.DataFrame) -> pd.DataFrame:
    known = bought[bought["channel"] >= 0]
    per_channel = known.groupby(["customer", "channel"])["age"].agg(["size", "min"])
    per_channel["is_new"] = per_channel["min"] < 365
    by_customer = per_channel.groupby("customer")
    columns = pd.DataFrame(index=by_customer.size().index)
    columns["channels"] = by_customer.size()
    columns["channels_365d"] = by_customer["is_new"].sum()
    columns["channel_top_share"] = by_customer["size"].max() / by_customer["size"].sum()
    return columns


def _returns(features: pd.DataFrame, returned: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=features.index)
    rows = returned[["customer", "age"]].assign(returned=-returned["amount"])
    total = _sums(rows, ["returned"], features.index)["returned"] / MONEY_SCALE
    year = _sums(rows[rows["age"] < 365], ["returned"], features.index)["returned"] / MONEY_SCALE
    days = rows[["customer", "age"]].drop_duplicates().groupby("customer")["age"]
    columns["net_spend"] = features["spend"] - total
    columns["returned_365d"] = year
    columns["return_days"] = days.size().reindex(features.index, fill_value=0)
    columns["return_share"] = total / _above_zero(features["spend"])
    columns["return_share_365d"] = year / _above_zero(features["spend_365d"])
    columns["last_return_days"] = days.min()
    return columns


def _discounts(index: pd.Index, days: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=index)
    names = ["spend", "discount", "discounted_lines", "lines"]
    sums = _sums(days, names, index)
    year = _sums(days[days["age"] < 365], names, index)
    depth = sums["discount"] / _above_zero(sums["spend"] + sums["discount"])
    depth_year = year["discount"] / _above_zero(year["spend"] + year["discount"])
    columns["discount_depth"] = depth
    columns["discount_depth_365d"] = depth_year
    columns["discounted_share"] = sums["discounted_lines"] / sums["lines"]
    columns["discount_depth_change"] = depth_year - depth
    return columns


def _margin(index: pd.Index, days: pd.DataFrame, returned: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=index)
    for suffix, newest in {"": None, "_365d": 365}.items():
        bought = days if newest is None else days[days["age"] < newest]
        back = returned if newest is None else returned[returned["age"] < newest]
        sums = _sums(bought, ["spend", "cost"], index)
        back_sums = _sums(back, ["amount", "cost"], index)
        net = sums["spend"] + back_sums["amount"]
        margin = net - sums["cost"] + back_sums["cost"]
        columns[f"margin{suffix}"] = margin / MONEY_SCALE
        columns[f"margin_share{suffix}"] = margin / _above_zero(net)
    change = columns["margin_share_365d"] - columns["margin_share"]
    columns["margin_share_change"] = change
    return columns


def _calendar(rfm: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    columns = pd.DataFrame(index=rfm.index)
    count = rfm["purchase_days"]
    weekdays = days.groupby(["customer", "weekday"]).size().unstack(fill_value=0)  # noqa: PD010 - the plain way
    weekdays = weekdays.reindex(columns=range(7), fill_value=0)
    for number, name in enumerate(WEEKDAYS):
        columns[f"{name}_share"] = weekdays[number] / count
    columns["weekend_share"] = (weekdays[5] + weekdays[6]) / count
    columns["weekday_top_share"] = weekdays.max(axis="columns") / count
    months = days.groupby(["customer", "month"])["spend"].sum().unstack(fill_value=0)  # noqa: PD010 - the plain way
    months = months.reindex(columns=MONTHS, fill_value=0)
    total = months.sum(axis="columns")
    columns["peak_month"] = months.idxmax(axis="columns").where(total > 0)
    columns["peak_month_share"] = months.max(axis="columns") / _above_zero(total)
    could_be = days[days["age"] >= 275]
    is_ahead = could_be["age"] % 365 >= 275
    columns["season_ahead_share"] = is_ahead.groupby(could_be["customer"]).mean()
    return columns


def _scores(rfm: pd.DataFrame) -> pd.DataFrame:
    """The quintiles, where a value lies at the middle of its ties."""
    columns = pd.DataFrame(index=rfm.index)
    for score, name in SCORES.items():
        share = (rfm[name].rank(method="average") - 0.5) / len(rfm)
        above = sum((share > quintile).astype("int8") for quintile in QUINTILES)
        columns[score] = 5 - above if score == "rfm_r" else 1 + above
    return columns


if __name__ == "__main__":
    run(write)
