"""Reasons in when and how often a customer buys."""

from portfolio_ml.models.reasons.reason import Figures, Floats, Mask, Reason, Telling

# Away for so many times the usual gap; bought on so much fewer days than before.
LATE = 1.5
LESS_OFTEN = 0.67

NEW_DAYS = 90
YEAR_DAYS = 365


def _fewer(window: str, both: str) -> Telling:
    """Fewer purchase days in a window than in the one before it, but not none."""
    now, whole = f"purchase_days_{window}d", f"purchase_days_{both}d"

    def holds(f: Figures) -> Mask:
        before = f[whole] - f[now]
        return (f[now] >= 1) & (before >= 2) & (f[now] <= LESS_OFTEN * before)

    return Telling(
        f"bought on fewer days in the last {window} days than in the days before, up to {both}",
        holds,
        f"{{{now}:purchase day}} in the last {window} days, "
        f"of {{{whole}:number}} in the last {both}",
    )


def _at_time(part: str, words: str) -> Telling:
    return Telling(
        f"at least four purchase days, 60 % of purchases {words}",
        lambda f: (f["purchase_days"] >= 4) & (f[part] >= 0.6),
        f"{{{part}:share}} of purchases {words}",
    )


def _portfolio_gap(f: Figures) -> Floats:
    """The portfolio's gap, which the typical gap holds as one gap among the customer's own."""
    repeats = f["purchase_days"] - 1
    gap: Floats = f["typical_gap_days"] * (repeats + 1) - f["gap_median_days"] * repeats
    return gap


