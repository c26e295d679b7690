"""When and how much a customer bought: recency, frequency, monetary, windows, rhythm and trend."""

from collections.abc import Callable
from fractions import Fraction
from math import sqrt
from statistics import median

from tests.by_hand.past import YEAR, Number, Past, change, mean, ratio, total


def recency_days(past: Past) -> int:
    return past.ages[0]


def tenure_days(past: Past) -> int:
    return past.ages[-1]


def purchase_days(past: Past) -> int:
    return len(past.ages)


def orders(past: Past) -> int:
    return sum(past.orders_on(age) for age in past.ages)


def spend(past: Past) -> Fraction:
    return total(seen.amount for seen in past.purchases)


def net_spend(past: Past) -> Fraction:
    return total(seen.amount for seen in past.lines)


def largest_purchase_day(past: Past) -> Fraction:
    return max(past.spend_on(age) for age in past.ages)


def monetary(past: Past) -> Fraction:
    return spend(past) / purchase_days(past)


def ticket(past: Past) -> Fraction:
    return spend(past) / orders(past)


def repeat_days(past: Past) -> int:
    return purchase_days(past) - 1


def purchase_span_days(past: Past) -> int:
    return past.ages[-1] - past.ages[0]


def rate_per_year(past: Past) -> Fraction:
    return Fraction(365 * repeat_days(past), tenure_days(past) + 30)


# Rhythm


def gap_mean_days(past: Past) -> Fraction | None:
    return mean(past.gaps)


def gap_median_days(past: Past) -> Fraction | None:
    return median(Fraction(gap) for gap in past.gaps) if past.gaps else None


def gap_std_days(past: Past) -> float | None:
    if len(past.gaps) < 2:
        return None
    middle = mean(past.gaps)
    return sqrt(sum((gap - middle) ** 2 for gap in past.gaps) / (len(past.gaps) - 1))


def gap_longest_days(past: Past) -> int | None:
    return max(past.gaps, default=None)


def gap_last_days(past: Past) -> int | None:
    return past.gaps[0] if past.gaps else None


def gap_change(past: Past) -> Number | None:
    return change(mean(past.gaps[:3]), mean(past.gaps[3:]))


def gap_irregularity(past: Past) -> float | None:
    spread = gap_std_days(past)
    return None if spread is None else spread / float(gap_mean_days(past))


def recency_to_longest_gap(past: Past) -> Fraction | None:
    return Fraction(recency_days(past), gap_longest_days(past)) if past.gaps else None


# Trend


def recent_ticket(past: Past) -> Fraction:
    return mean(past.spend_on(age) for age in past.ages[:3])


def last_ticket(past: Past) -> Fraction:
    return past.spend_on(past.ages[0])


def ticket_trend(past: Past) -> Number | None:
    return change(recent_ticket(past), mean(past.spend_on(age) for age in past.ages[3:]))


def slope(points: list[tuple[Number, Number]]) -> Number:
    """The slope of the least-squares line through (time, value)."""
    middle_t, middle_v = mean(t for t, _ in points), mean(v for _, v in points)
    rise = total((t - middle_t) * (v - middle_v) for t, v in points)
    return rise / total((t - middle_t) ** 2 for t, _ in points)


def ticket_slope(past: Past) -> Number | None:
    if len(past.ages) < 3:
        return None
    return 365 * slope([(-age, past.spend_on(age)) for age in past.ages])


def spend_slope(past: Past) -> Number:
    """Six periods of 60 days, the latest one being period 5."""
    return slope([(5 - k, spend_between(past, 60 * k, 60 * k + 59)) for k in range(6)])


def spend_trend(past: Past) -> Number | None:
    return change(spend_between(past, 0, YEAR - 1), spend_365_to_730d(past))


# Windows


def spend_between(past: Past, youngest: int, oldest: int) -> Fraction:
    return total(seen.amount for seen in past.since(youngest, oldest) if seen.amount >= 0)


def spend_365_to_730d(past: Past) -> Fraction:
    return spend_between(past, 365, 729)


def orders_between(past: Past, youngest: int, oldest: int) -> int:
    return sum(past.orders_on(age) for age in past.ages if youngest <= age <= oldest)


def recent_order_share(past: Past) -> Number | None:
    return ratio(orders_between(past, 0, 89), orders_between(past, 0, 364))


def windows(days: int) -> dict[str, Callable[[Past], Number]]:
    return {
        f"purchase_days_{days}d": lambda past: len([age for age in past.ages if age <= days - 1]),
        f"orders_{days}d": lambda past: orders_between(past, 0, days - 1),
        f"spend_{days}d": lambda past: spend_between(past, 0, days - 1),
    }


def changes(days: int) -> dict[str, Callable[[Past], Number | None]]:
    return {
        f"spend_change_{days}d": lambda past: change(
            spend_between(past, 0, days - 1), spend_between(past, days, 2 * days - 1)
        )
    }


OF_PURCHASES: dict[str, Callable[[Past], Number | None]] = {
    of.__name__: of
    for of in (
        recency_days, tenure_days, purchase_days, orders, spend, net_spend, largest_purchase_day,
        monetary, ticket, repeat_days, purchase_span_days, rate_per_year, gap_mean_days,
        gap_median_days, gap_std_days, gap_longest_days, gap_last_days, gap_change,
        gap_irregularity, recency_to_longest_gap, recent_ticket, last_ticket, ticket_trend,
        ticket_slope, spend_slope, spend_trend, spend_365_to_730d, recent_order_share,
    )
}  # fmt: skip
for _days in (7, 30, 60, 90, 180, 365):
    OF_PURCHASES |= windows(_days)
for _days in (7, 30, 60, 90, 180):
    OF_PURCHASES |= changes(_days)
