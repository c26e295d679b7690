"""The outlook from a week's end: what the chain of purchase weeks makes of the customers of then.

Customers of then are taken state by state; recruits arrive as they did in the same weeks a year
earlier, or, where the history does not hold that year, at the pace of its last half. Each draw
has its own chances to buy and its own pace of recruits, and the luck of the customers on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.config import Lifecycle
from portfolio_ml.portfolio.flow.purchase_weeks import (
    CLASSES,
    FIRST,
    OLDEST,
    WEEK_DAYS,
    YEAR_WEEKS,
    PurchaseWeeks,
)
from portfolio_ml.portfolio.flow.renewal import BLOCK_WEEKS, Ahead, Floats, Seen, ahead

DRAWS = 200
STAGES = ("new", "developing", "mature")
YOUNG_DAYS = 365
RECENT_WEEKS = 26
_SHAPE = (CLASSES, OLDEST + 1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Draws of what is to come; the first of them is the expectation.

    Attributes:
        active: The active customers of each stage, per horizon: shape (3, horizons, draws).
        everyone: All customers, per horizon: shape (horizons, draws).
        revenue: Net revenue until then, in 1/10,000 unit: shape (horizons, draws).
    """

    active: Floats
    everyone: Floats
    revenue: Floats


@dataclass(frozen=True, slots=True)
class _Recruits:
    """The recruits of each week ahead, shape (weeks, draws), and what they spend a week."""

    rate: Floats
    mean: float
    square: float


def outlook(
    of: PurchaseWeeks,
    origin: int,
    *,
    as_of_day: int,
    horizons: Sequence[int],
    lifecycle: Lifecycle,
    seed: int,
    draws: int = DRAWS,
) -> Outlook:
    """What is to come after a week's end, from what was known by then.

    Args:
        of: The purchase weeks.
        origin: The week, counted back from the as-of day, from whose end it looks ahead.
        as_of_day: The day number of the as-of day.
        horizons: How many weeks ahead to tell of, ascending.
        lifecycle: The tenures that part the stages.
        seed: Makes the draws reproducible.
        draws: How many draws; the intervals come from them.
    """
    rng = np.random.default_rng(seed)
    chances = Seen.before(of, origin).drawn(rng, draws)
    weight = of.active_weight(np.arange(OLDEST + 1))
    steps = ahead(chances, weight, max(horizons))
    recruits = _recruits(of, origin, rng, weeks=max(horizons), as_of_day=as_of_day, draws=draws)
    rows = of.last_rows(origin)
    since, was = np.minimum(of.week[rows] - origin, OLDEST), of.pace[rows]
    state = was * (OLDEST + 1) + since
    tenure = as_of_day - WEEK_DAYS * origin - of.first_day[of.place[rows]]
    stages = _Stages(state, tenure, lifecycle)
    active = np.stack([stages.active(steps, recruits, h, rng) for h in horizons])
    everyone = np.stack([_everyone(rows.size, recruits, h, rng) for h in horizons])
    amounts = _Amounts.of(of, origin, rows, state)
    revenue = np.stack([amounts.revenue(steps, recruits, h, rng) for h in horizons])
    return Outlook(active.transpose(1, 0, 2), everyone, revenue)


def _by_state(state: NDArray[np.int64], weights: Floats | None = None) -> Floats:
    """Customers, or what they weigh, by state."""
    size = CLASSES * (OLDEST + 1)
    return np.bincount(state, weights=weights, minlength=size).reshape(_SHAPE).astype(np.float64)


def _stage(tenure: NDArray[np.int64], lifecycle: Lifecycle) -> NDArray[np.int64]:
    return np.searchsorted([lifecycle.new_days, lifecycle.mature_days], tenure, side="left")


@dataclass(frozen=True, slots=True)
class _Stages:
    """The customers of then, by state and tenure, each of shape (customers,)."""

    state: NDArray[np.int64]
    tenure: NDArray[np.int64]
    lifecycle: Lifecycle

    def active(
        self, steps: Ahead, recruits: _Recruits, weeks: int, rng: np.random.Generator
    ) -> Floats:
        """The active of each stage so many weeks ahead, shape (3, draws)."""
        chance = steps.active[weeks].astype(np.float64)
        at = _stage(self.tenure + WEEK_DAYS * weeks, self.lifecycle)
        arrived = np.arange(1, weeks + 1)  # in these weeks ahead
        recruited_at = _stage(WEEK_DAYS * (weeks - arrived), self.lifecycle)
        stays = steps.active[weeks - arrived, :, FIRST, 0].astype(np.float64)
        found = []
        for stage in range(len(STAGES)):
            customers = _by_state(self.state[at == stage])
            mean = np.einsum("dcj,cj->d", chance, customers)
            spread = np.einsum("dcj,cj->d", chance * (1 - chance), customers)
            is_here = recruited_at == stage
            new = (recruits.rate[:weeks][is_here] * stays[is_here]).sum(axis=0)
            found.append(_lucky(mean + new, spread + new, rng))
        return np.maximum(np.stack(found), 0.0)


def _everyone(customers: int, recruits: _Recruits, weeks: int, rng: np.random.Generator) -> Floats:
    new = recruits.rate[:weeks].sum(axis=0)
    return np.maximum(_lucky(customers + new, new, rng), customers)


def _lucky(mean: Floats, variance: Floats, rng: np.random.Generator) -> Floats:
    """The draws with the luck of single customers; the first stays the expectation."""
    luck = rng.standard_normal(mean.size) * np.sqrt(np.maximum(variance, 0.0))
    luck[0] = 0.0
    return mean + luck


