"""What happened after a day, and how long customers usually stay away."""

from collections.abc import Iterable
from fractions import Fraction

from tests.by_hand.past import Past
from tests.histories import Line

from portfolio_ml.features.table import Horizons


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
