"""What a worker of Spark's does with feature rows: the customer rows that are delivered.

A worker is a process on another machine, which has the package and nothing else: all that it needs
comes with the scorer. The champions' data files are parsed once for each process.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Bands, Lifecycle
from portfolio_ml.customer_rows import CUSTOMER_FIGURES, Lineage, customer_rows, with_figures
from portfolio_ml.features.reference import FACTS
from portfolio_ml.features.table import with_expectations
from portfolio_ml.frozen import Frozen
from portfolio_ml.report.customers import SHOWN
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scoring import Champions, champions_from, predict
from portfolio_ml.sinks.parts import FATE, nullable
from portfolio_ml.sinks.past_sql import BAND
from portfolio_ml.sinks.rows import Reject, prepare
from portfolio_ml.sinks.suppression import Suppression
from portfolio_ml.standing import standing_of

ERASED, REJECTED = "erased", "rejected"
"""The fates of rows that are not delivered."""
PROFILED = ("net_spend", "recency_days", "purchase_days", "ticket")
"""The features that a report tells of segments."""
FEATURES, REJECT = "_features", "_reject"
BAND_BEFORE = "_band_before"

SCORED = pa.schema(
    [
        *nullable(CUSTOMER_ROWS),
        pa.field(FATE, pa.string()),
        pa.field(REJECT, pa.string()),
        pa.field(FEATURES, pa.string()),
        *(pa.field(f"_{name}", pa.float32()) for name in PROFILED),
    ]
)
"""What a scorer gives: customer rows, why some are not delivered, and what a report needs."""

_parsed: dict[str, Champions] = {}
"""The champions that this process has parsed, by the digest of their files."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Feature rows -> customer rows, in any process.

    Attributes:
        files: Per target, the champion's data files.
        digest: What tells these files from others, as `digest_of_files` gives it.
        as_of: The last day of the history.
        lineage: Where the rows come from.
        reasons: How many churn reasons a customer gets, at most.
        bands: Where a churn probability is called low, medium or high.
        lifecycle: The tenures and the trend that part the lifecycle stages.
        erased: Who was erased: nothing of them comes back but that there was a row.
    """

    files: Mapping[str, Mapping[str, bytes]]
    digest: str
    as_of: date
    lineage: Lineage
    reasons: int
    bands: Bands
    lifecycle: Lifecycle
    erased: Suppression

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of `SCORED` for batches with the columns that `tables` reads."""
        champions = _champions(self)
        for batch in batches:
            kept = batch.filter(pc.invert(self.erased.holds(batch["customer_id"])))
            if gone := batch.num_rows - kept.num_rows:
                yield _stubs(ERASED, gone)
            if kept.num_rows:
                yield self._scored(kept, champions)

    def _scored(self, batch: pa.RecordBatch, champions: Champions) -> pa.RecordBatch:
        tables = tables_in(batch, champions.frozen)
        features, frozen = tables["churn"], champions.frozen["churn"]
        rows = customer_rows(
            features,
            predict(champions, tables, reasons=self.reasons),
            standing_of(
                features,
                activity_days=frozen.activity_days,
                tier_edges=frozen.reference.tier_edges,
                lifecycle=self.lifecycle,
            ),
            as_of=self.as_of,
            lineage=self.lineage,
            bands=self.bands,
            bands_before=pa.table(
                [batch["customer_id"], batch[BAND_BEFORE]], names=["customer_id", BAND]
            ),
        )
        if (figures := _figures(batch)) is not None:
            rows = with_figures(rows, figures)
        return _told(rows, features, as_of=self.as_of)


def digest_of_files(files: Mapping[str, Mapping[str, bytes]]) -> str:
    """What tells champions apart: SHA-256 of all their files with their names."""
    total = hashlib.sha256()
    for target, content in sorted(files.items()):
        for name, data in sorted(content.items()):
            total.update(json.dumps([target, name, len(data)]).encode())
            total.update(data)
    return total.hexdigest()


def portfolios(frozen: Mapping[str, Frozen]) -> tuple[Frozen, ...]:
    """The distinct portfolios that champions froze: mostly one, of one training."""
    return tuple({own.to_json(): own for own in frozen.values()}.values())


def prefixed(place: int, name: str) -> str:
    """What a column of one of the `portfolios` is called in a batch; the first keeps its names.

    Example:
        >>> prefixed(0, "ticket"), prefixed(1, "ticket")
        ('ticket', '_1_ticket')
    """
    return f"_{place}_{name}" if place else name  # a point would be read by Spark


