"""Delivered scores whose horizon has passed, beside what happened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import CsvTarget, ParquetTarget, Settings
from portfolio_ml.features.table import Horizons
from portfolio_ml.judgement import Supervised
from portfolio_ml.labels import MARGIN, labels, outcomes
from portfolio_ml.monitoring.outcomes import MaturedScores
from portfolio_ml.opening import Opened
from portfolio_ml.schema import Measure
from portfolio_ml.sinks.delivered import (
    PAST,
    Delivered,
    p_no_purchase,
)
from portfolio_ml.sinks.files.kept import deliveries_in_files, scores_in_files
from portfolio_ml.sinks.past_sql import places
from portfolio_ml.timeline import in_outcome, to_day, touched

MOST_DATES = 6
"""Per target and version; the newest, at least the training's step apart."""

Batches = Callable[[date], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Past:
    """What was delivered.

    Attributes:
        deliveries: The dates, ascending; none before the first delivery.
        batches: Gives what was delivered as of a date, as `sinks.delivered.PAST`, a batch at a
            time.
    """

    deliveries: tuple[Delivered, ...]
    batches: Batches

    def read(self, as_of: date) -> pa.Table:
        """All of it."""
        return pa.Table.from_batches(self.batches(as_of), schema=PAST)


def past_of(settings: Settings) -> Past:
    """What was delivered to the first target that has anything."""
    for place in places(settings):
        if found := place.deliveries():
            return Past(found, place.scores)
    for target in settings.delivery:
        if isinstance(target, ParquetTarget | CsvTarget):
            path = settings.resolve(target.path)
            if found := deliveries_in_files(path):
                return Past(found, partial(scores_in_files, path))
    return Past((), lambda _: iter(()))


@dataclass(frozen=True, slots=True)
class Ripe:
    """The deliveries of one target's version that have matured, ascending."""

    target: Supervised
    version: str
    horizon_days: int
    deliveries: tuple[Delivered, ...]


def ripe_of(portfolio: Opened, past: Past, horizons: Horizons) -> tuple[Ripe, ...]:
    """What is to be judged, by target and version; none without a history of it.

    A date whose outcome window touches an excluded period is left out.

    Args:
        portfolio: The history, which says what happened.
        past: What was delivered.
        horizons: How far the delivered scores looked ahead.
    """
    found: list[Ripe] = []
    ahead: dict[Supervised, int] = {
        "churn": horizons.churn_days,
        "lifetime_value": horizons.value_days,
    }
    for target, horizon_days in ahead.items():
        ripe = [d for d in past.deliveries if _is_ripe(d, portfolio, horizon_days)]
        for version in sorted({d.versions[target] for d in ripe if target in d.versions}):
            own = [d for d in ripe if d.versions.get(target) == version]
            chosen = tuple(_spaced(own, portfolio.recipe.step_days))
            found.append(Ripe(target, version, horizon_days, chosen))
    return tuple(found)


def matured_scores(
    portfolio: Opened, past: Past, *, horizons: Horizons, measure: Measure
) -> Iterator[MaturedScores]:
    """What was delivered and has matured, per target and version, beside what happened.

    The scores of ids that were merged into others since are left out: what their customer did is
    told of the one who survives.

    Args:
        portfolio: The history, which says what happened.
        past: What was delivered.
        horizons: How far the delivered scores looked ahead.
        measure: What value is.
    """
    for ripe in ripe_of(portfolio, past, horizons):
        days = [to_day(d.as_of) for d in ripe.deliveries]
        parts = [
            _beside(
                _unmerged(past.read(d.as_of), portfolio.merged),
                happened,
                _contacted(portfolio, to_day(d.as_of), ripe.horizon_days),
            )
            for d, happened in zip(
                ripe.deliveries, _happened(portfolio, days, horizons, measure), strict=True
            )
        ]
        yield _scores_of(ripe.target, ripe.version, days, parts, measure)


def _is_ripe(delivered: Delivered, portfolio: Opened, horizon_days: int) -> bool:
    day = to_day(delivered.as_of)
    is_known = day >= portfolio.span.first_day and day + horizon_days <= portfolio.as_of_day
    return is_known and not touched(day, horizon_days, portfolio.recipe.excluded)


def _spaced(deliveries: Sequence[Delivered], step_days: int) -> list[Delivered]:
    """The newest deliveries, at least so many days apart, ascending."""
    chosen: list[Delivered] = []
    for delivered in reversed(deliveries):
        if not chosen or (chosen[-1].as_of - delivered.as_of).days >= step_days:
            chosen.append(delivered)
    return chosen[:MOST_DATES][::-1]


def _happened(
    portfolio: Opened, days: Sequence[int], horizons: Horizons, measure: Measure
) -> list[pa.Table]:
    """Per day, what each customer did after it; who did nothing has no row."""
    inputs = portfolio.inputs
    found = inputs.engine.collect(
        outcomes(inputs, days, horizons=horizons, measure=measure)
        .join(inputs.customers, on="customer", how="inner")
        .drop("customer")
    )
    return [found.filter(pc.equal(found["as_of"], day)).drop_columns(["as_of"]) for day in days]


def _unmerged(scores: pa.Table, merged: pa.Table | None) -> pa.Table:
    if merged is None:
        return scores
    is_merged = pc.is_in(scores["customer_id"], value_set=merged["old_id"].combine_chunks())
    return scores.filter(pc.invert(is_merged))


@dataclass(frozen=True, slots=True)
class _Contacted:
    """Who was contacted within a horizon, and who was held out from it."""

    contacted: pa.Array
    held_out: pa.Array


def _contacted(portfolio: Opened, day: int, horizon_days: int) -> _Contacted:
    contacts = portfolio.contacts
    if contacts is None:
        nobody = pa.array([], pa.string())
        return _Contacted(nobody, nobody)
    known = {"held_out"} & contacts.columns
    within = contacts.frame.filter(in_outcome(nw.col("day"), day, horizon_days))
    rows = portfolio.engine.collect(
        portfolio.engine.taken(within.select("customer_id", *sorted(known)))
    )
    is_held = pc.fill_null(rows["held_out"], False) if known else pa.repeat(False, rows.num_rows)
    ids = rows["customer_id"]
    return _Contacted(
        ids.filter(pc.invert(is_held)).combine_chunks(), ids.filter(is_held).combine_chunks()
    )


def _beside(scores: pa.Table, happened: pa.Table, whom: _Contacted) -> pa.Table:
    """One date's scores, each beside what its customer did, and whether somebody contacted them.

    Sorted by customer: a join gives its rows in any order, and the draws of a bootstrap follow it.
    """
    joined = scores.join(happened, keys="customer_id", join_type="left outer")
    joined = joined.sort_by("customer_id")
    for name in happened.column_names:
        if name != "customer_id":
            place = joined.column_names.index(name)
            joined = joined.set_column(place, name, pc.fill_null(joined[name], 0))
    is_contacted = pc.is_in(joined["customer_id"], value_set=whom.contacted)
    is_held = pc.is_in(joined["customer_id"], value_set=whom.held_out)
    joined = joined.append_column("is_contacted", is_contacted)
    return joined.append_column("is_held_out", pc.and_not(is_held, is_contacted))


def _scores_of(
    target: Supervised,
    version: str,
    days: Sequence[int],
    parts: Sequence[pa.Table],
    measure: Measure,
) -> MaturedScores:
    rows = pa.concat_tables(parts)
    codes = pc.dictionary_encode(rows["customer_id"]).combine_chunks().indices
    day = np.repeat(np.array(days, np.int32), [part.num_rows for part in parts])
    is_churn = target == "churn"
    predicted = p_no_purchase(rows) if is_churn else rows["ltv"]
    return MaturedScores(
        target=target,
        version=version,
        as_of=day,
        customer=codes.to_numpy().astype(np.int64),
        is_contacted=rows["is_contacted"].to_numpy().astype(bool),
        is_held_out=rows["is_held_out"].to_numpy().astype(bool),
        actual=_churned(rows) if is_churn else _value(rows, measure),
        predicted=predicted.to_numpy().astype(np.float64),
        interval=None
        if is_churn
        else np.column_stack([rows["ltv_low"].to_numpy(), rows["ltv_high"].to_numpy()]),
    )


def _churned(rows: pa.Table) -> NDArray[np.float64]:
    is_silent: NDArray[np.bool_] = rows[labels("revenue")[0]].to_numpy() == 0
    return is_silent.astype(np.float64)


def _value(rows: pa.Table, measure: Measure) -> NDArray[np.float64]:
    if measure == "margin":
        return np.asarray(rows[MARGIN].to_numpy(), np.float64)
    spend, returned = (rows[name].to_numpy() for name in labels("revenue")[1:3])
    return np.asarray(spend - returned, np.float64)
