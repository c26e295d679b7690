"""When and where a customer buys: weekdays, hours, seasons and channels."""

from collections.abc import Callable
from fractions import Fraction

from tests.by_hand.past import YEAR, Number, Past, ratio, total

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_PARTS = {"night": range(6), "morning": range(6, 12), "afternoon": range(12, 18)}
DAY_PARTS |= {"evening": range(18, 24)}


def _weekday_share(past: Past, *names: str) -> Fraction:
    """By counting days from Thursday, the first of January 1970."""
    numbers = [(past.as_of - age + 3) % 7 for age in past.ages]
    return Fraction(sum(WEEKDAYS[number] in names for number in numbers), len(numbers))


def weekend_share(past: Past) -> Fraction:
    return _weekday_share(past, "saturday", "sunday")


def weekday_top_share(past: Past) -> Fraction:
    return max(_weekday_share(past, name) for name in WEEKDAYS)


def _day_part_share(past: Past, name: str) -> Number | None:
    hours = [s.line.minute // 60 for s in past.purchases if s.line.minute is not None]
    return ratio(sum(hour in DAY_PARTS[name] for hour in hours), len(past.purchases))


def _by_month(past: Past) -> dict[int, Fraction]:
    return {
        month: total(s.amount for s in past.purchases if past.date_of(s.age).month == month)
        for month in range(1, 13)
    }


def peak_month(past: Past) -> int | None:
    spent = _by_month(past)
    most = max(spent.values())
    return min(month for month in spent if spent[month] == most) if most else None


def peak_month_share(past: Past) -> Number | None:
    spent = _by_month(past)
    return ratio(max(spent.values()), total(spent.values()))


def season_ahead_share(past: Past) -> Number | None:
    """Each of the next 90 days, moved back by 1 to 10 times 365 days."""
    ahead = {past.as_of + k - YEAR * years for k in range(1, 91) for years in range(1, 11)}
    days = [past.as_of - age for age in past.ages if 275 <= age < 10 * YEAR]
    return ratio(sum(day in ahead for day in days), len(days))


def _channels(past: Past) -> dict[str, list[int]]:
    named = [seen for seen in past.purchases if seen.line.channel is not None]
    return {
        channel: [seen.age for seen in named if seen.line.channel == channel]
        for channel in {seen.line.channel for seen in named}
    }


def channels(past: Past) -> int | None:
    return len(_channels(past)) or None


def channels_365d(past: Past) -> int | None:
    ages = _channels(past).values()
    return sum(min(each) < YEAR for each in ages) if ages else None


def channel_top_share(past: Past) -> Number | None:
    counts = [len(ages) for ages in _channels(past).values()]
    return ratio(max(counts, default=0), sum(counts))


OF_HABITS: dict[str, Callable[[Past], Number | None]] = {
    of.__name__: of
    for of in (
        weekend_share, weekday_top_share, peak_month, peak_month_share, season_ahead_share,
        channels, channels_365d, channel_top_share,
    )
}  # fmt: skip
OF_HABITS |= {
    f"{name}_share": lambda past, name=name: _weekday_share(past, name) for name in WEEKDAYS
}
OF_HABITS |= {
    f"{name}_share": lambda past, name=name: _day_part_share(past, name) for name in DAY_PARTS
}
