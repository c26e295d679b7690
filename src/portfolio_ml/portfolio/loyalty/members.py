"""Members of the loyalty programme beside customers like them who are no members.

Alike are those who stood alike at the book's earlier date: the same time since the first purchase,
the same value tier, the same section. Whoever joins may have been about to buy more anyway: this is
a comparison, and no effect of the programme.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import Lifecycle, Loyalty
from portfolio_ml.engine import Engine
from portfolio_ml.metrics import draws
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.loyalty.points_ledger import PointsTable
from portfolio_ml.portfolio.returns.takings import of_customers, taken_between
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.portfolio.sums import grouped
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import in_history
from portfolio_ml.wording import counted

LOYALTY_MEMBERS: Table = contract_of(
    "loyalty_members",
    grain="one measure in which members are compared",
    key=("measure",),
    columns=(
        Column("measure", pa.string(), "revenue since the earlier date in currency units, or "
               "retention, the share that is active today"),
        Column("members", pa.int64(), "members by the earlier date who have non-members like them"),
        Column("non_members", pa.int64(), "non-members who have members like them"),
        Column("member_mean", pa.float64(), "the members' mean", decimals=4),
        Column("non_member_mean", pa.float64(), "the non-members', had they been spread over "
               "tenure, tier and section as the members are", decimals=4),
        Column("difference", pa.float64(), "member_mean - non_member_mean", decimals=4),
        Column("difference_low", pa.float64(), "lower end of its 90 % interval",
               null="too few customers to tell", decimals=4),
        Column("difference_high", pa.float64(), "its upper end",
               null="too few customers to tell", decimals=4),
        Column("standardised", pa.float64(), "difference / standard deviation within the groups",
               null="all are alike", decimals=4),
        Column("standardised_low", pa.float64(), "lower end of its 90 % interval",
               null="too few customers to tell", decimals=4),
        Column("standardised_high", pa.float64(), "its upper end",
               null="too few customers to tell", decimals=4),
    ),
)  # fmt: skip

TITLE = "Members of the programme beside customers like them"
EVERYBODY = "the rule gives points to everybody who buys, so there are no non-members to compare"
NO_TABLE = "there is no table of points: name one under data.points"
FEW = 30
LEVEL = 0.9
_DRAWS = 500
_SEED = 7
_GROUPS = 1000
_SUMS_AT_ONCE = 4_000_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A mean of members beside that of non-members like them; see `LOYALTY_MEMBERS`.

    Arrays have one value for the estimate, or one for each draw.
    """

    member_mean: Floats
    non_member_mean: Floats
    standardised: Floats

    @property
    def difference(self) -> Floats:
        """The members' mean minus the non-members'."""
        return self.member_mean - self.non_member_mean


