"""Where a customer stands in the portfolio."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor
from statistics import median

from tests.by_hand.past import Number, Past
from tests.by_hand.purchases import (
    gap_median_days,
    monetary,
    purchase_days,
    recency_days,
    repeat_days,
    tenure_days,
)


def rank_share(past: Past, everyone: Sequence[Past], of: Callable[[Past], Number]) -> Fraction:
    """The share of the portfolio below a customer, and half of those who tie."""
    below = sum(of(other) < of(past) for other in everyone)
    ties = sum(of(other) == of(past) for other in everyone)
    return (below + Fraction(ties, 2)) / len(everyone)


def quintile(past: Past, everyone: Sequence[Past], of: Callable[[Past], Number]) -> int:
    share = rank_share(past, everyone, of)
    return 1 + sum(share > Fraction(fifth, 5) for fifth in (1, 2, 3, 4))


def rfm_r(past: Past, everyone: Sequence[Past]) -> int:
    return 6 - quintile(past, everyone, recency_days)


def rfm_f(past: Past, everyone: Sequence[Past]) -> int:
    return quintile(past, everyone, purchase_days)


def rfm_m(past: Past, everyone: Sequence[Past]) -> int:
    return quintile(past, everyone, monetary)


def portfolio_gap(everyone: Sequence[Past]) -> Fraction:
    gaps = [gap for gap in map(gap_median_days, everyone) if gap is not None]
    if gaps:
        return median(gaps)
    return max(Fraction(1), median(Fraction(tenure_days(past)) for past in everyone) / 2)


def typical_gap_days(past: Past, everyone: Sequence[Past]) -> Fraction:
    own = [gap_median_days(past) or Fraction(0)] * repeat_days(past)
    gaps = [*own, portfolio_gap(everyone)]
    return sum(gaps, Fraction(0)) / len(gaps)


def overdue_ratio(past: Past, everyone: Sequence[Past]) -> Fraction:
    return recency_days(past) / typical_gap_days(past, everyone)


def missed_cycles(past: Past, everyone: Sequence[Past]) -> int | None:
    if purchase_days(past) < 3:
        return None
    return max(floor(overdue_ratio(past, everyone)) - 1, 0)


def expected_next_order_day(past: Past, everyone: Sequence[Past]) -> int:
    day = past.as_of - recency_days(past) + typical_gap_days(past, everyone)
    return floor(day + Fraction(1, 2))


def region_known_share(past: Past, everyone: Sequence[Past]) -> Fraction | None:
    regions = [row.region if row else None for row in (p.attributes(0) for p in everyone)]
    known = [region for region in regions if region is not None]
    row = past.attributes(0)
    if row is None or row.region is None:
        return None
    return Fraction(known.count(row.region), len(known))


OF_PORTFOLIO: dict[str, Callable[[Past, Sequence[Past]], Number | None]] = {
    of.__name__: of
    for of in (
        rfm_r, rfm_f, rfm_m, typical_gap_days, overdue_ratio, missed_cycles,
        expected_next_order_day, region_known_share,
    )
}  # fmt: skip
