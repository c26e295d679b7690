"""The catalogue's columns at one as-of date in Polars, as someone who knows it would write them.

The walk is that of `features_sql`: lines of numbered customers, purchase days in order, customers.
The aggregates run on the streaming engine. Money is a whole number of 1/10,000 unit in a Float64.
The columns of the customer-base models (`p_alive`, ...) are left out.

Run it as `python -m benchmarks.features_polars SOURCE OUT AS_OF`; it tells what each step costs.
"""

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from polars import col, when

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

AGE, SPEND, GAP = col("age"), col("spend"), col("gap")
IS_LAST, IS_RECENT = col("is_last"), col("is_recent")
LINES, ORDERS, DAYS = col("lines"), col("orders"), col("purchase_days")
RECENCY, TENURE, SPEND_YEAR = col("recency_days"), col("tenure_days"), col("spend_365d")
MONETARY = SPEND / (DAYS * MONEY_SCALE)
MONTH_SPENDS = [f"month_{month}" for month in MONTHS]

Columns = dict[str, pl.Expr]


def write(source: Path, out: Path, *, as_of: date, say: Say) -> None:
    """Write the features of every customer with a purchase up to `as_of`."""
    today = (as_of - EPOCH).days
    end = datetime.combine(as_of + timedelta(1), datetime.min.time())
    lines = pl.scan_parquet(source).filter(col("timestamp") < end)
    with timed("customers", say):
        customers = _computed(lines.select("customer_id").unique().with_row_index("customer"))
    numbered = lines.join(customers.lazy(), on="customer_id").with_columns(
        age=(today - col("timestamp").dt.epoch("d")).cast(pl.Int16)
    )
    with timed("bought", say):
        bought = _computed(_bought(numbered))
    with timed("returns", say):
        returns = _computed(_returns(numbered))
    with timed("days", say):
        days = _with_neighbours(_computed(_days(bought.lazy()).sort("customer", "age")), today)
    with timed("totals", say):
        totals = _computed(_totals(days.lazy()))
    with timed("short", say):
        short = _computed(_short(days.lazy()))
    with timed("calendar", say):
        calendar = _computed(_calendar(days.lazy()))
    with timed("products", say):
        products = _computed(_products(bought.lazy(), days.lazy()))
    with timed("categories", say):
        categories = _computed(_categories(bought.lazy()))
    with timed("channels", say):
        channels = _computed(_channels(bought.lazy()))
    with timed("features", say):
        rows = totals.lazy().join(customers.lazy(), on="customer")
        for frame in (calendar, short, returns, products, categories, channels):
            rows = rows.join(frame.lazy(), on="customer", how="left")
        features = _features(rows, totals, today)
        kept = features.select("customer_id", pl.selectors.exclude("customer_id").cast(pl.Float32))
        kept.sink_parquet(out, compression="snappy")