def figure_named(name: str) -> str:
    """What a column that the portfolio's figures give is called in a batch.

    Example:
        >>> figure_named("potential_gap")
        '_figure_potential_gap'
    """
    return f"_figure_{name}"


def tables_in(batch: pa.RecordBatch, frozen: Mapping[str, Frozen]) -> dict[str, pa.Table]:
    """Per target, the features of a batch's customers under its champion's frozen portfolio."""
    tables: dict[bytes, pa.Table] = {}
    for place, own in enumerate(portfolios(frozen)):
        wanted = (*own.features, *(f"_{name}" for name in FACTS))
        there = ((name, prefixed(place, name)) for name in wanted)
        columns = {name: batch[theirs] for name, theirs in there if theirs in batch.schema.names}
        keys = {"customer_id": batch["customer_id"], "as_of": batch["as_of"]}
        known = with_expectations(
            pa.RecordBatch.from_pydict(keys | columns),
            own.features,
            reference=own.reference,
            horizons=own.horizons,
        )
        tables[own.to_json()] = pa.Table.from_batches([known])
    return {target: tables[own.to_json()] for target, own in frozen.items()}


def _figures(batch: pa.RecordBatch) -> pa.Table | None:
    """What the portfolio's figures say of a batch's customers; None where nothing is asked."""
    columns = {name: figure_named(name) for name in CUSTOMER_FIGURES}
    if not {*columns.values()} <= {*batch.schema.names}:
        return None
    told = {name: batch[theirs] for name, theirs in columns.items()}
    return pa.table({"customer_id": batch["customer_id"], **told})


def _champions(scorer: Scorer) -> Champions:
    """The champions, parsed once for each process."""
    if scorer.digest not in _parsed:
        _parsed.clear()
        _parsed[scorer.digest] = champions_from(scorer.files, scorer.lineage.versions)
    return _parsed[scorer.digest]


def _told(rows: pa.Table, features: pa.Table, *, as_of: date) -> pa.RecordBatch:
    """Customer rows at the delivered precision, or why they are not delivered, in their order."""
    made = prepare(rows, CUSTOMER_ROWS, as_of=as_of)
    good = pa.array(made.numbers - 1)
    columns = {name: made.rows[name] for name in CUSTOMER_ROWS.names}
    beside = features.take(good)
    columns |= {f"_{name}": beside[name] for name in PROFILED}
    columns[FEATURES] = _features_of_most_at_risk(made.rows, beside)
    nobody = pa.nulls(made.rows.num_rows, pa.string())
    kept = pa.table(columns | {FATE: nobody, REJECT: nobody}).select(SCORED.names)
    if not made.rejects:
        return _batch(kept)
    refused = pa.Table.from_batches([_stubs(REJECTED, len(made.rejects), made.rejects)])
    places = [*made.numbers, *(reject.row_number for reject in made.rejects)]
    everybody = pa.concat_tables([kept.cast(SCORED), refused])
    return _batch(everybody.take(pa.array(np.argsort(places))))


def _stubs(fate: str, count: int, rejects: Sequence[Reject] = ()) -> pa.RecordBatch:
    """Rows that say no more than why they are not delivered, and as what they came."""
    given = {FATE: pa.repeat(pa.scalar(fate), count)}
    if rejects:
        given[REJECT] = pa.array([json.dumps([r.customer_id, r.reason, r.row]) for r in rejects])
    columns = [given.get(field.name, pa.nulls(count, field.type)) for field in SCORED]
    return pa.RecordBatch.from_arrays(columns, schema=SCORED)


def _features_of_most_at_risk(rows: pa.Table, features: pa.Table) -> pa.Array:
    """The features of those who have most to lose, as JSON; null for all others."""
    risk = pc.fill_null(rows["value_at_risk"], -1.0)
    most = pc.select_k_unstable(
        pa.table({"risk": risk, "customer_id": rows["customer_id"]}),
        SHOWN,
        sort_keys=[("risk", "descending"), ("customer_id", "ascending")],
    )
    told: list[str | None] = [None] * rows.num_rows
    chosen = features.take(most).to_pylist()
    for place, row in zip(most.to_pylist(), chosen, strict=True):
        told[place] = json.dumps(row)
    return pa.array(told, pa.string())


def _batch(table: pa.Table) -> pa.RecordBatch:
    [batch] = table.cast(SCORED).combine_chunks().to_batches()
    return batch
