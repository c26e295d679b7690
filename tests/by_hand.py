"""Features, outcomes and standing worked out by hand: loops over lists, exact fractions.

Nothing here is shared with the package but the names of the features and the parameters of the
fitted customer-base models. One function per feature, under the feature's name:

- `OF_CUSTOMER`: from what the customer has done,
- `OF_PORTFOLIO`: also from what all others have done,
- `OF_MODEL`: from what the customer has done and the models' parameters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, floor, log, sqrt
from statistics import median

import pytest
from tests.histories import Line, has_orders

from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import FeatureTable, Horizons

Number = Fraction | float | int
Parameters = Mapping[str, float]
Models = tuple[Parameters, Parameters]


@dataclass(frozen=True)
class Past:
    """What one customer had done at the end of a day; lines are (age in days, amount, order)."""

    as_of: int
    lines: tuple[tuple[int, Fraction, str | None], ...]
    has_orders: bool

    @property
    def purchases(self) -> list[tuple[int, Fraction, str | None]]:
        return [line for line in self.lines if line[1] >= 0]

    @property
    def ages(self) -> list[int]:
        """The ages of the purchase days, latest first."""
        return sorted({age for age, _, _ in self.purchases})

    @property
    def gaps(self) -> list[int]:
        """The days between neighbouring purchase days, latest first."""
        return [earlier - later for later, earlier in zip(self.ages, self.ages[1:], strict=False)]

    def spend_on(self, age: int) -> Fraction:
        return sum((amount for at, amount, _ in self.purchases if at == age), Fraction(0))

    def orders_on(self, age: int) -> int:
        ids = [order for at, _, order in self.purchases if at == age]
        return len(set(ids)) if self.has_orders else len(ids)


def pasts(lines: Iterable[Line], as_of: int) -> dict[str, Past]:
    """The past of every customer with a purchase by the end of the day `as_of`."""
    known = list(lines)
    found = {
        customer: Past(
            as_of=as_of,
            lines=tuple(
                (as_of - line.day, Fraction(line.units, 10_000), line.order_id)
                for line in known
                if line.customer == customer and line.day <= as_of
            ),
            has_orders=has_orders(known),
        )
        for customer in sorted({line.customer for line in known}, key=str.encode)
    }
    return {customer: past for customer, past in found.items() if past.purchases}


def features_of(
    past: Past,
    everyone: Sequence[Past],
    *,
    models: Models,
    horizons: Horizons,
) -> dict[str, Number | None]:
    """Every feature of one customer.

    Args:
        past: The customer's past.
        everyone: The pasts of the portfolio.
        models: The parameters of BG/NBD and of Gamma-Gamma (with its population mean).
        horizons: How far the models look ahead.
    """
    return {
        **{name: of(past) for name, of in OF_CUSTOMER.items()},
        **{name: of(past, everyone) for name, of in OF_PORTFOLIO.items()},
        **{name: of(past, models, horizons) for name, of in OF_MODEL.items()},
    }


def assert_as_by_hand(
    table: FeatureTable, lines: Iterable[Line], as_of_days: Iterable[int], horizons: Horizons
) -> None:
    """The table has the rows of the calculation by hand, and the same values."""
    got = {(row["as_of"], row["customer_id"]): row for row in table.rows.to_pylist()}
    known = {day: pasts(lines, day) for day in sorted(as_of_days)}
    assert [*got] == [(day, customer) for day, customers in known.items() for customer in customers]
    for (day, customer), row in got.items():
        wanted = features_of(
            known[day][customer],
            list(known[day].values()),
            models=_parameters(table.references[day]),
            horizons=horizons,
        )
        for name, want in wanted.items():
            assert row[name] == _nearly(want), f"{name} of {customer}"


def _parameters(reference: Reference) -> Models:
    spend = reference.spend_model
    return reference.purchase_model.parameters, {**spend.parameters, "mean": spend.population_mean}


def _nearly(value: Number | None) -> object:
    return None if value is None else pytest.approx(float(value), rel=1e-5, abs=1e-6)


# Of the customer alone


def recency_days(past: Past) -> int:
    return past.ages[0]


def tenure_days(past: Past) -> int:
    return past.ages[-1]


def purchase_days(past: Past) -> int:
    return len(past.ages)


def orders(past: Past) -> int:
    return sum(past.orders_on(age) for age in past.ages)


def spend(past: Past) -> Fraction:
    return sum((past.spend_on(age) for age in past.ages), Fraction(0))


def net_spend(past: Past) -> Fraction:
    return sum((amount for _, amount, _ in past.lines), Fraction(0))


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


def gap_mean_days(past: Past) -> Fraction | None:
    return Fraction(sum(past.gaps), len(past.gaps)) if past.gaps else None


def gap_median_days(past: Past) -> Fraction | None:
    return median(Fraction(gap) for gap in past.gaps) if past.gaps else None


def gap_std_days(past: Past) -> float | None:
    if len(past.gaps) < 2:
        return None
    mean = Fraction(sum(past.gaps), len(past.gaps))
    return sqrt(sum((gap - mean) ** 2 for gap in past.gaps) / (len(past.gaps) - 1))


def gap_longest_days(past: Past) -> int | None:
    return max(past.gaps, default=None)


def gap_last_days(past: Past) -> int | None:
    return past.gaps[0] if past.gaps else None


def recent_ticket(past: Past) -> Fraction:
    recent = past.ages[:3]
    return sum((past.spend_on(age) for age in recent), Fraction(0)) / len(recent)


def last_ticket(past: Past) -> Fraction:
    return past.spend_on(past.ages[0])


def ticket_trend(past: Past) -> Fraction | None:
    earlier = past.ages[3:]
    before = sum((past.spend_on(age) for age in earlier), Fraction(0))
    return recent_ticket(past) / (before / len(earlier)) - 1 if before else None


def spend_between(past: Past, youngest: int, oldest: int) -> Fraction:
    return sum(
        (amount for age, amount, _ in past.purchases if youngest <= age <= oldest), Fraction(0)
    )


def spend_365_to_730d(past: Past) -> Fraction:
    return spend_between(past, 365, 729)


def spend_trend(past: Past) -> Fraction | None:
    before = spend_365_to_730d(past)
    return spend_between(past, 0, 364) / before - 1 if before else None


def returned_365d(past: Past) -> Fraction:
    return sum((-amount for age, amount, _ in past.lines if amount < 0 and age <= 364), Fraction(0))


def windows(days: int) -> dict[str, Callable[[Past], Number]]:
    def inside(past: Past) -> list[int]:
        return [age for age in past.ages if age <= days - 1]

    return {
        f"purchase_days_{days}d": lambda past: len(inside(past)),
        f"orders_{days}d": lambda past: sum(past.orders_on(age) for age in inside(past)),
        f"spend_{days}d": lambda past: spend_between(past, 0, days - 1),
    }


OF_CUSTOMER: dict[str, Callable[[Past], Number | None]] = {
    of.__name__: of
    for of in (
        recency_days, tenure_days, purchase_days, orders, spend, net_spend, largest_purchase_day,
        monetary, ticket, repeat_days, purchase_span_days, rate_per_year, gap_mean_days,
        gap_median_days, gap_std_days, gap_longest_days, gap_last_days, recent_ticket,
        last_ticket, ticket_trend, spend_365_to_730d, spend_trend, returned_365d,
    )
} | windows(30) | windows(90) | windows(180) | windows(365)  # fmt: skip


# Relative to the portfolio


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


def expected_next_order_day(past: Past, everyone: Sequence[Past]) -> int:
    day = past.as_of - recency_days(past) + typical_gap_days(past, everyone)
    return floor(day + Fraction(1, 2))


OF_PORTFOLIO: dict[str, Callable[[Past, Sequence[Past]], Number | None]] = {
    of.__name__: of
    for of in (rfm_r, rfm_f, rfm_m, typical_gap_days, overdue_ratio, expected_next_order_day)
}


# Expected by the customer-base models


def p_alive(past: Past, models: Models, horizons: Horizons) -> float:
    """Fader, Hardie & Lee (2005), equation 4.2 of the note on P(alive)."""
    r, alpha, a, b = (models[0][name] for name in ("r", "alpha", "a", "b"))
    x, t_x, T = repeat_days(past), purchase_span_days(past), tenure_days(past)
    if x == 0:
        return 1.0
    return 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))


def p_no_purchase(past: Past, models: Models, horizons: Horizons) -> float:
    r, alpha = models[0]["r"], models[0]["alpha"]
    T = tenure_days(past)
    silent = ((alpha + T) / (alpha + T + horizons.churn_days)) ** (r + repeat_days(past))
    alive = p_alive(past, models, horizons)
    return (1 - alive) + alive * silent


def expected_purchase_days(past: Past, models: Models, horizons: Horizons) -> float:
    """The sum over k of P(at least k purchases fall due) x P(still there after k - 1 of them)."""
    r, alpha, a, b = (models[0][name] for name in ("r", "alpha", "a", "b"))
    x, T, horizon = repeat_days(past), tenure_days(past), horizons.value_days
    exactly = exp((r + x) * log((alpha + T) / (alpha + T + horizon)))
    at_least, stays, total = 1 - exactly, 1.0, 0.0
    for k in range(1, 20_000):
        total += at_least * stays
        if at_least < 1e-14:
            break
        exactly *= (r + x + k - 1) / k * horizon / (alpha + T + horizon)
        at_least -= exactly
        stays *= (b + x + k - 1) / (a + b + x + k - 1)
    return p_alive(past, models, horizons) * total


def expected_ticket(past: Past, models: Models, horizons: Horizons) -> float:
    p, q, mean = models[1]["p"], models[1]["q"], models[1]["mean"]
    x, own = repeat_days(past), float(monetary(past))
    if x == 0 or own == 0:
        return mean
    return ((max(q, 1) - 1) * mean + p * x * own) / (max(q, 1) - 1 + p * x)


def expected_spend(past: Past, models: Models, horizons: Horizons) -> float:
    return expected_purchase_days(past, models, horizons) * expected_ticket(past, models, horizons)


OF_MODEL: dict[str, Callable[[Past, Models, Horizons], float]] = {
    of.__name__: of
    for of in (p_alive, p_no_purchase, expected_purchase_days, expected_ticket, expected_spend)
}


# Outcomes and standing


def outcome(
    lines: Iterable[Line], customer: str, as_of: int, horizons: Horizons
) -> tuple[int, Fraction, Fraction]:
    """Purchase days within the churn horizon; spend and returns within the value horizon."""
    days, gross, returned = set(), Fraction(0), Fraction(0)
    for line in lines:
        if line.customer != customer or line.day <= as_of:
            continue
        if line.units >= 0 and line.day <= as_of + horizons.churn_days:
            days.add(line.day)
        if line.day <= as_of + horizons.value_days:
            gross += Fraction(max(line.units, 0), 10_000)
            returned += Fraction(max(-line.units, 0), 10_000)
    return len(days), gross, returned


def activity_days(everyone: Iterable[Past]) -> int:
    """Kaplan-Meier step by step, and the weeks within which 9 of 10 who return have returned."""
    closed, still_open = [], []
    for past in everyone:
        weight = Fraction(1, len(past.ages))
        closed += [(gap, weight) for gap in past.gaps]
        still_open.append((past.ages[0], weight))
    silent, returned = Fraction(1), []
    for length in sorted({gap for gap, _ in closed}):
        at_risk = sum(weight for gap, weight in closed + still_open if gap >= length)
        silent *= 1 - sum(weight for gap, weight in closed if gap == length) / at_risk
        returned.append((length, 1 - silent))
    within = [length for length, share in returned if share >= Fraction(9, 10) * returned[-1][1]]
    weeks = -(-within[0] // 7) if within else 0
    return 7 * max(4, weeks)
