"""Features joined to labels, split by time and by customer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import Horizons, at, computed
from portfolio_ml.labels import MARGIN, labels, outcomes
from portfolio_ml.schema import TRAINING_ROWS, Measure
from portfolio_ml.steps import Progress, unheard

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Labelled rows, one per customer and snapshot day; arrays have shape (rows,).

    Attributes:
        names: The feature columns, in order.
        features: Their values, float32, shape (rows, features); NaN is null.
        customer: A number per customer, the same over all snapshots.
        day: The snapshot day.
        churned: Whether there was no purchase day within the churn horizon.
        spend: Purchases within the value horizon, currency units, at least 0.
        returned: Returns within the value horizon, currency units, at least 0.
        references: What was fitted across customers, per snapshot day.
        margin: Net spend minus the cost of the goods within the value horizon, currency units;
            None where value is revenue.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    customer: NDArray[np.int64]
    day: NDArray[np.int32]
    churned: NDArray[np.bool_]
    spend: Floats
    returned: Floats
    references: Mapping[int, Reference]
    margin: Floats | None = None

    def __len__(self) -> int:
        return len(self.day)

    @property
    def net(self) -> Floats:
        """Spend minus returns."""
        return self.spend - self.returned

    @property
    def value(self) -> Floats:
        """What is predicted: the margin where that is measured, else net spend."""
        return self.net if self.margin is None else self.margin

    def inputs(self, names: Sequence[str]) -> NDArray[np.float32]:
        """The named features, shape (rows, names); `as_of` among them is the snapshot day."""
        if tuple(names) == self.names:
            return self.features
        columns = (self.day if name == "as_of" else self.column(name) for name in names)
        return np.column_stack([column.astype(np.float32) for column in columns])

    def column(self, name: str) -> NDArray[np.float32]:
        """One feature's values."""
        return self.features[:, self.names.index(name)]

    def where(self, chosen: NDArray[np.bool_]) -> "Snapshots":
        """The chosen rows."""
        return Snapshots(
            names=self.names,
            features=self.features[chosen],
            customer=self.customer[chosen],
            day=self.day[chosen],
            churned=self.churned[chosen],
            spend=self.spend[chosen],
            returned=self.returned[chosen],
            references=self.references,
            margin=None if self.margin is None else self.margin[chosen],
        )

    def on(self, days: Sequence[int]) -> "Snapshots":
        """The rows of some snapshot days."""
        return self.where(np.isin(self.day, list(days)))

    def at_most(self, rows: int, seed: int) -> "Snapshots":
        """All rows, or at most `rows` of them: those of a random sample of customers.

        A customer comes with all rows or none; at least one customer does.
        """
        if len(self) <= rows:
            return self
        customers, counts = np.unique(self.customer, return_counts=True)
        order = np.random.default_rng(seed).permutation(customers.size)
        fitting = np.cumsum(counts[order]) <= rows
        fitting[0] = True
        return self.where(np.isin(self.customer, customers[order[fitting]]))


def labelled(
    inputs: Inputs,
    snapshot_days: Sequence[int],
    *,
    horizons: Horizons,
    measure: Measure = "revenue",
    references: Mapping[int, Reference] | None = None,
    progress: Progress = unheard,
) -> Snapshots:
    """Features and outcomes at each of the snapshot days, from one query each.

    The outcome windows must lie within the history; `timeline.snapshots` sees to that.

    Args:
        inputs: What features and outcomes are computed from.
        snapshot_days: Day numbers.
        horizons: How far the outcomes look ahead.
        measure: What value is.
        references: What was fitted across customers, per snapshot day; fitted here where not given.
        progress: Told which share of the features is computed.
    """
    table = at(inputs, snapshot_days, horizons=horizons, references=references, progress=progress)
    joined = with_outcomes(table.rows, inputs, snapshot_days, horizons=horizons, measure=measure)
    names = inputs.catalogue.model_inputs
    return Snapshots(
        names=names,
        features=matrix(joined, names),
        customer=_codes(joined["customer_id"].combine_chunks()),
        day=joined["as_of"].to_numpy(),
        churned=joined["future_purchase_days"].to_numpy() == 0,
        spend=joined["future_spend"].to_numpy().astype(np.float64),
        returned=joined["future_returned"].to_numpy().astype(np.float64),
        references=table.references,
        margin=joined[MARGIN].to_numpy().astype(np.float64) if measure == "margin" else None,
    )


