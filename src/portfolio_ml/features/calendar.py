"""On which days of the week, at which hours and in which season a customer buys."""

from collections.abc import Sequence

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, share
from portfolio_ml.features.windows import inside
from portfolio_ml.timeline import in_window

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_PARTS = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
SEASON_DAYS = 90
YEAR_DAYS = 365

_AGE = nw.col("age_days")
_BOUGHT = nw.col("is_purchase").cast(nw.Float64)
_LINES = nw.col("lines")
_SPEND = nw.col("spend")


def _on(value: nw.Expr, condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(value).otherwise(0).sum()


def _weekday(number: int, name: str) -> Feature:
    return Feature(
        name=f"{name}_share",
        family="calendar",
        unit="share",
        formula=f"purchase days on a {name.capitalize()} / purchase days",
        value=share(_on(_BOUGHT, nw.col("weekday") == number), _BOUGHT.sum()),
        is_model_input=False,
    )


def _day_part(name: str, hours: tuple[int, int]) -> Feature:
    return Feature(
        name=f"{name}_share",
        family="calendar",
        unit="share",
        formula=f"purchase lines from {hours[0]}:00 to before {hours[1]}:00 / purchase lines",
        value=share(nw.col(name).sum(), _LINES.sum()),
        needs=frozenset({"minute"}),
    )


def _of_month(month: int) -> nw.Expr:
    return _on(_SPEND, nw.col("month") == month)


_MONTHS = range(1, 13)


def _most_of(months: Sequence[int]) -> nw.Expr:
    first, *others = map(_of_month, months)
    return nw.max_horizontal(first, *others) if others else first


def _peak_of(months: Sequence[int]) -> nw.Expr:
    """The one of the months with the most spend; the first one where several tie."""
    if len(months) == 1:
        return nw.lit(months[0])
    earlier, later = months[: len(months) // 2], months[len(months) // 2 :]
    return (
        nw.when(_most_of(earlier) >= _most_of(later))
        .then(_peak_of(earlier))
        .otherwise(_peak_of(later))
    )


# The days of earlier years whose date lies in the 90 days after the as-of day. Ages wrap at 365.
_YEARS = 10
_IS_AHEAD = in_window(_AGE, YEAR_DAYS * _YEARS) & (_AGE % YEAR_DAYS >= YEAR_DAYS - SEASON_DAYS)

CALENDAR = (
    *(_weekday(number, name) for number, name in enumerate(WEEKDAYS)),
    Feature(
        name="weekend_share",
        family="calendar",
        unit="share",
        formula="purchase days on a Saturday or Sunday / purchase days",
        stage=Stage.CUSTOMER,
        value=nw.col("saturday_share") + nw.col("sunday_share"),
    ),
    Feature(
        name="weekday_top_share",
        family="calendar",
        unit="share",
        formula="purchase days on the most frequent day of the week / purchase days",
        stage=Stage.CUSTOMER,
        value=nw.max_horizontal(*(nw.col(f"{name}_share") for name in WEEKDAYS)),
    ),
    *(_day_part(name, hours) for name, hours in DAY_PARTS.items()),
    Feature(
        name="peak_month",
        family="calendar",
        unit="month",
        null="no spend",
        formula="the month of the year with the most spend, 1 to 12; the first where several tie",
        value=nw.when(_SPEND.sum() > 0).then(_peak_of(_MONTHS)),
        is_model_input=False,
    ),
    Feature(
        name="peak_month_share",
        family="calendar",
        unit="share",
        null="no spend",
        formula="spend in the month of the year with the most spend / spend",
        value=share(_most_of(_MONTHS), _SPEND.sum()),
    ),
    Feature(
        name="season_ahead_share",
        family="calendar",
        unit="share",
        window="last ten years",
        null="no purchase in those years before the last 275 days",
        formula="of the purchase days at least 275 days ago, the share in the 90 days of the year "
        "that follow the as-of day",
        value=share(
            _on(_BOUGHT, _IS_AHEAD),
            inside(_BOUGHT, YEAR_DAYS * _YEARS) - inside(_BOUGHT, YEAR_DAYS - SEASON_DAYS),
        ),
    ),
)