def _computed(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.collect(engine="streaming")


def _money(name: str) -> pl.Expr:
    return (col(name).abs() * MONEY_SCALE).round()


def _within(days: int) -> pl.Expr:
    return col("age") < days


def _inside(value: pl.Expr, condition: pl.Expr) -> pl.Expr:
    return when(condition).then(value).otherwise(0).sum()


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return when(whole > 0).then(part / whole)


def _bought(lines: pl.LazyFrame) -> pl.LazyFrame:
    """The purchase lines; an order is told by the 64 bits of its id's hash."""
    return lines.filter(col("amount") >= 0).select(
        "customer",
        "age",
        "product_id",
        "category",
        "channel",
        order=col("order_id").hash(),
        day_part=col("timestamp").dt.hour() // 6,
        spend=_money("amount"),
        cost=_money("cost"),
        discount=_money("discount"),
        units=col("quantity").abs(),
    )


def _returns(lines: pl.LazyFrame) -> pl.LazyFrame:
    is_new = _within(365)
    return (
        lines.filter(col("amount") < 0)
        .group_by("customer", "age")
        .agg(returned=_money("amount").sum(), returned_cost=_money("cost").sum())
        .group_by("customer")
        .agg(
            returned=col("returned").sum(),
            returned_year=_inside(col("returned"), is_new),
            returned_cost=col("returned_cost").sum(),
            returned_cost_year=_inside(col("returned_cost"), is_new),
            return_days=pl.len(),
            last_return_days=AGE.min(),
        )
    )


def _days(bought: pl.LazyFrame) -> pl.LazyFrame:
    return bought.group_by("customer", "age").agg(
        col("spend", "cost", "discount", "units").sum(),
        *(
            (col("day_part") == number).sum().cast(pl.Int64).alias(name)
            for number, name in enumerate(DAY_PARTS)
        ),
        lines=pl.len().cast(pl.Int64),
        orders=col("order").n_unique().cast(pl.Int64),
        discounted_lines=(col("discount") > 0).sum().cast(pl.Int64),
    )


def _with_neighbours(days: pl.DataFrame, today: int) -> pl.DataFrame:
    """The days in order: a row's neighbours are the customer's next and previous purchase day."""
    customer, day = col("customer"), (today - AGE.cast(pl.Int32)).cast(pl.Date)
    return days.with_columns(
        is_last=customer.ne_missing(customer.shift(1)),
        is_recent=customer.ne_missing(customer.shift(3)),
        gap=when(customer == customer.shift(-1)).then(AGE.shift(-1) - AGE),
        weekday=day.dt.weekday() - 1,
        month=day.dt.month(),
    )


def _totals(days: pl.LazyFrame) -> pl.LazyFrame:
    age, gap, is_new = AGE.cast(pl.Float64), GAP.cast(pl.Int64), _within(365)
    is_before = ~is_new & _within(730)
    return days.group_by("customer").agg(
        col("orders", "lines", "spend", "units", "discount", "discounted_lines", "cost").sum(),
        col(*DAY_PARTS).sum(),
        recency_days=AGE.min(),
        tenure_days=AGE.max(),
        purchase_days=pl.len().cast(pl.Int64),
        largest=SPEND.max(),
        purchase_days_365d=is_new.sum(),
        orders_365d=_inside(col("orders"), is_new),
        spend_365d=_inside(SPEND, is_new),
        before_365d=_inside(SPEND, is_before),
        discount_365d=_inside(col("discount"), is_new),
        cost_365d=_inside(col("cost"), is_new),
        gaps=GAP.count().cast(pl.Int64),
        gap_sum=gap.sum(),
        gap_squares=(gap * gap).sum(),
        gap_median_days=GAP.median(),
        gap_longest_days=GAP.max(),
        gap_last_days=when(IS_LAST).then(GAP).max(),
        recent_gap=when(IS_RECENT).then(GAP).mean(),
        earlier_gap=when(~IS_RECENT).then(GAP).mean(),
        recent_days=IS_RECENT.sum().cast(pl.Int64),
        recent_spend=_inside(SPEND, IS_RECENT),
        recent_lines=_inside(col("lines"), IS_RECENT),
        recent_orders=_inside(col("orders"), IS_RECENT),
        recent_units=_inside(col("units"), IS_RECENT),
        last_spend=when(IS_LAST).then(SPEND).max(),
        t=age.sum(),
        tt=(age * age).sum(),
        ts=(age * SPEND).sum(),
    )


def _short(days: pl.LazyFrame) -> pl.LazyFrame:
    """The windows within the last year, which need not read the days before it."""
    slope = (15 - 6 * (AGE // 60)).cast(pl.Float64) * SPEND
    sums: dict[str, pl.Expr] = {"slope": slope.sum()}
    for window in SHORT:
        is_in = _within(window)
        sums |= {
            f"purchase_days_{window}d": is_in.sum(),
            f"orders_{window}d": _inside(col("orders"), is_in),
            f"spend_{window}d": _inside(SPEND, is_in),
            f"before_{window}d": _inside(SPEND, ~is_in & _within(2 * window)),
        }
    return days.filter(_within(360)).group_by("customer").agg(**sums)


def _calendar(days: pl.LazyFrame) -> pl.LazyFrame:
    weekdays = {name: (col("weekday") == n).sum() for n, name in enumerate(WEEKDAYS)}
    months = {f"month_{month}": _inside(SPEND, col("month") == month) for month in MONTHS}
    could_be_ahead = ~_within(275)
    return days.group_by("customer").agg(
        **weekdays,
        **months,
        days_ahead=(could_be_ahead & (AGE % 365 >= 275)).sum(),
        days_before=could_be_ahead.sum(),
    )


def _products(bought: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """Of what is bought for the first time, the new is that since the third last purchase day."""
    recent = days.filter(IS_RECENT).group_by("customer").agg(since=AGE.max())
    return (
        bought.filter(col("product_id").is_not_null())
        .group_by("customer", "product_id")
        .agg(AGE.max())
        .join(recent, on="customer")
        .group_by("customer")
        .agg(
            products=pl.len().cast(pl.Int64),
            new_products=AGE.le(col("since")).sum().cast(pl.Int64),
        )
    )


def _categories(bought: pl.LazyFrame) -> pl.LazyFrame:
    return (
        bought.filter(col("category").is_not_null())
        .group_by("customer", "category")
        .agg(spend=SPEND.sum(), spend_year=_inside(SPEND, _within(365)), age=AGE.min())
        .group_by("customer")
        .agg(
            categories=pl.len().cast(pl.Int64),
            categories_365d=(_within(365)).sum().cast(pl.Int64),
            categories_spend=SPEND.sum(),
            categories_spend_year=col("spend_year").sum(),
            top_spend=SPEND.max(),
            top_spend_year=col("spend_year").max(),
            mass=when(SPEND > 0).then(SPEND * SPEND.log()).sum(),
        )
    )


def _channels(bought: pl.LazyFrame) -> pl.LazyFrame:
    return (
        bought.filter(col("channel").is_not_null())
        .group_by("customer", "channel")
        .agg(lines=pl.len().cast(pl.Int64), age=AGE.min())
        .group_by("customer")
        .agg(
            channels=pl.len(),
            channels_365d=(_within(365)).sum(),
            channel_top_share=col("lines").max() / col("lines").sum(),
        )
    )


def _features(rows: pl.LazyFrame, totals: pl.DataFrame, today: int) -> pl.LazyFrame:
    """The columns of the catalogue, from a row per customer with all that was summed."""
    zero = [f"{of}_{n}d" for of in ("purchase_days", "orders", "spend", "before") for n in SHORT]
    zero += ["slope", "returned", "returned_year", "returned_cost", "returned_cost_year"]
    zero += ["return_days", "products", "new_products"]
    columns = {
        **_rfm(),
        **_windows(),
        **_rhythm(totals.select(col("gap_median_days").median()).item(), today),
        **_trend(),
        **_basket(),
        **_returned(),
        **_discounts(),
        **_margin(),
        **_when(),
        **_scores(),
    }
    kept = ("customer_id", "channels", "channels_365d", "channel_top_share")
    return rows.with_columns(col(*zero).fill_null(0)).select(*kept, **columns)


def _rfm() -> Columns:
    repeat_days = DAYS - 1
    return {
        "recency_days": RECENCY,
        "tenure_days": TENURE,
        "purchase_days": DAYS,
        "orders": ORDERS,
        "spend": SPEND / MONEY_SCALE,
        "net_spend": (SPEND - col("returned")) / MONEY_SCALE,
        "largest_purchase_day": col("largest") / MONEY_SCALE,
        "repeat_days": repeat_days,
        "monetary": MONETARY,
        "ticket": SPEND / (ORDERS * MONEY_SCALE),
        "purchase_span_days": TENURE.cast(pl.Int32) - RECENCY,
        "rate_per_year": repeat_days * 365 / (TENURE + 30),
    }


def _windows() -> Columns:
    columns: Columns = {}
    for days in (*SHORT, 365):
        spend, before = col(f"spend_{days}d"), col(f"before_{days}d")
        columns |= {
            f"purchase_days_{days}d": col(f"purchase_days_{days}d"),
            f"orders_{days}d": col(f"orders_{days}d"),
            f"spend_{days}d": spend / MONEY_SCALE,
            "spend_trend" if days == 365 else f"spend_change_{days}d": _share(spend, before) - 1,
        }
    return {
        **columns,
        "spend_365_to_730d": col("before_365d") / MONEY_SCALE,
        "recent_order_share": _share(col("orders_90d"), col("orders_365d")),
    }


def _rhythm(gap_days: float, today: int) -> Columns:
    gaps, total, longest = col("gaps"), col("gap_sum"), col("gap_longest_days")
    mean = _share(total, gaps)
    variance = (col("gap_squares") - total * total / gaps) / (gaps - 1)
    std = when(gaps > 1).then(variance.sqrt())
    median = col("gap_median_days")
    all_days = (DAYS - 1) * median.fill_null(0) + gap_days
    typical = all_days / DAYS
    overdue = RECENCY * DAYS / all_days
    return {
        "gap_mean_days": mean,
        "gap_median_days": median,
        "gap_std_days": std,
        "gap_longest_days": longest,
        "gap_last_days": col("gap_last_days"),
        "gap_change": col("recent_gap") / col("earlier_gap") - 1,
        "gap_irregularity": std / mean,
        "recency_to_longest_gap": RECENCY / longest,
        "typical_gap_days": typical,
        "overdue_ratio": overdue,
        "missed_cycles": when(DAYS > 2).then((overdue - 1).floor().clip(lower_bound=0)),
        "expected_next_order_day": (today - RECENCY.cast(pl.Int32) + typical + 0.5).floor(),
    }


def _trend() -> Columns:
    recent = col("recent_spend") / col("recent_days")
    earlier = _share(SPEND - col("recent_spend"), DAYS - col("recent_days"))
    t, tt, ts = col("t"), col("tt"), col("ts")
    slope = (t * SPEND - DAYS * ts) / (DAYS * tt - t * t)
    return {
        "recent_ticket": recent / MONEY_SCALE,
        "last_ticket": col("last_spend") / MONEY_SCALE,
        "ticket_trend": _share(recent, earlier) - 1,
        "ticket_slope": when(DAYS > 2).then(slope) * 365 / MONEY_SCALE,
        "spend_slope": col("slope") / (105 * MONEY_SCALE),
    }


def _basket() -> Columns:
    recent_orders, recent_lines = col("recent_orders"), col("recent_lines")
    earlier_orders = ORDERS - recent_orders
    earlier_lines = _share(LINES - recent_lines, earlier_orders)
    earlier_units = _share(col("units") - col("recent_units"), earlier_orders)
    spend, mass = col("categories_spend"), col("mass")
    top_share = _share(col("top_spend"), spend)
    entropy = (spend.log() - mass / spend).clip(lower_bound=0)
    return {
        "lines_per_order": LINES / ORDERS,
        "lines_change": _share(recent_lines / recent_orders, earlier_lines) - 1,
        "units_per_order": col("units") / ORDERS,
        "units_change": _share(col("recent_units") / recent_orders, earlier_units) - 1,
        "products": col("products"),
        "product_repeat_share": 1 - col("products") / LINES,
        "new_product_share": col("new_products") / recent_lines,
        "categories": col("categories"),
        "categories_365d": col("categories_365d"),
        "category_entropy": when(spend > 0).then(entropy),
        "category_top_share": top_share,
        "category_top_change": _share(col("top_spend_year"), col("categories_spend_year"))
        - top_share,
        "categories_dropped": 1 - col("categories_365d") / col("categories"),
    }


def _returned() -> Columns:
    return {
        "returned_365d": col("returned_year") / MONEY_SCALE,
        "return_days": col("return_days"),
        "return_share": _share(col("returned"), SPEND),
        "return_share_365d": _share(col("returned_year"), SPEND_YEAR),
        "last_return_days": col("last_return_days"),
    }


def _discounts() -> Columns:
    discount, discount_year = col("discount"), col("discount_365d")
    depth = _share(discount, SPEND + discount)
    depth_year = _share(discount_year, SPEND_YEAR + discount_year)
    return {
        "discount_depth": depth,
        "discount_depth_365d": depth_year,
        "discounted_share": col("discounted_lines") / LINES,
        "discount_depth_change": depth_year - depth,
    }


def _margin() -> Columns:
    net, net_year = SPEND - col("returned"), SPEND_YEAR - col("returned_year")
    margin = net - col("cost") + col("returned_cost")
    margin_year = net_year - col("cost_365d") + col("returned_cost_year")
    part, part_year = _share(margin, net), _share(margin_year, net_year)
    return {
        "margin": margin / MONEY_SCALE,
        "margin_365d": margin_year / MONEY_SCALE,
        "margin_share": part,
        "margin_share_365d": part_year,
        "margin_share_change": part_year - part,
    }


def _when() -> Columns:
    most = pl.max_horizontal(MONTH_SPENDS)
    first = pl.coalesce(when(col(f"month_{n}") == most).then(n) for n in MONTHS)
    return {
        **{f"{name}_share": col(name) / DAYS for name in WEEKDAYS},
        "weekend_share": (col("saturday") + col("sunday")) / DAYS,
        "weekday_top_share": pl.max_horizontal(WEEKDAYS) / DAYS,
        **{f"{name}_share": col(name) / LINES for name in DAY_PARTS},
        "peak_month": when(SPEND > 0).then(first),
        "peak_month_share": _share(most, SPEND),
        "season_ahead_share": _share(col("days_ahead"), col("days_before")),
    }


def _scores() -> Columns:
    """The quintiles, where a value lies at the middle of its ties."""
    columns: Columns = {}
    for score, name in SCORES.items():
        value = MONETARY if name == "monetary" else col(name)
        share = (value.rank("average") - 0.5) / pl.len()
        above = pl.sum_horizontal((share > quintile).cast(pl.Int8) for quintile in QUINTILES)
        columns[score] = 5 - above if score == "rfm_r" else 1 + above
    return columns


if __name__ == "__main__":
    run(write)
