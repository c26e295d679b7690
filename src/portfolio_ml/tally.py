"""What a worker tells of the customer rows of one file, so that nobody else need read them.

All of it is small however many the rows are: counts, a sum for the digest, sums by section, those
with most to lose, and a sample for medians.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from portfolio_ml.report.customers import SHOWN
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scorer import ERASED, FEATURES, PROFILED, REJECT, REJECTED
from portfolio_ml.sinks.parts import FATE, ROWS_AT_ONCE, nullable, sum_of
from portfolio_ml.sinks.rows import Reject

SECTIONS = ("segment_id", "segment_name", "lifecycle_stage", "value_tier", "abstention")
"""The columns by whose values rows are summed."""
_KEYS = ("customer_id", "as_of")
_SUMS = [
    ([], "count_all"),
    ("is_active", "sum"),
    ("p_churn", "sum"),
    ("p_churn", "count"),
    ("ltv", "sum"),
    ("value_at_risk", "sum"),
    ("_net_spend", "sum"),
]
_SUMMED = ("count_all", *(f"{name}_{how}" for name, how in _SUMS[1:]))


@dataclass(frozen=True, slots=True)
class Tally:
    """What one file, or all of them, have.

    Attributes:
        rows: How many rows are delivered.
        erased: How many were of customers who were erased.
        sum: Of the delivered rows, as `sinks.parts.sum_of` gives it.
        rejects: The rows that break a rule, by their places among those not erased, from 1.
        sections: Per combination of `SECTIONS`, count_all and the sums of some columns.
        most: The delivered rows with most to lose, and their features as JSON.
        sample: segment_name and `PROFILED` of some delivered rows, as good as drawn by lot.
    """

    rows: int
    erased: int
    sum: int
    rejects: tuple[Reject, ...]
    sections: pa.Table
    most: pa.Table
    sample: pa.Table

    @property
    def handed(self) -> int:
        """How many rows there were, good or bad, erased customers' included."""
        return self.rows + len(self.rejects) + self.erased

    def few(self) -> tuple[pa.Table, pa.Table]:
        """The customer rows of those with most to lose, and their features, in the same order."""
        features = [json.loads(text) for text in self.most[FEATURES].to_pylist()]
        names = features[0] if features else (*_KEYS, *PROFILED)  # where everybody was erased
        columns = {name: [row[name] for row in features] for name in names}
        return self.most.select(CUSTOMER_ROWS.names), pa.table(
            {
                name: pa.array(values, None if name in _KEYS else pa.float32())
                for name, values in columns.items()
            }
        )

    def to_text(self) -> str:
        """The tally as JSON."""
        return json.dumps(
            {
                "rows": self.rows,
                "erased": self.erased,
                "sum": hex(self.sum),
                "rejects": [[r.row_number, r.customer_id, r.reason, r.row] for r in self.rejects],
                "tables": [_packed(t) for t in (self.sections, self.most, self.sample)],
            }
        )

    @classmethod
    def from_text(cls, text: str) -> "Tally":
        """The tally that `to_text` gave."""
        told = json.loads(text)
        sections, most, sample = map(_unpacked, told["tables"])
        rejects = tuple(Reject(*reject) for reject in told["rejects"])
        total = int(told["sum"], 16)
        return cls(told["rows"], told["erased"], total, rejects, sections, most, sample)


@dataclass(frozen=True, slots=True)
class Tallying:
    """Tallies one of several files, in any process.

    Attributes:
        files: Parquet files with rows of `scorer.SCORED`.
        sampled: So many rows of each are enough for medians.
    """

    files: tuple[Path, ...]
    sampled: int

    def __call__(self, number: int) -> str:
        """The tally of a file, as JSON."""
        return tally_of(self.files[number], sampled=self.sampled).to_text()


