"""The catalogue's columns at one as-of date, by hand in DuckDB: what the package is measured by.

The steps are one another's input, each a temporary table: lines of numbered customers, purchase
days in order, customers. Money is a whole number of 1/10,000 unit in a DOUBLE, which adds exactly.
Nothing is validated, and the columns of the customer-base models (`p_alive`, ...) are left out.

Run it as `python -m benchmarks.features_sql SOURCE OUT AS_OF`; it tells what each step costs.
"""

from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.command import (
    EPOCH,
    MONTHS,
    QUINTILES,
    SCORES,
    SHORT,
    WEEKDAYS,
    Say,
    run,
    timed,
)

CUSTOMERS = """
CREATE TEMP TABLE customers AS
SELECT customer_id, CAST(row_number() OVER () AS INTEGER) AS customer
FROM (SELECT DISTINCT customer_id FROM lines)
"""

# An order is told by the 64 bits of its id's hash: they are only compared within a day.
BOUGHT = """
CREATE TEMP TABLE bought AS
SELECT
    customer,
    CAST($as_of - epoch_us(timestamp) // 86_400_000_000 AS SMALLINT) AS age,
    CAST(date_part('hour', timestamp) // 6 AS TINYINT) AS day_part,
    round(amount * 10_000) AS amount,
    round(abs(cost) * 10_000) AS cost,
    round(discount * 10_000) AS discount,
    quantity,
    hash(order_id) AS order_hash,
    product_id,
    category,
    channel
FROM lines JOIN customers USING (customer_id)
WHERE amount >= 0
"""

RETURNS = """
CREATE TEMP TABLE returns AS
WITH returned AS (
    SELECT
        customer,
        CAST($as_of - epoch_us(timestamp) // 86_400_000_000 AS SMALLINT) AS age,
        sum(round(-amount * 10_000)) AS returned,
        sum(round(abs(cost) * 10_000)) AS cost
    FROM lines JOIN customers USING (customer_id)
    WHERE amount < 0
    GROUP BY ALL
)
SELECT
    customer,
    sum(returned) AS returned,
    sum(returned) FILTER (age < 365) AS returned_365d,
    sum(cost) AS cost,
    sum(cost) FILTER (age < 365) AS cost_365d,
    count(*) AS return_days,
    min(age) AS last_return_days
FROM returned
GROUP BY customer
"""

DAYS = """
CREATE TEMP TABLE unordered_days AS
SELECT
    customer,
    age,
    count(*) AS lines,
    sum(amount) AS spend,
    sum(abs(quantity)) AS units,
    sum(CASE WHEN discount > 0 THEN discount ELSE 0 END) AS discount,
    count(*) FILTER (discount > 0) AS discounted_lines,
    coalesce(sum(cost), 0) AS cost,
    count(*) FILTER (day_part = 0) AS night,
    count(*) FILTER (day_part = 1) AS morning,
    count(*) FILTER (day_part = 2) AS afternoon,
    min(order_hash) AS first_order,
    max(order_hash) AS last_order
FROM bought
GROUP BY customer, age
"""

# Most days have one order; only the others are counted.
ORDERS = """
CREATE TEMP TABLE orders AS
WITH several AS (SELECT customer, age FROM unordered_days WHERE first_order <> last_order)
SELECT customer, age, count(DISTINCT order_hash) AS orders
FROM bought SEMI JOIN several USING (customer, age)
GROUP BY customer, age
"""

SORTED = """
CREATE TEMP TABLE sorted_days AS
SELECT
    unordered_days.* EXCLUDE (first_order, last_order),
    CAST(coalesce(orders, 1) AS INTEGER) AS orders
FROM unordered_days LEFT JOIN orders USING (customer, age)
ORDER BY customer, age;
DROP TABLE unordered_days
"""

