"""A portfolio's customers, scored by Spark's workers: parts of a delivery that nobody holds whole.

Features stay in Spark, the champions' data files go to its workers, and the customer rows lie in
files that this process reads, if at all, a batch at a time.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from portfolio_ml.customer_rows import CUSTOMER_FIGURES, Lineage
from portfolio_ml.engine import Frame, SparkEngine
from portfolio_ml.opening import Opened, Say
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scored import Clock
from portfolio_ml.scorer import (
    BAND_BEFORE,
    SCORED,
    Scorer,
    digest_of_files,
    figure_named,
    portfolios,
    prefixed,
)
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.parts import Parts, digest_of, parts_of
from portfolio_ml.sinks.past_sql import BAND
from portfolio_ml.sinks.suppression import Suppression
from portfolio_ml.tally import Tally, Tallying, together
from portfolio_ml.timeline import to_day

SAMPLED = 50_000
"""Of so many customers medians are told; of all, where there are no more."""


@dataclass(frozen=True, slots=True)
class ScoredByWorkers:
    """The customers of one date, in parts.

    Attributes:
        as_of: The last day of the history that was used.
        rows: The customer rows, without those of customers who were erased.
        tally: What the rows are together.
        run_id: The scoring run.
    """

    as_of: date
    rows: Parts
    tally: Tally
    run_id: str


def scored_by_workers(
    portfolio: Opened,
    champions: Champions,
    workers: SparkEngine,
    *,
    as_of: date,
    bands_before: Path,
    figures: Frame | None,
    erased: Suppression,
    now: Clock,
    say: Say,
) -> ScoredByWorkers:
    """Every customer at a date, as `scored.scored` gives them.

    Args:
        portfolio: The history.
        champions: The models in force.
        workers: Who scores.
        as_of: The date; the history may go on after it.
        bands_before: A Parquet file of customer_id and churn_band, as delivered last before the
            date, which the workers see.
        figures: customer_id and `customer_rows.CUSTOMER_FIGURES` of everybody who has any; None
            where the rows are to have none.
        erased: Who was erased.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        DataError: A champion cannot be used, or predicts what is no finite number.
        ServiceUnavailableError: Spark gave the work up.
    """
    say(f"scoring as of {as_of}")
    run_id, settings = uuid.uuid4().hex, portfolio.settings
    scorer = Scorer(
        files=champions.files,
        digest=digest_of_files(champions.files),
        as_of=as_of,
        lineage=Lineage(
            versions=champions.versions,
            features_hash=champions.frozen["churn"].features_hash,
            run_id=run_id,
            scored_at=now(),
        ),
        reasons=settings.scoring.reasons,
        bands=settings.scoring.bands,
        lifecycle=settings.lifecycle,
        erased=erased,
    )
    features = _features(portfolio, champions, to_day(as_of))
    features = _with_bands(features, workers.written([bands_before]))
    if figures is not None:
        own = figures.rename({name: figure_named(name) for name in CUSTOMER_FIGURES})
        features = features.join(own, on="customer_id", how="left")
    files = workers.files(workers.mapped(features.sort("customer_id"), scorer, SCORED))
    sampled = -(-SAMPLED // max(len(files), 1))
    told = workers.each(len(files), Tallying(files, sampled))
    return _found(as_of, files, [Tally.from_text(text) for text in told], workers, run_id)


def _features(portfolio: Opened, champions: Champions, day: int) -> Frame:
    """One row per customer, with what every champion's frozen portfolio makes of it."""
    first, *others = (
        own.computed(portfolio.inputs, day).expressed() for own in portfolios(champions.frozen)
    )
    for place, frame in enumerate(others, start=1):
        theirs = {n: prefixed(place, n) for n in frame.columns if n not in ("customer_id", "as_of")}
        own = frame.drop("as_of").rename(theirs)
        first = first.join(own, on="customer_id", how="inner")
    return first


def _with_bands(features: Frame, bands: Frame) -> Frame:
    before = bands.rename({BAND: BAND_BEFORE})
    return features.join(before, on="customer_id", how="left")


def _found(
    as_of: date, files: Sequence[Path], tallies: Sequence[Tally], workers: SparkEngine, run_id: str
) -> ScoredByWorkers:
    tally = together(tallies)
    parts = Parts(
        contract=CUSTOMER_ROWS,
        parts=parts_of(files, [each.rows for each in tallies]),
        rejects=tally.rejects,
        digest=digest_of(each.sum for each in tallies),
        each=workers.each,
    )
    return ScoredByWorkers(as_of, parts, tally, run_id)