def tally_of(file: Path, *, sampled: int) -> Tally:
    """What a file with rows of `scorer.SCORED` has.

    Args:
        file: The file.
        sampled: So many of its rows are enough for medians.
    """
    handed = erased = total = 0
    rejects: list[Reject] = []
    sections, most, sample = [_summed(_empty())], [_most(_empty())], [_profiled(_empty())]
    every = max(1, _rows_in(file) // max(sampled, 1))
    for batch in _batches(file):
        fates = batch[FATE]
        erased += pc.sum(pc.equal(fates, ERASED)).as_py() or 0
        mine = batch.filter(pc.fill_null(pc.not_equal(fates, ERASED), fill_value=True))
        rejects += _rejects(mine, after=handed)
        handed += mine.num_rows
        good = pa.Table.from_batches([mine.filter(pc.is_null(mine[FATE]))])
        total += sum_of(_contracted(good), CUSTOMER_ROWS)
        sections.append(_summed(good))
        most.append(_most(good))
        sample.append(_profiled(good.take(np.arange(0, good.num_rows, every))))
    return Tally(
        rows=handed - len(rejects),
        erased=erased,
        sum=total,
        rejects=tuple(rejects),
        sections=_summed_again(sections),
        most=_most(pa.concat_tables(most)),
        sample=pa.concat_tables(sample),
    )


def together(tallies: Sequence[Tally]) -> Tally:
    """What several files have, in this order."""
    rejects: list[Reject] = []
    handed = 0
    for each in tallies:
        for reject in each.rejects:
            number = handed + reject.row_number
            rejects.append(Reject(number, reject.customer_id, reject.reason, reject.row))
        handed += each.rows + len(each.rejects)
    return Tally(
        rows=sum(each.rows for each in tallies),
        erased=sum(each.erased for each in tallies),
        sum=sum(each.sum for each in tallies),
        rejects=tuple(rejects),
        sections=_summed_again([_summed(_empty()), *(each.sections for each in tallies)]),
        most=_most(pa.concat_tables([_most(_empty()), *(each.most for each in tallies)])),
        sample=pa.concat_tables([_profiled(_empty()), *(each.sample for each in tallies)]),
    )


def _read() -> pa.Schema:
    """What is read of a file."""
    others = [pa.field(name, pa.string()) for name in (FATE, REJECT, FEATURES)]
    profiled = [pa.field(f"_{name}", pa.float32()) for name in PROFILED]
    return pa.schema([*nullable(CUSTOMER_ROWS), *others, *profiled])


def _empty() -> pa.Table:
    return _read().empty_table()


def _rows_in(file: Path) -> int:
    rows: int = pq.read_metadata(file).num_rows
    return rows


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    schema = _read()
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(ROWS_AT_ONCE, columns=schema.names):
            columns = [batch[field.name].cast(field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _contracted(rows: pa.Table) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = rows.select(CUSTOMER_ROWS.names).to_batches()
    return batches


def _rejects(batch: pa.RecordBatch, *, after: int) -> list[Reject]:
    places = pc.indices_nonzero(pc.fill_null(pc.equal(batch[FATE], REJECTED), fill_value=False))
    told = batch[REJECT].take(places).to_pylist()
    return [
        Reject(after + place + 1, *json.loads(text))
        for place, text in zip(places.to_pylist(), told, strict=True)
    ]


def _summed(rows: pa.Table) -> pa.Table:
    return rows.group_by([*SECTIONS], use_threads=False).aggregate(_SUMS)


def _summed_again(tables: Sequence[pa.Table]) -> pa.Table:
    """The sums of tables that `_summed` gave."""
    groups = pa.concat_tables(tables).group_by([*SECTIONS], use_threads=False)
    summed = groups.aggregate([(name, "sum") for name in _SUMMED])
    return summed.select([*SECTIONS, *(f"{name}_sum" for name in _SUMMED)]).rename_columns(
        [*SECTIONS, *_SUMMED]
    )


def _most(rows: pa.Table) -> pa.Table:
    """Those with most to lose, most first."""
    order = [("value_at_risk", "descending"), ("customer_id", "ascending")]
    chosen = rows.select([*CUSTOMER_ROWS.names, FEATURES])
    return chosen.filter(pc.is_valid(chosen[FEATURES])).sort_by(order).slice(0, SHOWN)


def _profiled(rows: pa.Table) -> pa.Table:
    return rows.select(["segment_name", *(f"_{name}" for name in PROFILED)])


def _packed(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def _unpacked(text: str) -> pa.Table:
    return pa.ipc.open_stream(base64.b64decode(text)).read_all()