# The days lie in order: a row's neighbours are the customer's next and previous purchase day.
NEIGHBOURS = """
CREATE TEMP TABLE days AS
SELECT
    *,
    customer IS DISTINCT FROM lag(customer, 1) OVER () AS is_last,
    customer IS DISTINCT FROM lag(customer, 3) OVER () AS is_recent,
    CASE WHEN customer = lead(customer) OVER () THEN lead(age) OVER () - age END AS gap,
    ($as_of - age + 3) % 7 AS weekday,
    month(DATE '1970-01-01' + CAST($as_of - age AS INTEGER)) AS month
FROM sorted_days;
DROP TABLE sorted_days
"""

# Of what is bought for the first time, the new is that since the third last purchase day.
PRODUCTS = """
CREATE TEMP TABLE products AS
WITH recent AS (SELECT customer, max(age) AS since FROM days WHERE is_recent GROUP BY customer),
firsts AS (
    SELECT customer, max(age) AS age
    FROM bought
    WHERE product_id IS NOT NULL
    GROUP BY customer, product_id
)
SELECT customer, count(*) AS products, count(*) FILTER (age <= since) AS new_products
FROM firsts JOIN recent USING (customer)
GROUP BY customer
"""

CATEGORIES = """
CREATE TEMP TABLE categories AS
WITH per_category AS (
    SELECT
        customer,
        sum(amount) AS spend,
        sum(amount) FILTER (age < 365) AS spend_365d,
        min(age) AS age
    FROM bought
    WHERE category IS NOT NULL
    GROUP BY customer, category
)
SELECT
    customer,
    count(*) AS categories,
    count(*) FILTER (age < 365) AS categories_365d,
    sum(spend) AS spend,
    sum(spend_365d) AS spend_365d,
    max(spend) AS top_spend,
    max(spend_365d) AS top_spend_365d,
    sum(spend * ln(spend)) FILTER (spend > 0) AS mass
FROM per_category
GROUP BY customer
"""

CHANNELS = """
CREATE TEMP TABLE channels AS
WITH per_channel AS (
    SELECT customer, count(*) AS lines, min(age) AS age
    FROM bought
    WHERE channel IS NOT NULL
    GROUP BY customer, channel
)
SELECT
    customer,
    count(*) AS channels,
    count(*) FILTER (age < 365) AS channels_365d,
    max(lines) / sum(lines) AS channel_top_share
FROM per_channel
GROUP BY customer;
DROP TABLE bought
"""


# The short windows read but the last year's days, which is cheaper than to let all days in.
WINDOW_SUMS = ", ".join(
    f"count(*) FILTER (age < {w}) AS purchase_days_{w}d, "
    f"sum(CASE WHEN age < {w} THEN orders ELSE 0 END) AS orders_{w}d, "
    f"sum(CASE WHEN age < {w} THEN spend ELSE 0 END) AS spend_{w}d, "
    f"sum(CASE WHEN age >= {w} AND age < {2 * w} THEN spend ELSE 0 END) AS before_{w}d"
    for w in SHORT
)

SHORT_SUMS = f"""
CREATE TEMP TABLE short AS
SELECT customer, {WINDOW_SUMS}, sum((15 - 6 * (age // 60)) * spend) AS spend_slope
FROM days
WHERE age < 360
GROUP BY customer
"""