def _recruits(
    of: PurchaseWeeks,
    origin: int,
    rng: np.random.Generator,
    *,
    weeks: int,
    as_of_day: int,
    draws: int,
) -> _Recruits:
    """The recruits to come, as draws."""
    week = (as_of_day - of.first_day) // WEEK_DAYS
    counts = np.bincount(week, minlength=of.weeks + 1)[: of.weeks].astype(np.float64)
    # In the first weeks of a history old customers look new.
    clean = counts[origin : max(of.weeks - BLOCK_WEEKS, origin)]
    if clean.size >= YEAR_WEEKS:
        year = clean[:YEAR_WEEKS]
        expected = year[::-1][np.arange(weeks) % YEAR_WEEKS]
        support = year.sum()
    else:
        recent = clean[:RECENT_WEEKS]
        expected = np.full(weeks, recent.mean() if recent.size else 0.0)
        support = recent.sum()
    level = rng.gamma(support + 0.5, size=draws) / max(support, 1.0)
    level *= np.exp(_recruit_spread(clean) * rng.standard_normal(draws))
    level[0] = 1.0
    tenure = as_of_day - WEEK_DAYS * of.week - of.first_day[of.place]
    is_last_year = (of.week >= origin) & (of.week < origin + YEAR_WEEKS)
    is_young = is_last_year & (tenure <= YOUNG_DAYS)
    spent = of.net[is_young] if is_young.any() else of.net[is_last_year]
    square = float((spent**2).mean())
    return _Recruits(expected[:, None] * level, float(spent.mean()), square)


def _recruit_spread(clean: Floats) -> float:
    """By how much, as a logarithm, a year's recruits differ from another's, beyond chance."""
    if clean.size >= 2 * YEAR_WEEKS:
        last, before = (part.sum() + 0.5 for part in np.split(clean[: 2 * YEAR_WEEKS], 2))
        return float(np.sqrt(max(np.log(last / before) ** 2 - 1 / last - 1 / before, 0.0)))
    blocks = [part.sum() for part in np.split(clean, range(BLOCK_WEEKS, clean.size, BLOCK_WEEKS))]
    whole = np.array(blocks[: clean.size // BLOCK_WEEKS])
    if whole.size < 2 or not whole.sum() > 0:
        return 0.0
    relative = whole / whole.mean()
    return float(np.sqrt(max(relative.var(ddof=1) - 1 / whole.mean(), 0.0) / whole.size))


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What the customers of each state spend in a purchase week.

    Attributes:
        total: The sum of their means, shape (classes, OLDEST + 1).
        squares: The sum of the squares of their means.
        noise: The variance of a purchase week around its customer's mean, relative to the square.
        returns: What is left of purchase weeks' revenue after weeks of returns alone.
        spread: By how much revenue a purchase week differed between quarters.
    """

    total: Floats
    squares: Floats
    noise: float
    returns: float
    spread: float

    @classmethod
    def of(
        cls, of: PurchaseWeeks, origin: int, rows: NDArray[np.intp], state: NDArray[np.int64]
    ) -> "_Amounts":
        is_last_year = (of.week >= origin) & (of.week < origin + YEAR_WEEKS)
        place, net = of.place[is_last_year], of.net[is_last_year]
        size = of.first_day.size
        count, total = np.bincount(place, minlength=size), np.bincount(place, net, minlength=size)
        mean = (total + net.mean()) / (count + 1)  # leans on the usual as on one purchase week
        beside = ((net - mean[place]) ** 2).sum() / max((mean[place] ** 2).sum(), 1.0)
        year = of.revenue(origin, origin + YEAR_WEEKS - 1)
        own = mean[of.place[rows]]
        return cls(
            total=_by_state(state, own),
            squares=_by_state(state, own**2),
            noise=float(beside),
            returns=float(year / net.sum()) if net.sum() > 0 else 1.0,
            spread=_amount_spread(of, origin),
        )

    def revenue(
        self, steps: Ahead, recruits: _Recruits, weeks: int, rng: np.random.Generator
    ) -> Floats:
        """Net revenue over so many weeks, shape (draws,)."""
        number = steps.purchases[weeks].astype(np.float64)
        square = steps.squares[weeks].astype(np.float64)
        mean = np.einsum("dcj,cj->d", number, self.total)
        spread = square - number**2 + self.noise * number
        variance = np.einsum("dcj,cj->d", spread, self.squares)
        later = weeks - np.arange(1, weeks + 1)
        more, more_squared = (
            a[later, :, FIRST, 0].astype(np.float64) for a in (steps.purchases, steps.squares)
        )
        rate = recruits.rate[:weeks]
        mean += (rate * (1 + more)).sum(axis=0) * recruits.mean
        variance += (rate * (1 + 2 * more + more_squared)).sum(axis=0) * recruits.square
        shock = np.exp(self.spread * rng.standard_normal(mean.size))
        shock[0] = 1.0
        return self.returns * _lucky(mean * shock, variance, rng)


def _amount_spread(of: PurchaseWeeks, origin: int) -> float:
    """The standard deviation of the quarters' mean purchase week, relative, beyond chance."""
    means, noise = [], []
    oldest = min(origin + YEAR_WEEKS, of.weeks)
    for newest in range(origin, oldest - BLOCK_WEEKS + 1, BLOCK_WEEKS):
        net = of.net[(of.week >= newest) & (of.week < newest + BLOCK_WEEKS)]
        if net.size > 1 and net.mean() > 0:
            means.append(net.mean())
            noise.append(net.var() / net.size)
    if len(means) < 2:
        return 0.0
    beyond = np.var(means, ddof=1) - np.mean(noise)
    return float(np.sqrt(max(beyond, 0.0) / len(means)) / np.mean(means))
