"""What changed about a customer since the day that the portfolio is compared with, in sentences."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from portfolio_ml.report.number import decimals, percent, plain
from portfolio_ml.wording import counted

NOTABLE_SHARE = 0.1
"""Smaller relative changes of spend, and of the churn probability, are not told."""

YEAR_DAYS = 365

Row = Mapping[str, Any]


def changes(row: Row, then: Row | None, *, day_then: date | None) -> tuple[str, ...]:
    """What changed, the plainest first; empty where nothing notable did.

    Args:
        row: A customer's row: lifecycle_stage, p_churn, missed_cycles as in the customer rows;
            spend and spend_before, of the last 365 days and of the 365 before, which are compared
            where tenure_days has room for both.
        then: Its lifecycle_stage and p_churn on the day that it is compared with; None where it
            was no customer then.
        day_then: That day; None where the history begins later.

    Example:
        >>> row = {"lifecycle_stage": "veteran", "p_churn": 0.6, "missed_cycles": 2,
        ...        "spend": 60.0, "spend_before": 120.0, "tenure_days": 900}
        >>> then = {"lifecycle_stage": "mature", "p_churn": 0.2}
        >>> for sentence in changes(row, then, day_then=date(2023, 6, 30)):
        ...     print(sentence)
        Bought for 60.00 in the last 365 days, 50.0 % less than in the 365 before (120.00).
        Has missed 2 purchases that its own rhythm would have had.
        The churn risk is 60.0 %; by the same model it was 20.0 % on 2023-06-30.
        Was mature on 2023-06-30 and is veteran now.
    """
    return tuple(_told(row, then, day_then))


def _told(row: Row, then: Row | None, day_then: date | None) -> Iterator[str]:
    if row["tenure_days"] is not None and row["tenure_days"] >= 2 * YEAR_DAYS:
        yield from _spend(row["spend"], row["spend_before"])
    if missed := row["missed_cycles"]:
        yield f"Has missed {counted(missed, 'purchase')} that its own rhythm would have had."
    if day_then is None:
        return
    if then is None:
        yield f"Became a customer after {day_then}."
        return
    now, before = row["p_churn"], then["p_churn"]
    if now is not None and before is not None and abs(now - before) >= NOTABLE_SHARE:
        yield (
            f"The churn risk is {percent(now)}; by the same model it was {percent(before)} on "
            f"{day_then}."
        )
    if row["lifecycle_stage"] != then["lifecycle_stage"]:
        yield f"Was {then['lifecycle_stage']} on {day_then} and is {row['lifecycle_stage']} now."


def _spend(now: float | None, before: float | None) -> Iterator[str]:
    if not before or before < 0:
        return  # nothing to compare with
    now = now or 0.0
    places, change = decimals([now, before]), now / before - 1
    if now <= 0:
        much = plain(before, places)
        yield f"Bought nothing in the last 365 days; in the 365 before, for {much}."
    elif abs(change) >= NOTABLE_SHARE:
        much = f"{percent(abs(change))} {'more' if change > 0 else 'less'} than"
        if change > 1:
            much = f"{plain(1 + change, 1)} times as much as"
        yield (
            f"Bought for {plain(now, places)} in the last 365 days, {much} in the 365 before "
            f"({plain(before, places)})."
        )