# Two narrow aggregates cost less than a wide one, whose states do not fit the processor's cache.
CALENDAR = f"""
CREATE TEMP TABLE calendar AS
WITH sums AS (
    SELECT
        customer,
        count(*) AS days,
        sum(spend) AS spend,
        {", ".join(f"count(*) FILTER (weekday = {n}) AS {day}" for n, day in enumerate(WEEKDAYS))},
        {", ".join(f"sum(CASE WHEN month = {m} THEN spend ELSE 0 END) AS m{m}" for m in MONTHS)},
        count(*) FILTER (age >= 275 AND age % 365 >= 275) AS days_ahead,
        count(*) FILTER (age >= 275) AS days_before
    FROM days
    GROUP BY customer
)
SELECT
    customer,
    {", ".join(f"{day} / days AS {day}_share" for day in WEEKDAYS)},
    (saturday + sunday) / days AS weekend_share,
    greatest({", ".join(WEEKDAYS)}) / days AS weekday_top_share,
    greatest({", ".join(f"m{m}" for m in MONTHS)}) AS most,
    CASE WHEN spend > 0 THEN list_position([{", ".join(f"m{m}" for m in MONTHS)}], most) END
        AS peak_month,
    most / nullif(spend, 0) AS peak_month_share,
    days_ahead / nullif(days_before, 0) AS season_ahead_share
FROM sums
"""

TOTALS = """
CREATE TEMP TABLE totals AS
SELECT
    customer,
    min(age) AS recency_days,
    max(age) AS tenure_days,
    count(*) AS purchase_days,
    sum(orders) AS orders,
    sum(lines) AS lines,
    sum(spend) AS spend,
    max(spend) AS largest,
    count(*) FILTER (age < 365) AS purchase_days_365d,
    sum(CASE WHEN age < 365 THEN orders ELSE 0 END) AS orders_365d,
    sum(CASE WHEN age < 365 THEN spend ELSE 0 END) AS spend_365d,
    sum(CASE WHEN age >= 365 AND age < 730 THEN spend ELSE 0 END) AS before_365d,
    count(gap) AS gaps,
    sum(gap) AS gap_sum,
    sum(CAST(gap AS INTEGER) * gap) AS gap_squares,
    median(gap) AS gap_median_days,
    max(gap) AS gap_longest_days,
    max(gap) FILTER (is_last) AS gap_last_days,
    avg(gap) FILTER (is_recent) AS recent_gap,
    avg(gap) FILTER (NOT is_recent) AS earlier_gap,
    sum(spend) FILTER (is_recent) AS recent_spend,
    max(spend) FILTER (is_last) AS last_spend,
    count(*) FILTER (is_recent) AS recent_days,
    sum(CAST(age AS DOUBLE)) AS t,
    sum(CAST(age AS DOUBLE) * age) AS tt,
    sum(age * spend) AS ts,
    sum(lines) FILTER (is_recent) AS recent_lines,
    sum(orders) FILTER (is_recent) AS recent_orders,
    sum(units) AS units,
    sum(units) FILTER (is_recent) AS recent_units,
    sum(discount) AS discount,
    sum(CASE WHEN age < 365 THEN discount ELSE 0 END) AS discount_365d,
    sum(discounted_lines) AS discounted_lines,
    sum(cost) AS cost,
    sum(CASE WHEN age < 365 THEN cost ELSE 0 END) AS cost_365d,
    sum(night) AS night,
    sum(morning) AS morning,
    sum(afternoon) AS afternoon
FROM days
GROUP BY customer
"""

EDGES = """
CREATE TEMP TABLE edges_{score} AS
WITH counts AS (
    SELECT {value} AS value, count(*) AS ties FROM totals GROUP BY ALL
), shares AS (
    SELECT value, (sum(ties) OVER (ORDER BY value) - ties / 2) / sum(ties) OVER () AS share
    FROM counts
)
SELECT {edges} FROM shares
"""


def _edges(score: str) -> str:
    """The values that part the quintiles, where a value lies at the middle of its ties."""
    value = "spend / (purchase_days * 10_000)" if score == "rfm_m" else SCORES[score]
    edges = (
        f"coalesce(max(value) FILTER (share <= {quintile}), -1) AS edge_{n}"
        for n, quintile in enumerate(QUINTILES, start=1)
    )
    return EDGES.format(score=score, value=value, edges=", ".join(edges))


def _score(score: str) -> str:
    steps = " + ".join(f"({SCORES[score]} > {score}.edge_{n})::INTEGER" for n in range(1, 5))
    return f"5 - ({steps}) AS {score}" if score == "rfm_r" else f"1 + {steps} AS {score}"


