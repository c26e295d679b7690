"""A portfolio's customers, scored by the champions in force: the rows that are delivered."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Settings
from portfolio_ml.customer_rows import Lineage, customer_rows
from portfolio_ml.opening import Opened, Say
from portfolio_ml.scoring import Champions, predict
from portfolio_ml.standing import standing_of
from portfolio_ml.steps import Progress, unheard
from portfolio_ml.timeline import to_day

Clock = Callable[[], datetime]
BandsBefore = Callable[[date], pa.Table]
"""customer_id and churn_band, as delivered last before a date."""

ROWS_AT_ONCE = 2_000_000
"""Of the feature table, where many dates are scored in one query."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The customers of one date.

    Attributes:
        as_of: The last day of the history that was used.
        rows: The customer rows.
        features: The churn model's features of the same customers, in that order.
        run_id: The scoring run.
    """

    as_of: date
    rows: pa.Table
    features: pa.Table
    run_id: str

    def only(self, customers: Sequence[str]) -> "Scored":
        """The same for some of the customers."""
        chosen = pc.is_in(self.rows["customer_id"], value_set=pa.array(customers, pa.string()))
        return replace(self, rows=self.rows.filter(chosen), features=self.features.filter(chosen))


def scored(
    portfolio: Opened,
    champions: Champions,
    *,
    bands_before: BandsBefore,
    now: Clock,
    say: Say,
) -> Scored:
    """Every customer at the portfolio's as-of date.

    Args:
        portfolio: The history.
        champions: The models in force.
        bands_before: What was delivered before.
        now: The wall clock.
        say: Told what is being done.
    """
    say(f"scoring as of {portfolio.as_of}")
    tables = tables_of(portfolio, champions, [portfolio.as_of_day])
    settings = portfolio.settings
    return _scored(
        tables,
        champions,
        as_of=portfolio.as_of,
        settings=settings,
        bands_before=bands_before(portfolio.as_of),
        now=now(),
    )


def scored_dates(
    portfolio: Opened,
    champions: Champions,
    dates: Sequence[date],
    *,
    bands_before: BandsBefore,
    now: Clock,
    progress: Progress = unheard,
) -> Iterator[Scored]:
    """Every customer at each of several dates up to the portfolio's, one date after the other.

    The features of several dates are one query, of as many as fit. A date on which nobody had
    bought yet is left out. `bands_before` is asked when the dates before have been taken, and
    `progress` is told then which share of them that is.
    """
    at_once = max(1, ROWS_AT_ONCE // max(portfolio.inputs.count(), 1))
    for first in range(0, len(dates), at_once):
        chosen = dates[first : first + at_once]
        tables = tables_of(portfolio, champions, [to_day(day) for day in chosen])
        for place, day in enumerate(chosen, start=first):
            progress(place / len(dates))
            on_day = {t: _on(rows, day) for t, rows in tables.items()}
            if on_day["churn"].num_rows:
                yield _scored(
                    on_day,
                    champions,
                    as_of=day,
                    settings=portfolio.settings,
                    bands_before=bands_before(day),
                    now=now(),
                )


def tables_of(portfolio: Opened, champions: Champions, days: Sequence[int]) -> dict[str, pa.Table]:
    """Per target, the features at these days under its champion's frozen portfolio."""
    tables: dict[bytes, pa.Table] = {}  # champions of one training froze the same portfolio
    for own in champions.frozen.values():
        if own.to_json() not in tables:
            tables[own.to_json()] = own.table(portfolio.inputs, *days).rows
    return {target: tables[own.to_json()] for target, own in champions.frozen.items()}


def _on(rows: pa.Table, day: date) -> pa.Table:
    return rows.filter(pc.equal(rows["as_of"], to_day(day)))


def _scored(
    tables: dict[str, pa.Table],
    champions: Champions,
    *,
    as_of: date,
    settings: Settings,
    bands_before: pa.Table,
    now: datetime,
) -> Scored:
    frozen, features = champions.frozen["churn"], tables["churn"]
    run_id = uuid.uuid4().hex
    rows = customer_rows(
        features,
        predict(champions, tables, reasons=settings.scoring.reasons),
        standing_of(
            features,
            activity_days=frozen.activity_days,
            tier_edges=frozen.reference.tier_edges,
            lifecycle=settings.lifecycle,
        ),
        as_of=as_of,
        lineage=Lineage(
            versions=champions.versions,
            features_hash=frozen.features_hash,
            run_id=run_id,
            scored_at=now,
        ),
        bands=settings.scoring.bands,
        bands_before=bands_before,
    )
    return Scored(as_of, rows, features, run_id)
