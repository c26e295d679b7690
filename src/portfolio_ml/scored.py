"""A portfolio's customers, scored by the champions in force: the rows that are delivered.

Features lie in a file and are scored a slice of customers after the other; the rows go to a file
likewise. So what scoring takes of memory does not grow with the portfolio.
"""

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Settings
from portfolio_ml.customer_rows import Lineage, customer_rows
from portfolio_ml.engine import Engine
from portfolio_ml.opening import Opened, Say
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scoring import Champions, predict
from portfolio_ml.standing import standing_of
from portfolio_ml.steps import Progress, unheard
from portfolio_ml.timeline import to_day

Clock = Callable[[], datetime]
BandsBefore = Callable[[date], pa.Table]
"""customer_id and churn_band, as delivered last before a date."""

ROWS_AT_ONCE = 2_000_000
"""Of the feature table, where many dates are scored in one query."""
SLICE_ROWS = 100_000
"""So many customers are scored at once."""


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
        engine=portfolio.engine,
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
            on_day = tables if at_once == 1 else {t: _on(rows, day) for t, rows in tables.items()}
            if on_day["churn"].num_rows:
                yield _scored(
                    on_day,
                    champions,
                    as_of=day,
                    settings=portfolio.settings,
                    bands_before=bands_before(day),
                    now=now(),
                    engine=portfolio.engine,
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
    tables: Mapping[str, pa.Table],
    champions: Champions,
    *,
    as_of: date,
    settings: Settings,
    bands_before: pa.Table,
    now: datetime,
    engine: Engine,
) -> Scored:
    frozen, features = champions.frozen["churn"], tables["churn"]
    lineage = Lineage(
        versions=champions.versions,
        features_hash=frozen.features_hash,
        run_id=uuid.uuid4().hex,
        scored_at=now,
    )
    bands = bands_before.combine_chunks().sort_by("customer_id")

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, features.num_rows, SLICE_ROWS):
            some = {target: rows.slice(first, SLICE_ROWS) for target, rows in tables.items()}
            rows = customer_rows(
                some["churn"],
                predict(champions, some, reasons=settings.scoring.reasons),
                standing_of(
                    some["churn"],
                    activity_days=frozen.activity_days,
                    tier_edges=frozen.reference.tier_edges,
                    lifecycle=settings.lifecycle,
                ),
                as_of=as_of,
                lineage=lineage,
                bands=settings.scoring.bands,
                bands_before=_among(bands, some["churn"]["customer_id"]),
            )
            yield from rows.to_batches()

    rows = engine.spooled(batches(), CUSTOMER_ROWS.arrow)
    return Scored(as_of, rows, features, lineage.run_id)


def _among(sorted_rows: pa.Table, customer_ids: pa.ChunkedArray) -> pa.Table:
    """The rows of customers from the lowest to the highest of these ids.

    To look ids up among all customers anew for every slice would take ever longer with more.
    """
    ids = sorted_rows["customer_id"]
    ends = pc.min_max(customer_ids)
    first, last = (ends[end].as_py() for end in ("min", "max"))
    begin = bisect_left(range(len(ids)), first, key=lambda place: ids[place].as_py())
    end = bisect_right(range(len(ids)), last, key=lambda place: ids[place].as_py())
    return sorted_rows.slice(begin, end - begin)