SCORE_COLUMNS = ", ".join(map(_score, SCORES))

SHORT_COLUMNS = ", ".join(
    f"coalesce(purchase_days_{w}d, 0) AS purchase_days_{w}d, "
    f"coalesce(orders_{w}d, 0) AS orders_{w}d, "
    f"coalesce(short.spend_{w}d, 0) / 10_000 AS spend_{w}d, "
    f"short.spend_{w}d / nullif(before_{w}d, 0) - 1 AS spend_change_{w}d"
    for w in SHORT
)

# An alias may be used after it is made, unless a table has a column of its name.
FEATURES = f"""
COPY (
    WITH portfolio AS (SELECT median(gap_median_days) AS gap_days FROM totals),
    margins AS (
        SELECT
            totals.customer,
            coalesce(returned, 0) AS returned_all,
            coalesce(returned_365d, 0) AS returned_year,
            spend - totals.cost - returned_all + coalesce(returns.cost, 0) AS margin_all,
            spend_365d - totals.cost_365d - returned_year + coalesce(returns.cost_365d, 0)
                AS margin_year
        FROM totals LEFT JOIN returns USING (customer)
    ),
    features AS (
        SELECT
            customer_id,
            recency_days,
            tenure_days,
            purchase_days,
            orders,
            totals.spend / 10_000 AS spend,
            (totals.spend - returned_all) / 10_000 AS net_spend,
            largest / 10_000 AS largest_purchase_day,
            purchase_days - 1 AS repeat_days,
            totals.spend / (purchase_days * 10_000) AS monetary,
            totals.spend / (orders * 10_000) AS ticket,
            tenure_days - recency_days AS purchase_span_days,
            repeat_days * 365 / (tenure_days + 30) AS rate_per_year,
            {SHORT_COLUMNS},
            purchase_days_365d,
            orders_365d,
            totals.spend_365d / 10_000 AS spend_365d,
            before_365d / 10_000 AS spend_365_to_730d,
            coalesce(short.orders_90d, 0) / nullif(orders_365d, 0) AS recent_order_share,
            gap_sum / gaps AS gap_mean_days,
            gap_median_days,
            CASE WHEN gaps > 1 THEN sqrt((gap_squares - gap_sum * gap_sum / gaps) / (gaps - 1)) END
                AS gap_std_days,
            gap_longest_days,
            gap_last_days,
            recent_gap / earlier_gap - 1 AS gap_change,
            gap_std_days / gap_mean_days AS gap_irregularity,
            recency_days / gap_longest_days AS recency_to_longest_gap,
            repeat_days * coalesce(gap_median_days, 0) + gap_days AS all_gap_days,
            all_gap_days / purchase_days AS typical_gap_days,
            recency_days * purchase_days / all_gap_days AS overdue_ratio,
            CASE WHEN purchase_days > 2 THEN greatest(floor(overdue_ratio - 1), 0) END
                AS missed_cycles,
            round($as_of - recency_days + typical_gap_days) AS expected_next_order_day,
            recent_spend / (recent_days * 10_000) AS recent_ticket,
            last_spend / 10_000 AS last_ticket,
            recent_spend / recent_days * (purchase_days - recent_days)
                / nullif(totals.spend - recent_spend, 0) - 1 AS ticket_trend,
            CASE WHEN purchase_days > 2
                THEN (t * totals.spend - purchase_days * ts) / (purchase_days * tt - t * t) END
                * 365 / 10_000 AS ticket_slope,
            coalesce(spend_slope, 0) / (105 * 10_000) AS spend_slope,
            totals.spend_365d / nullif(before_365d, 0) - 1 AS spend_trend,
            lines / orders AS lines_per_order,
            recent_lines / recent_orders * (orders - recent_orders)
                / nullif(lines - recent_lines, 0) - 1 AS lines_change,
            units / orders AS units_per_order,
            recent_units / recent_orders * (orders - recent_orders)
                / nullif(units - recent_units, 0) - 1 AS units_change,
            coalesce(products.products, 0) AS products,
            1 - coalesce(products.products, 0) / lines AS product_repeat_share,
            coalesce(new_products, 0) / recent_lines AS new_product_share,
            categories,
            categories_365d,
            CASE WHEN categories.spend > 0
                THEN greatest(ln(categories.spend) - mass / categories.spend, 0) END
                AS category_entropy,
            top_spend / nullif(categories.spend, 0) AS category_top_share,
            top_spend_365d / nullif(categories.spend_365d, 0) - category_top_share
                AS category_top_change,
            1 - categories_365d / categories AS categories_dropped,
            returned_year / 10_000 AS returned_365d,
            coalesce(returns.return_days, 0) AS return_days,
            returned_all / nullif(totals.spend, 0) AS return_share,
            returned_year / nullif(totals.spend_365d, 0) AS return_share_365d,
            last_return_days,
            discount / nullif(totals.spend + discount, 0) AS discount_depth,
            discount_365d / nullif(totals.spend_365d + discount_365d, 0) AS discount_depth_365d,
            discounted_lines / lines AS discounted_share,
            discount_depth_365d - discount_depth AS discount_depth_change,
            margin_all / 10_000 AS margin,
            margin_year / 10_000 AS margin_365d,
            CASE WHEN totals.spend > returned_all
                THEN margin_all / (totals.spend - returned_all) END AS margin_share,
            CASE WHEN totals.spend_365d > returned_year
                THEN margin_year / (totals.spend_365d - returned_year) END AS margin_share_365d,
            margin_share_365d - margin_share AS margin_share_change,
            calendar.* EXCLUDE (customer, most),
            night / lines AS night_share,
            morning / lines AS morning_share,
            afternoon / lines AS afternoon_share,
            (lines - night - morning - afternoon) / lines AS evening_share,
            channels,
            channels_365d,
            channel_top_share,
            {SCORE_COLUMNS}
        FROM totals
        JOIN customers USING (customer)
        JOIN margins USING (customer)
        JOIN calendar USING (customer)
        LEFT JOIN short USING (customer)
        LEFT JOIN returns USING (customer)
        LEFT JOIN products USING (customer)
        LEFT JOIN categories USING (customer)
        LEFT JOIN channels USING (customer)
        CROSS JOIN portfolio
        {" ".join(f"CROSS JOIN edges_{score} AS {score}" for score in SCORES)}
    )
    SELECT customer_id, CAST(COLUMNS(* EXCLUDE (customer_id, all_gap_days)) AS FLOAT) FROM features
) TO '$out' (FORMAT parquet)
"""

STEPS = {
    "customers": CUSTOMERS,
    "bought": BOUGHT,
    "returns": RETURNS,
    "days": DAYS,
    "orders": ORDERS,
    "sorted": SORTED,
    "neighbours": NEIGHBOURS,
    "products": PRODUCTS,
    "categories": CATEGORIES,
    "channels": CHANNELS,
    "totals": TOTALS,
    "short": SHORT_SUMS,
    "calendar": CALENDAR,
    "edges": "; ".join(map(_edges, SCORES)),
    "features": FEATURES,
}


def write(source: Path, out: Path, *, as_of: date, say: Say) -> None:
    """Write the features of every customer with a purchase up to `as_of`."""
    end, today = as_of + timedelta(1), (as_of - EPOCH).days
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        lines = connection.sql(f"SELECT * FROM read_parquet('{source}') WHERE timestamp < '{end}'")
        lines.create_view("lines")
        for name, step in STEPS.items():
            with timed(name, say):
                connection.execute(step.replace("$as_of", str(today)).replace("$out", str(out)))


if __name__ == "__main__":
    run(write)
