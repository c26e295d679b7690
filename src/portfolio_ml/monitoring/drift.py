"""Today's distributions against those of a champion's training, ageing aside.

A closed cohort grows older, and an open portfolio collects customers who have left: its features
move although nothing has changed. So today is not compared with one past date, but with the *path*
of the training dates: where the portfolio stood last, or where its trend would have led, whichever
is nearer. What still separates today from the path (its stray) is news only as far as it exceeds

- sampling: under no drift the population stability index (PSI) of n against m rows is expected to
  be (bins - 1)(1/n + 1/m), and PSI / (1/n + 1/m) follows a chi-square distribution (Yurdakul 2018);
- the natural variation: the same question, asked within the training dates. Dates that strayed as
  much from the path of those before them make the same stray no news; being few, they make it an
  F distribution.

Both the spread over bins and, by mean rank (1 degree of freedom), its location are tested; the
smaller p-value counts twice. Over the columns of a family the false discovery rate is controlled
(Benjamini & Hochberg 1995); large portfolios make trifles significant, so that a column drifts only
where the effect is large enough, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from portfolio_ml.monitoring.distribution import OTHERS, Counts, Distribution
from portfolio_ml.monitoring.profile import Profile

Floats = NDArray[np.float64]
Family = Literal["features", "scores", "behaviour", "mix"]
State = Literal["stable", "drifted", "filling", "constant"]

SIGNIFICANCE = 0.01
SMALLEST_EXCESS = 0.02
SMALLEST_SHIFT = 0.03
FEWEST_DATES = 4
"""Three make a trend, and one more a first idea of how far a date strays from it."""

_STEPS = np.linspace(0, 1.25, 6)
_CONSTANT_SHARE = 0.99
_VANISHED_FROM = 10
_SMOOTHING = 0.5
_SMALLEST_BIN = 1e-4


@dataclass(frozen=True, slots=True)
class Drift:
    """One column, today against training.

    Attributes:
        family: What kind of column it is.
        name: Its name.
        state: `drifted` where the difference is neither chance nor natural variation nor a trifle;
            else `stable`; `filling` where its window reaches back further than the history in
            training did, and `constant` where training showed one value: those are not judged.
        psi: The population stability index against the nearest point of the path.
        raw_psi: The same against the last training date, ageing included.
        expected_psi: What sampling and natural variation make of it; the larger of both.
        shift: By how much the mean rank strays from the path, as a share of all ranks: 0.5 would
            be from the middle to the top.
        expected_shift: Its standard deviation under sampling and natural variation.
        p_value: Of no drift.
        q_value: The smallest false discovery rate at which it is one, within its family.
        vanished: Labels that every training date had, and today has not.
    """

    family: Family
    name: str
    state: State
    psi: float
    raw_psi: float
    expected_psi: float
    shift: float
    expected_shift: float
    p_value: float
    q_value: float
    vanished: tuple[str, ...] = ()

    @property
    def has_drifted(self) -> bool:
        """Whether it is news."""
        return self.state == "drifted"

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        return {
            "family": self.family,
            "name": self.name,
            "state": self.state,
            "psi": self.psi,
            "raw_psi": self.raw_psi,
            "expected_psi": self.expected_psi,
            "shift": self.shift,
            "expected_shift": self.expected_shift,
            "p_value": self.p_value,
            "q_value": self.q_value,
            "vanished": list(self.vanished),
        }


def drifts(
    profile: Profile, today: Mapping[Family, Mapping[str, Counts]], *, as_of_day: int
) -> tuple[Drift, ...]:
    """Every column of the profile that today has counts for, family by family.

    None where the champion learnt from too few dates for drift to be told from ageing, or knew
    `as_of_day` already.

    Args:
        profile: What the champion keeps of its training.
        today: Per family and column, today's counts over the profile's bins.
        as_of_day: Today.
    """
    if len(profile.days) < FEWEST_DATES or as_of_day <= profile.days[-1]:
        return ()
    days = np.array(profile.days, np.float64)
    found: list[Drift] = []
    for family, columns in today.items():
        known: Mapping[str, Distribution] = getattr(profile, family)
        found += _family(
            family,
            {n: (known[n], counts) for n, counts in columns.items() if n in known},
            days,
            as_of_day,
            profile.filling,
        )
    return tuple(found)


def psi(p: Floats, q: Floats) -> float:
    """The population stability index of two distributions over the same bins, none of them empty.

    Example:
        >>> round(psi(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 4)
        0.2747
    """
    return float(((p - q) * np.log(p / q)).sum())


def _family(
    family: Family,
    columns: Mapping[str, tuple[Distribution, Counts]],
    days: Floats,
    as_of_day: int,
    filling: frozenset[str],
) -> Iterator[Drift]:
    skipped: dict[str, State] = {n: "filling" for n in columns if n in filling}
    skipped |= {
        n: "constant" for n, (d, _) in columns.items() if n not in skipped and _is_constant(d)
    }
    judged = [n for n in columns if n not in skipped]
    figures = {
        n: _compared(days, np.array(d.counts, float), as_of_day, counts.astype(float))
        for n, (d, counts) in columns.items()
    }
    p_values = np.array([figures[n].p_value for n in judged])
    rates = dict(zip(judged, stats.false_discovery_control(p_values), strict=True))
    for name, (distribution, counts) in columns.items():
        seen, rate = figures[name], float(rates.get(name, 1.0))
        vanished = () if name in skipped else _vanished(distribution, counts)
        is_news = (rate < SIGNIFICANCE and seen.is_large) or bool(vanished)
        yield Drift(
            family=family,
            name=name,
            state=skipped.get(name, "drifted" if is_news else "stable"),
            psi=seen.psi,
            raw_psi=seen.raw_psi,
            expected_psi=seen.expected_psi,
            shift=seen.shift,
            expected_shift=seen.expected_shift,
            p_value=seen.p_value,
            q_value=rate,
            vanished=vanished,
        )


@dataclass(frozen=True, slots=True)
class _Compared:
    """The figures of one column."""

    psi: float = 0.0
    raw_psi: float = 0.0
    expected_psi: float = 0.0
    shift: float = 0.0
    expected_shift: float = 0.0
    p_value: float = 1.0

    @property
    def is_large(self) -> bool:
        """Whether the effect is more than a trifle."""
        return (
            self.psi - self.expected_psi >= SMALLEST_EXCESS
            or abs(self.shift) - self.expected_shift >= SMALLEST_SHIFT
        )


def _compared(days: Floats, past: Floats, as_of_day: int, today: Floats) -> _Compared:
    """Today's counts against those of the training dates, shape (dates, bins)."""
    used = (past.sum(axis=0) + today) > 0
    past, today = past[:, used], today[used]
    rows = past.sum(axis=1)
    if used.sum() < 2 or not today.sum() or not rows.all():
        return _Compared()
    past_shares, shares = _shares(past), _shares(today)
    overall = past_shares.mean(axis=0)
    rank = np.cumsum(overall) - overall / 2
    path = _Path(days, past_shares, rows, rank)
    stray = path.stray(as_of_day, shares)
    natural = list(path.natural(as_of_day - days[-1]))
    sampling = 1 / today.sum() + 1 / rows[-1]
    freedom = float(used.sum() - 1)
    natural_psi = float(np.mean([n.psi for n in natural]))
    natural_square = float(np.mean([n.shift**2 for n in natural]))
    variance = float(overall @ (rank - 0.5) ** 2) * sampling
    windows = min(len(natural), max(1.0, (days[-1] - days[2]) / (as_of_day - days[-1])))
    p_values = (
        _p_value(stray.psi, freedom * sampling, natural_psi, freedom, windows),
        _p_value(stray.shift**2, variance, natural_square, 1.0, windows),
    )
    return _Compared(
        psi=stray.psi,
        raw_psi=psi(shares, past_shares[-1]),
        expected_psi=max(freedom * sampling, natural_psi),
        shift=stray.shift,
        expected_shift=max(variance, natural_square) ** 0.5,
        p_value=min(1.0, 2 * min(p_values)),
    )


def _p_value(
    seen: float, by_sampling: float, naturally: float, freedom: float, windows: float
) -> float:
    """P(a statistic at least as large), given its expectations by sampling and naturally.

    Few windows vary more than sampling by chance alone, too: only where they surely vary more does
    their small number count.
    """
    known, expected = windows * freedom, max(by_sampling, naturally)
    if stats.chi2.sf(naturally / by_sampling * known, known) > SIGNIFICANCE:
        return float(stats.chi2.sf(seen / expected * freedom, freedom))
    return float(stats.f.sf(seen / expected, freedom, max(2.0, known)))


@dataclass(frozen=True, slots=True)
class _Stray:
    """How far a date lies from the path: by distribution, and by mean rank."""

    psi: float
    shift: float


@dataclass(frozen=True, slots=True)
class _Path:
    """Where a column stood on past dates, and its trend.

    Attributes:
        days: The dates, ascending.
        shares: Per date and bin.
        rows: Per date.
        rank: Each bin's mean rank, from 0 to 1.
    """

    days: Floats
    shares: Floats
    rows: Floats
    rank: Floats

    def stray(self, day: float, shares: Floats) -> _Stray:
        """How far the shares of a later day lie from the nearest point of the path.

        That is between the last date and a quarter beyond where the trend would have led.
        """
        last, ahead = self.shares[-1], day - self.days[-1]
        trend = self._trend(self.shares, self.shares.mean(axis=0)) * ahead
        points = np.maximum(last + _STEPS[:, None] * trend, _SMALLEST_BIN)
        points /= points.sum(axis=1, keepdims=True)
        ranks = self.shares @ self.rank
        spread = np.array([self.shares.mean(axis=0) @ (self.rank - self.rank.mean()) ** 2])
        drift = float(self._trend(ranks[:, None], spread, scale=1 / spread)[0]) * ahead
        low, high = sorted((0.0, float(_STEPS[-1]) * drift))
        moved = float(shares @ self.rank - ranks[-1])
        return _Stray(
            psi=min(psi(shares, point) for point in points),
            shift=moved - min(max(moved, low), high),
        )

    def natural(self, ahead: float) -> Iterator[_Stray]:
        """How far past dates lay from the path of those before them, about as far ahead."""
        dates = len(self.days)
        pairs = [(i, j) for i in range(FEWEST_DATES - 1, dates) for j in range(i, dates)]
        gaps = np.array([self.days[j] - self.days[i - 1] for i, j in pairs])
        alike = (gaps >= 0.5 * ahead) & (gaps <= 1.5 * ahead)
        if not alike.any():
            alike = gaps == gaps[np.argmin(np.abs(gaps - ahead))]
        for (i, j), is_alike in zip(pairs, alike, strict=True):
            if is_alike:
                before = _Path(self.days[:i], self.shares[:i], self.rows[:i], self.rank)
                yield before.stray(self.days[j], self.shares[j])

    def _trend(self, values: Floats, variance: Floats, scale: Floats | None = None) -> Floats:
        """The slope a day by least squares, shrunk to 0 as far as sampling would make it.

        Args:
            values: Per date, one or more values.
            variance: Of a single row's value, or for shares the shares themselves.
            scale: What the values' squares are divided by to be alike; 1 / variance if not given.
        """
        x = self.days - self.days.mean()
        slope: Floats = (x @ values) / (x @ x)
        weight = 1 / np.maximum(variance, _SMALLEST_BIN) if scale is None else scale
        told = float((slope**2 * weight).sum() * (x @ x) * self.rows.mean())
        freedom = max(values.shape[1] - 1, 1)
        return slope * max(0.0, 1 - freedom / told) if told > 0 else 0 * slope


def _shares(counts: Floats) -> Floats:
    smoothed = counts + _SMOOTHING
    shares: Floats = smoothed / smoothed.sum(axis=-1, keepdims=True)
    return shares


def _is_constant(distribution: Distribution) -> bool:
    totals = np.array(distribution.counts).sum(axis=0)
    return bool(totals.max() >= _CONSTANT_SHARE * totals.sum())


def _vanished(distribution: Distribution, today: Counts) -> tuple[str, ...]:
    """The labels that every training date had often enough, and today has not at all."""
    if not distribution.labels:
        return ()
    least = np.array(distribution.counts).min(axis=0)
    return tuple(
        label
        for label, before, now in zip(distribution.labels, least, today, strict=True)
        if label != OTHERS and before >= _VANISHED_FROM and now == 0
    )