def with_outcomes(
    rows: pa.Table,
    inputs: Inputs,
    snapshot_days: Sequence[int],
    *,
    horizons: Horizons,
    measure: Measure = "revenue",
) -> pa.Table:
    """A feature table's rows with the columns that `labels.labels` names, in the same order."""
    engine, keys, names = inputs.engine, ["customer_id", "as_of"], labels(measure)
    found = outcomes(inputs, snapshot_days, horizons=horizons, measure=measure)
    named = found.join(inputs.customers, on="customer", how="inner").select(*keys, *names)
    asked = rows.select(keys).append_column("row", pa.array(np.arange(rows.num_rows)))
    answered = engine.from_arrow(asked).join(named, on=keys, how="left")
    known = (nw.col(name).fill_null(0) for name in names)
    columns = engine.collect(answered.select("row", *known).sort("row"))
    for name in names:
        rows = rows.append_column(name, columns[name])
    return rows


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Features and outcomes at each snapshot day, for those who train elsewhere; not yet computed.

    Attributes:
        inputs: What features and outcomes are computed from.
        weights: Per snapshot day, what its rows weigh.
        horizons: How far the outcomes look ahead; their windows lie within the history.
        measure: What value is; of margin there is a column more.
    """

    inputs: Inputs
    weights: Mapping[int, float]
    horizons: Horizons
    measure: Measure = "revenue"

    @property
    def schema(self) -> pa.Schema:
        """The columns: those of `schema.TRAINING_ROWS`, with the features before the outcomes.

        The last one is `future_margin` where margin is measured.
        """
        known = [pa.field(c.name, c.type) for c in TRAINING_ROWS.columns]
        if self.measure == "margin":
            known.append(pa.field(MARGIN, pa.float64()))
        first = TRAINING_ROWS.names.index("churned")
        features = [pa.field(name, pa.float32()) for name in self.inputs.catalogue.names]
        return pa.schema([*known[:first], *features, *known[first:]])

    def batches(self, progress: Progress) -> Iterator[pa.RecordBatch]:
        """The rows, one snapshot day after the other, sorted by as_of and customer_id.

        What is kept of a day is dropped before the next: the features of all days would fill the
        disk.

        Args:
            progress: Told which share is done.
        """
        for done, day in enumerate(sorted(self.weights)):
            with self.inputs.engine.scope() as engine:
                inputs = replace(self.inputs, engine=engine)
                found = computed(inputs, [day], horizons=self.horizons)
                after = engine.keep(
                    outcomes(inputs, [day], horizons=self.horizons, measure=self.measure)
                )
                rows, total = 0, found.count()
                for batch in found.batches(after):
                    yield self._row_batch(batch, day)
                    rows += batch.num_rows
                    progress((done + rows / total) / len(self.weights))

    def _row_batch(self, batch: pa.RecordBatch, day: int) -> pa.RecordBatch:
        rows = batch.num_rows
        known = {name: pc.fill_null(batch[name], 0) for name in labels(self.measure)}
        until = day + max(self.horizons.churn_days, self.horizons.value_days)
        columns = {
            "group": pa.array(_codes(batch["customer_id"])),
            "as_of": batch["as_of"].cast(pa.date32()),
            "outcome_until": pa.repeat(pa.scalar(until, pa.int32()), rows).cast(pa.date32()),
            "weight": pa.repeat(self.weights[day], rows),
            "churned": pc.equal(known["future_purchase_days"], 0),
            "future_net": pc.subtract(known["future_spend"], known["future_returned"]),
            **known,
        }
        return pa.RecordBatch.from_arrays(
            [columns[n] if n in columns else batch[n] for n in self.schema.names],
            schema=self.schema,
        )


def matrix(rows: pa.Table, names: Sequence[str]) -> NDArray[np.float32]:
    """Feature columns as an array, shape (rows, names); null becomes NaN.

    Example:
        >>> rows = pa.table({"recency_days": [3.0, 8.0], "gap_mean_days": [None, 4.0]})
        >>> matrix(rows, ["gap_mean_days", "recency_days"])
        array([[nan,  3.],
               [ 4.,  8.]], dtype=float32)
    """
    values = np.empty((rows.num_rows, len(names)), dtype=np.float32, order="F")
    for position, name in enumerate(names):
        values[:, position] = rows[name].to_numpy(zero_copy_only=False)
    return values


def _codes(customer_id: pa.StringArray) -> NDArray[np.int64]:
    """A number per customer that follows from the id alone.

    So a customer stays in the same fold, whatever the dates and whoever else is there.
    """
    encoded = pc.dictionary_encode(customer_id)
    hashed = [
        int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
        for name in encoded.dictionary.to_pylist()
    ]
    codes: NDArray[np.int64] = np.array(hashed, np.int64)[encoded.indices.to_numpy()]
    return codes