PURCHASES: tuple[Reason, ...] = (
    Reason(
        code="OVERDUE",
        features=(
            "recency_days",
            "rfm_r",
            "expected_next_order_day",
            "overdue_ratio",
            "missed_cycles",
            "recency_to_longest_gap",
            "p_alive(?:_bg_nbd)?",
        ),
        tellings=(
            Telling(
                "at least three purchase days whose gaps vary less than chance, and away for 1.5 "
                "times the usual gap",
                lambda f: (
                    (f["gap_irregularity"] <= 1)
                    & (f["recency_days"] >= LATE * f["gap_median_days"])
                    & (f["overdue_ratio"] > 1)
                ),
                "no purchase for {recency_days:day}, usually every {gap_median_days:day}",
            ),
            Telling(
                "at least three purchase days, and never away for so long",
                lambda f: (f["purchase_days"] >= 3) & (f["recency_to_longest_gap"] > 1),
                "no purchase for {recency_days:day}, longer than ever before "
                "({gap_longest_days:day})",
            ),
        ),
        otherwise=("LONG_SILENCE", "NEW_CUSTOMER", "FEW_PURCHASES", "LONG_CYCLE"),
    ),
    Reason(
        code="LONG_SILENCE",
        tellings=(
            Telling(
                "away for 1.5 times the typical gap: the customer's own, shrunk to the portfolio's",
                lambda f: f["overdue_ratio"] >= LATE,
                "no purchase for {recency_days:day}",
            ),
        ),
    ),
    Reason(
        code="BUYING_LESS_OFTEN",
        features=(
            r"purchase_days_\d+d",
            r"orders_\d+d",
            "recent_order_share",
            "gap_change",
            "gap_last_days",
        ),
        tellings=(
            _fewer("90", "180"),
            _fewer("180", "365"),
            _fewer("30", "60"),
            Telling(
                "the last three gaps are longer than the earlier ones by a quarter",
                lambda f: f["gap_change"] >= 0.25,
                "the last gaps between purchases were {gap_change:times} as long as those before",
            ),
        ),
        otherwise=("OVERDUE", "LONG_SILENCE", "NEW_CUSTOMER", "FEW_PURCHASES", "LONG_CYCLE"),
    ),
    Reason(
        code="FEW_PURCHASES",
        features=(
            "purchase_days",
            "orders",
            "repeat_days",
            "rate_per_year",
            "rfm_f",
            "p_no_purchase",
            "expected_purchase_days(?:_bg_nbd)?",
            "expected_spend",
        ),
        tellings=(
            Telling("one purchase day", lambda f: f["purchase_days"] == 1, "bought only once"),
            Telling(
                f"two or three purchase days since {NEW_DAYS} days or more",
                lambda f: (f["tenure_days"] >= NEW_DAYS) & (f["purchase_days"] <= 3),
                "only {purchase_days:purchase day} in {tenure_days:day}",
            ),
            Telling(
                f"known for {NEW_DAYS} days, and among the 40 % with the fewest purchase days",
                lambda f: (f["tenure_days"] >= NEW_DAYS) & (f["rfm_f"] <= 2),
                "{purchase_days:purchase day} in {tenure_days:day}, fewer than most",
            ),
        ),
        otherwise=("NEW_CUSTOMER", "LONG_CYCLE", "OVERDUE", "LONG_SILENCE"),
    ),
    Reason(
        code="NEW_CUSTOMER",
        features=("tenure_days", "purchase_span_days", "signup_days"),
        tellings=(
            Telling(
                f"first purchase less than {NEW_DAYS} days ago",
                lambda f: f["tenure_days"] < NEW_DAYS,
                "new: the first purchase was {tenure_days:day} ago",
            ),
        ),
        otherwise=("FEW_PURCHASES", "LONG_CYCLE"),
    ),
    Reason(
        code="LONG_CYCLE",
        features=("gap_mean_days", "gap_median_days", "gap_longest_days", "typical_gap_days"),
        tellings=(
            Telling(
                "at least three purchase days, with a median gap 25 % above the portfolio's",
                lambda f: (
                    (f["purchase_days"] >= 3) & (f["gap_median_days"] >= 1.25 * _portfolio_gap(f))
                ),
                "buys only every {gap_median_days:day}",
            ),
        ),
        otherwise=("FEW_PURCHASES",),
    ),
    Reason(
        code="IRREGULAR_RHYTHM",
        features=("gap_std_days", "gap_irregularity"),
        tellings=(
            Telling(
                "gaps that vary more than chance",
                lambda f: f["gap_irregularity"] > 1,
                "buys at irregular times: on average every {gap_mean_days:day}, "
                "but also {gap_longest_days:day} apart",
            ),
        ),
        otherwise=("LONG_CYCLE", "FEW_PURCHASES"),
    ),
    Reason(
        code="SEASON",
        features=("season_ahead_share", "peak_month(?:_share)?"),
        tellings=(
            Telling(
                "at least three purchase days over a year ago; less than 15 % of those 275 days "
                "ago or more lie in the season ahead",
                lambda f: (
                    (f["purchase_days"] - f["purchase_days_365d"] >= 3)
                    & (f["season_ahead_share"] < 0.15)
                ),
                "buys little in the season ahead: {season_ahead_share:share} of earlier "
                "purchase days",
            ),
            Telling(
                "at least four purchase days in over a year; half of spend in one month of the "
                "year",
                lambda f: (
                    (f["purchase_days"] >= 4)
                    & (f["tenure_days"] > YEAR_DAYS)
                    & (f["peak_month_share"] >= 0.5)
                ),
                "{peak_month_share:share} of spend falls in one month of the year",
            ),
        ),
    ),
    Reason(
        code="SHOPPING_TIMES",
        features=(
            "(?:mon|tues|wednes|thurs|fri|satur|sun)day_share",
            "weekend_share",
            "weekday_top_share",
            "(?:night|morning|afternoon|evening)_share",
        ),
        tellings=(
            _at_time("weekday_top_share", "on the same day of the week"),
            _at_time("weekend_share", "on a weekend"),
            _at_time("night_share", "at night"),
            _at_time("morning_share", "in the morning"),
            _at_time("afternoon_share", "in the afternoon"),
            _at_time("evening_share", "in the evening"),
        ),
    ),
)
