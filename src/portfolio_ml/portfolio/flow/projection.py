"""The projection: what the portfolio becomes if nothing changes, and how sure that is.

The chain of purchase weeks knows nothing of what may change its chances. By how much past outcomes
missed it beyond its own interval is added to the interval of today, as a variance that grows with
the weeks; whether it did better than plain guesses is told beside it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.flow.looks import (
    HORIZONS,
    LEAST_WEEKS,
    LEVEL,
    MEASURES,
    Look,
    best_of,
    compared,
    covers,
    drawn_of,
    ends_of,
    errors_of,
    guesses_at,
    looked_back,
    missed_a_week,
    outlook_at,
    widened,
)
from portfolio_ml.portfolio.flow.outlook import DRAWS, STAGES
from portfolio_ml.portfolio.flow.purchase_weeks import (
    WEEK_DAYS,
    YEAR_WEEKS,
    PurchaseWeeks,
    purchase_weeks,
)
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted

FEW_LOOKS = 4
_IF_NULL = (
    "it is told of active customers and revenue only, and needs a year of history, of active "
    "customers with an activity window before it"
)

PROJECTION: Table = contract_of(
    "projection",
    grain="one measure on one day to come",
    key=("measure", "day"),
    columns=(
        Column(
            "measure", pa.string(), "active: active customers; new, developing, mature: those of "
            "them at that stage, veterans among the mature; lapsed: inactive customers; revenue: "
            "net, from the as-of date up to the day, currency units",
        ),
        Column("day", pa.date32(), "13, 26, 39 or 52 weeks after the as-of date"),
        Column("expected", pa.float64(), "by the chain of purchase weeks", decimals=1),
        Column("low", pa.float64(), f"lower end of its {LEVEL:.0%} interval", decimals=1),
        Column("high", pa.float64(), f"upper end of its {LEVEL:.0%} interval", decimals=1),
        Column(
            "if_repeated", pa.float64(), "if the changes of the last year are repeated",
            null=_IF_NULL, decimals=1,
        ),
        Column(
            "if_unchanged", pa.float64(), "if all stays as it is: the same customers active, the "
            "last year's mean revenue a week",
            null="it is told of active customers and revenue only", decimals=1,
        ),
    ),
)  # fmt: skip

PROJECTION_CHECK: Table = contract_of(
    "projection_check",
    grain="one measure and horizon, looked at from past weeks",
    key=("measure", "horizon"),
    columns=(
        Column("measure", pa.string(), "active or revenue, as in projection"),
        Column("horizon", pa.string(), "how far ahead it looked, such as 26 weeks"),
        Column("looks", pa.int64(), "past weeks from which it looked, a quarter apart; their "
               "outcomes overlap where the horizon is longer"),
        Column("compared", pa.int64(), "looks that the errors are of: those with a year before "
               "them, or all where there is none"),
        Column("error", pa.float64(), "mean absolute error of the chain / mean outcome",
               null="nothing above 0 came", decimals=4),
        Column("error_if_repeated", pa.float64(), "the same of repeating the last year",
               null="no look had a year of history, and for active an activity "
            "window, before it", decimals=4),
        Column("error_if_unchanged", pa.float64(), "the same if all had stayed as it was",
               null="nothing above 0 came", decimals=4),
        Column("bias", pa.float64(), "mean error of the chain / mean outcome; above 0 it expected "
               "too much", null="nothing above 0 came", decimals=4),
        Column("coverage", pa.float64(), f"share of outcomes within the {LEVEL:.0%} interval, "
               "widened by what looks from the other weeks missed", decimals=4),
        Column("own_coverage", pa.float64(), "the same of the chain's own interval", decimals=4),
        Column("best", pa.string(), "what was the least off: chain, repeated or unchanged",
               null="nothing above 0 came"),
    ),
)  # fmt: skip

TITLE = "What the portfolio becomes within a year if nothing changes"
CHECK_TITLE = "How well the projection did before, beside plain guesses"
_SAID = {
    "chain": "the chain",
    "repeated": "repeating the last year",
    "unchanged": "leaving all as it is",
}


def projections(book: Book) -> tuple[Figure, Figure]:
    """The projection, and how well it did before.

    Both are absent where the history holds less than half a year.
    """
    of = purchase_weeks(book)
    if of.weeks < LEAST_WEEKS or not of.has_purchases(0):
        why = (
            f"the history holds {counted(of.weeks, 'week')} up to {book.as_of}, and a projection "
            f"needs {LEAST_WEEKS} with purchases in the last year"
        )
        return absent(PROJECTION, TITLE, why), absent(PROJECTION_CHECK, CHECK_TITLE, why)
    looks = list(looked_back(book, of))
    return _ahead(book, of, looks), _check(book, looks)


def _ahead(book: Book, of: PurchaseWeeks, looks: Sequence[Look]) -> Figure:
    found = outlook_at(book, of, 0, HORIZONS, draws=DRAWS)
    rows = []
    for measure in ("active", *STAGES, "lapsed", "revenue"):
        is_checked = measure in MEASURES
        missed = missed_a_week(looks, "revenue" if measure == "revenue" else "active")
        scale = _scale(book, of, measure)
        for k, weeks in enumerate(HORIZONS):
            drawn = drawn_of(found, measure, k)
            expected = float(drawn[0])
            low, high = widened(expected, ends_of(drawn), missed * weeks)
            plain = guesses_at(of, measure, 0, weeks) if is_checked else {}
            row = {
                "expected": expected,
                "low": low,
                "high": high,
                "if_repeated": plain.get("repeated", np.nan),
                "if_unchanged": plain.get("unchanged", np.nan),
            }
            day = to_date(book.as_of_day + WEEK_DAYS * weeks)
            rows.append({"measure": measure, "day": day, **{n: v * scale for n, v in row.items()}})
    columns = {name: [row[name] for row in rows] for name in PROJECTION.names if name != "as_of"}
    notes = [*_believed(looks), *_missed(looks), *_seasons(of), *_sampled(of)]
    return present(PROJECTION, TITLE, columns, as_of=book.as_of, notes=notes)


def _scale(book: Book, of: PurchaseWeeks, measure: str) -> float:
    """What brings a part of the customers, and whole weeks, to the portfolio as it stands."""
    if measure == "revenue":
        seen = of.revenue(0, YEAR_WEEKS - 1)
        whole = float(book.now.money("revenue").sum())
        return (whole / seen if of.every > 1 and seen > 0 else 1.0) / MONEY_SCALE
    active = of.active(0)
    if measure == "lapsed":
        inactive = of.first_day.size - active
        return float((~book.now.is_active).sum()) / inactive if inactive > 0 else float(of.every)
    return float(book.now.is_active.sum()) / active if active > 0 else float(of.every)


def _check(book: Book, looks: Sequence[Look]) -> Figure:
    if not looks:
        why = (
            f"the history is too short to look back: it takes {LEAST_WEEKS} weeks before a look "
            f"and {HORIZONS[0]} after it"
        )
        return absent(PROJECTION_CHECK, CHECK_TITLE, why)
    groups = [
        [of for of in looks if of.measure == measure and of.horizon == weeks]
        for measure in MEASURES
        for weeks in HORIZONS
    ]
    rows = [_checked(some, looks) for some in groups if some]
    columns = {
        name: [row[name] for row in rows] for name in PROJECTION_CHECK.names if name != "as_of"
    }
    notes = _believed(looks)
    return present(PROJECTION_CHECK, CHECK_TITLE, columns, as_of=book.as_of, notes=notes)


def _checked(looks: Sequence[Look], every: Sequence[Look]) -> dict[str, object]:
    """How one measure was off at one horizon."""
    errors = errors_of(compared(looks))
    outcome = np.array([of.outcome for of in looks])
    expected = np.array([of.guesses["chain"] for of in looks])
    is_in = [of.low <= of.outcome <= of.high for of in looks]
    is_covered = [covers(of, every) for of in looks]
    return {
        "measure": looks[0].measure,
        "horizon": f"{looks[0].horizon} weeks",
        "looks": len(looks),
        "compared": len(compared(looks)),
        "error": errors["chain"],
        "error_if_repeated": errors["repeated"],
        "error_if_unchanged": errors["unchanged"],
        "bias": (expected - outcome).mean() / outcome.mean() if outcome.mean() > 0 else np.nan,
        "coverage": float(np.mean(is_covered)),
        "own_coverage": float(np.mean(is_in)),
        "best": best_of(errors),
    }


def _believed(looks: Sequence[Look]) -> list[str]:
    """Which of the guesses to believe, by how they did as far ahead as could be looked."""
    if not looks:
        return ["the history is too short to check any of this against the past"]
    told = []
    for measure in MEASURES:
        longest = max(of.horizon for of in looks if of.measure == measure)
        some = [of for of in looks if of.measure == measure and of.horizon == longest]
        some = list(compared(some))
        errors = errors_of(some)
        best = best_of(errors)
        if best is None:
            continue
        off = ", ".join(
            f"{error:.0%} for {_SAID[name]}"
            for name, error in errors.items()
            if not np.isnan(error)
        )
        advice = f"believe {_SAID[best]}" + ("" if best == "chain" else " rather than the chain")
        few = ", as far as so few looks tell" if len(some) < FEW_LOOKS else ""
        told.append(
            f"{measure}, {longest} weeks ahead: in {counted(len(some), 'look')} back the mean "
            f"error was {off}; {advice}{few}"
        )
    return told


def _missed(looks: Sequence[Look]) -> Iterator[str]:
    for measure in MEASURES:
        if missed := missed_a_week(looks, measure):
            yield (
                f"{measure}: past outcomes missed the chain by more than its own interval, which "
                f"is widened by {np.sqrt(missed * YEAR_WEEKS):.0%} of its value over a year"
            )


def _seasons(of: PurchaseWeeks) -> Iterator[str]:
    if of.weeks < 2 * YEAR_WEEKS:
        yield "the history holds less than two years, so the chain knows no seasons of recruits"


def _sampled(of: PurchaseWeeks) -> Iterator[str]:
    if of.every > 1:
        yield f"one in {of.every} customers stands for all, so that it is quick"