def members(book: Book, points: PointsTable | None = None) -> Figure:
    """Revenue and retention of members, beside those of non-members like them.

    A member is a customer with an entry in the table of points by the earlier date; customers who
    joined later are left out.
    """
    then, rule = book.then, book.settings.loyalty or Loyalty()
    if points is None:
        return absent(LOYALTY_MEMBERS, TITLE, EVERYBODY if rule.points_per_unit else NO_TABLE)
    if then is None or not then.count:
        return absent(LOYALTY_MEMBERS, TITLE, "the history does not reach back to the earlier date")
    section = next((n for n in (rule.section, "segment") if n and then.has(n)), None)
    joined = _joined(then, points, book.as_of_day, book.inputs.engine)
    is_known = np.isnan(joined) | (joined <= then.as_of_day)
    is_member = ~np.isnan(joined)
    alike = _alike(book.lifecycle, then, section)
    chosen = is_known & _in_both(alike, is_member, is_known)
    if not chosen.any():
        return absent(LOYALTY_MEMBERS, TITLE, "no member has a non-member like them to compare")
    unlike = int(np.count_nonzero(is_member & is_known & ~chosen))
    is_member, alike = is_member[chosen], np.unique(alike[chosen], return_inverse=True)[1]
    rows = [
        _row(name, outcome[chosen], is_member, alike)
        for name, outcome in _outcomes(book, then).items()
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    bands = " and ".join(["tenure", "value tier", *([section] if section else [])])
    notes = [
        "a comparison, not a cause: whoever joins may have been about to buy more anyway",
        f"alike are customers of the same {bands} on {then.as_of}",
    ]
    if unlike:
        notes.append(f"{counted(unlike, 'member')} left out: there is no non-member like them")
    few = min(np.count_nonzero(is_member), np.count_nonzero(~is_member))
    if few < FEW:
        notes.append(f"a small comparison: there are only {few} on one of its sides")
    return present(LOYALTY_MEMBERS, TITLE, columns, as_of=book.as_of, notes=notes)


def compared(
    outcome: Floats, is_member: NDArray[np.bool_], alike: Ints, *, seed: int = _SEED
) -> tuple[Comparison, Comparison]:
    """Members beside non-members like them: the estimate, and bootstrap draws of it.

    Within each group of customers who are alike the means are compared; groups count by their
    members. The draws resample customers, or a thousand random parts of them where there are more.

    Args:
        outcome: What is compared, shape (customers,).
        is_member: Who is a member.
        alike: The number of the group that each customer is in, from 0.
        seed: What decides the draws.

    Example:
        >>> spent = np.array([10.0, 8.0, 6.0, 5.0, 1.0])
        >>> found, _ = compared(spent, np.array([True, True, False, True, False]),
        ...                     np.array([0, 0, 0, 1, 1]))
        >>> found.member_mean.tolist(), found.difference.round(4).tolist()
        ([7.666666666666667], [3.3333])
    """
    cells = int(alike.max()) + 1
    parts = min(outcome.size, _GROUPS, max(_SUMS_AT_ONCE // (6 * cells), 50))
    part = np.random.default_rng(seed).permutation(outcome.size) % parts
    cell = (part * cells + alike) * 2 + is_member
    sums = np.stack(
        [np.bincount(cell, w, minlength=parts * cells * 2) for w in (None, outcome, outcome**2)]
    ).reshape(3, parts, cells * 2)
    times = np.stack(list(draws(parts, _DRAWS, seed)))
    whole = sums.sum(axis=1).reshape(3, 1, cells, 2)
    drawn = np.stack([times @ kind for kind in sums]).reshape(3, _DRAWS, cells, 2)
    return _compared(whole), _compared(drawn)


def _compared(sums: Floats) -> Comparison:
    """The comparison by counts, sums and sums of squares, shape (3, draws, groups, 2 sides)."""
    count = sums[0]
    weight = np.where((count > 0).all(axis=2), count[:, :, 1], 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[1:] / np.maximum(count, 1)
        weighted = (means * weight[None, :, :, None]).sum(axis=2) / weight.sum(axis=1)[
            None, :, None
        ]
        mean, square = weighted
        variance = np.maximum(square - mean**2, 0).mean(axis=1)
        standardised = (mean[:, 1] - mean[:, 0]) / np.sqrt(variance)
    told = np.where(variance > 0, standardised, np.nan)
    return Comparison(member_mean=mean[:, 1], non_member_mean=mean[:, 0], standardised=told)


def _row(
    name: str, outcome: Floats, is_member: NDArray[np.bool_], alike: Ints
) -> dict[str, str | int | float]:
    found, drawn = compared(outcome, is_member, alike)
    low, high = _interval(drawn.difference)
    standardised_low, standardised_high = _interval(drawn.standardised)
    return {
        "measure": name,
        "members": int(np.count_nonzero(is_member)),
        "non_members": int(np.count_nonzero(~is_member)),
        "member_mean": float(found.member_mean[0]),
        "non_member_mean": float(found.non_member_mean[0]),
        "difference": float(found.difference[0]),
        "difference_low": low,
        "difference_high": high,
        "standardised": float(found.standardised[0]),
        "standardised_low": standardised_low,
        "standardised_high": standardised_high,
    }


def _interval(drawn: Floats) -> tuple[float, float]:
    """The middle of the draws; NaN where half of them tell nothing."""
    defined = drawn[~np.isnan(drawn)]
    if 2 * defined.size < drawn.size:
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _joined(then: Stock, points: PointsTable, as_of_day: int, engine: Engine) -> Floats:
    """The day of each customer's first entry up to a day; NaN for those without any."""
    seen = engine.taken(points.frame).filter(in_history(nw.col("day"), as_of_day))
    firsts = engine.collect(seen.group_by("customer_id").agg(day=nw.col("day").min()))
    place = pc.index_in(then.rows["customer_id"], firsts["customer_id"].combine_chunks())
    day = firsts["day"].cast(pa.float64()).combine_chunks().take(place.combine_chunks())
    return np.asarray(pc.fill_null(day, np.nan).to_numpy(zero_copy_only=False))


def _alike(lifecycle: Lifecycle, then: Stock, section: str | None) -> Ints:
    """The number of the group that each customer was in."""
    edges = (lifecycle.new_days, lifecycle.mature_days)
    tenure = np.digitize(then.column("tenure_days"), edges)
    names = ["value_tier"] if section is None else ["value_tier", section]
    _, other = grouped(then.section(*names))
    return np.asarray(other * (len(edges) + 1) + tenure, np.int64)


def _outcomes(book: Book, then: Stock) -> Mapping[str, Floats]:
    """What became of the earlier customers."""
    numbers = then.rows["customer"].to_numpy()
    taken = taken_between(book.inputs, [then.as_of_day, book.as_of_day])
    place = np.searchsorted(book.now.rows["customer"].to_numpy(), numbers)
    return {
        "revenue": of_customers(taken, "taken_0", numbers) / MONEY_SCALE,
        "retention": book.now.is_active[place].astype(np.float64),
    }


def _in_both(
    alike: Ints, is_member: NDArray[np.bool_], is_known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether a customer's group has members and non-members, of those who are known."""
    size = int(alike.max(initial=-1)) + 1
    has_members = np.bincount(alike[is_known & is_member], minlength=size) > 0
    has_others = np.bincount(alike[is_known & ~is_member], minlength=size) > 0
    return np.asarray((has_members & has_others)[alike])
