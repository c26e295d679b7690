"""The feature table: `at(inputs, as_of_days)` gives customer x as-of rows.

Nothing dated after a row's own as-of day can reach it: the history is cut before anything is
aggregated, and what is fitted across customers is fitted on the cut history. Many as-of days are
one query; many customers are parts of it, so that memory does not grow with the portfolio.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.exceptions import ColumnNotFoundError
from numpy.typing import NDArray

from portfolio_ml.engine import Frame
from portfolio_ml.features.catalogue import Catalogue
from portfolio_ml.features.cut import KEYS, aggregated, tables_at
from portfolio_ml.features.expectations import EXPECTATIONS
from portfolio_ml.features.feature import Feature, Stage, features_hash
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.reference import (
    FACTS,
    Reference,
    fit_references,
    reference_tables,
    with_references,
)
from portfolio_ml.steps import Progress, unheard

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Horizons:
    """How far the customer-base expectations look ahead, in days."""

    churn_days: int
    value_days: int


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of every customer with a purchase in history, at one or more as-of days.

    Attributes:
        rows: customer_id (text), as_of (day number), then one float32 column per feature; sorted
            by as_of and customer_id.
        references: What was fitted across customers, per as-of day.
        hash: The digest of the feature definitions and horizons.
    """

    rows: pa.Table
    references: Mapping[int, Reference]
    hash: str

    def dated_rows(self) -> pa.Table:
        """The rows with as_of as a date, for readers outside the package."""
        position = self.rows.column_names.index("as_of")
        return self.rows.set_column(position, "as_of", self.rows["as_of"].cast(pa.date32()))

    def on(self, as_of_day: int) -> pa.Table:
        """The rows of one as-of day."""
        return self.rows.filter(pc.equal(self.rows["as_of"], as_of_day))


@dataclass(frozen=True, slots=True)
class Computed:
    """The features before they are collected: what needs only the customer, in the engine.

    Attributes:
        parts: Frames over ascending ranges of customers, one row per customer and as-of day.
        references: What was fitted across customers, per as-of day.
        horizons: How far the customer-base expectations look ahead.
        inputs: What it was computed from.
    """

    parts: Sequence[Frame]
    references: Mapping[int, Reference]
    horizons: Horizons
    inputs: Inputs

    @property
    def schema(self) -> pa.Schema:
        """The columns of `batches`."""
        return _schema_of(self.inputs.catalogue.names)

    def count(self) -> int:
        """How many rows `batches` will give."""
        collect = self.inputs.engine.collect
        counts = (collect(part.select(rows=nw.len()))["rows"][0].as_py() for part in self.parts)
        return sum(counts)

    def batches(self, beside: Frame | None = None) -> Iterator[pa.RecordBatch]:
        """The feature table's rows, sorted by as_of and customer_id, a batch at a time.

        Args:
            beside: At most one row per customer and as-of day, whose other columns are to come
                along, null where it has none.
        """
        for day, reference in sorted(self.references.items()):
            for part in self.parts:
                on_day = part.filter(nw.col("as_of") == day)
                rows = self._expressed(on_day, {day: reference}, beside).sort("customer")
                for batch in self.inputs.engine.batches(rows):
                    yield with_expectations(
                        batch.drop_columns("customer"),
                        self.inputs.catalogue.names,
                        reference=reference,
                        horizons=self.horizons,
                    )

    def expressed(self) -> Frame:
        """All rows in the engine, in no order, still without the customer-base models' features.

        `with_expectations` adds those to a batch of them.
        """
        parts = (self._expressed(part, self.references, None) for part in self.parts)
        return nw.concat([*parts]).drop("customer")

    def _expressed(
        self, part: Frame, references: Mapping[int, Reference], beside: Frame | None
    ) -> Frame:
        """The rows at the references' as-of days, as `_of_portfolio` has them."""
        inputs = self.inputs
        tables = {"part": part, "customers": inputs.customers}
        tables |= reference_tables(references, inputs)
        if beside is not None:
            tables["beside"] = beside
        return inputs.engine.planned(_of_portfolio, tables, inputs.catalogue)


def _of_portfolio(tables: Mapping[str, Frame], catalogue: Catalogue) -> Frame:
    """All that is not of the customer-base models, as float32, with the facts for those."""
    frame = with_features(with_references(tables, catalogue), catalogue, Stage.PORTFOLIO)
    names = [f.name for f in catalogue.features if f.stage is not Stage.MODEL]
    others: list[str] = []
    if "beside" in tables:
        others = [name for name in tables["beside"].columns if name not in KEYS]
        frame = frame.join(tables["beside"], on=[*KEYS], how="left")
    return frame.join(tables["customers"], on="customer", how="inner").select(
        "customer",
        "customer_id",
        "as_of",
        *(nw.col(name).cast(nw.Float64).alias(f"_{name}") for name in FACTS),
        *(nw.col(name).cast(nw.Float32) for name in names),
        *others,
    )


def with_expectations(
    batch: pa.RecordBatch, names: Sequence[str], *, reference: Reference, horizons: Horizons
) -> pa.RecordBatch:
    """A batch of the feature table, out of what the engine has expressed of it.

    Needs neither the engine nor the catalogue, so that a worker of Spark's can do it.

    Args:
        batch: Rows as `Computed.expressed` has them; columns that are no features come along.
        names: The features, in the order of the table.
        reference: What was fitted across customers at the rows' as-of day.
        horizons: How far the customer-base expectations look ahead.
    """
    expected: Mapping[str, Floats] = {}
    if _EXPECTED & {*names}:  # dear, and some ask for none of them
        facts = np.stack([batch[f"_{name}"].to_numpy(zero_copy_only=False) for name in FACTS])
        expected = reference.expectations(
            facts, churn_days=horizons.churn_days, value_days=horizons.value_days
        )
    columns = {"customer_id": batch["customer_id"], "as_of": batch["as_of"]}
    for name in names:
        is_expected = name in _EXPECTED
        columns[name] = pa.array(expected[name].astype(np.float32)) if is_expected else batch[name]
    known = pa.RecordBatch.from_pydict(columns, schema=_schema_of(names))
    facts_and_keys = {f"_{name}" for name in FACTS} | {*columns}
    for name in batch.schema.names:
        if name not in facts_and_keys:
            known = known.append_column(name, batch[name])
    return known


_EXPECTED = frozenset(feature.name for feature in EXPECTATIONS)


def _schema_of(names: Sequence[str]) -> pa.Schema:
    keys = [pa.field("customer_id", pa.string()), pa.field("as_of", pa.int32())]
    return pa.schema([*keys, *(pa.field(name, pa.float32()) for name in names)])


def definitions_hash(catalogue: Catalogue, horizons: Horizons) -> str:
    """The digest of the catalogue as it is computed for these horizons."""
    return features_hash(
        catalogue.features, f"horizons {horizons.churn_days} {horizons.value_days}"
    )


def at(
    inputs: Inputs,
    as_of_days: Sequence[int],
    *,
    horizons: Horizons,
    references: Mapping[int, Reference] | None = None,
    progress: Progress = unheard,
) -> FeatureTable:
    """The features of every customer with a purchase in history, at each of `as_of_days`.

    Args:
        inputs: What `inputs_of` gave.
        as_of_days: Day numbers; a day on which nobody had bought yet has no rows.
        horizons: How far the customer-base expectations look ahead.
        references: What was fitted across customers, per as-of day; fitted here where not given.
        progress: Told which share is done: of each day, a half when its reference is fitted.

    Raises:
        DataError: There is nobody to fit a reference on, on any of the days.
    """
    with inputs.engine.scope() as engine:
        found = computed(
            replace(inputs, engine=engine),
            as_of_days,
            horizons=horizons,
            references=references,
            progress=lambda share: progress(share / 2),
        )
        rows = engine.spooled(_told(found, progress), found.schema)
    return FeatureTable(rows, found.references, definitions_hash(inputs.catalogue, horizons))


def computed(
    inputs: Inputs,
    as_of_days: Sequence[int],
    *,
    horizons: Horizons,
    references: Mapping[int, Reference] | None = None,
    progress: Progress = unheard,
) -> Computed:
    """The same as `at`, not yet collected, for those who write it somewhere.

    `progress` is told which share of the references is fitted.
    """
    engine, days = inputs.engine, sorted({*as_of_days})
    frames = [customers_at(part, days) for part in inputs.parts(len(days))]
    if references is not None and len(days) == 1:  # each part is read once
        return Computed(frames, {day: references[day] for day in days}, horizons, inputs)
    parts = [engine.keep(frame) for frame in frames]
    if references is None:
        fitted = fit_references(parts, days, inputs, progress=progress)
    else:
        fitted = {day: references[day] for day in days}
    return Computed(parts, fitted, horizons, inputs)


def _told(found: Computed, progress: Progress) -> Iterator[pa.RecordBatch]:
    """The batches, telling when the second half of each day is done."""
    days = sorted(found.references)
    before: int | None = None
    for batch in found.batches():
        day = batch["as_of"][0].as_py() if batch.num_rows else before
        if day != before and before is not None:
            progress(0.5 + (days.index(before) + 1) / len(days) / 2)
        before = day
        yield batch


def customers_at(inputs: Inputs, as_of_days: Sequence[int]) -> Frame:
    """One row per customer with a purchase and as-of day, with all that needs only the customer."""
    tables = tables_at(inputs, as_of_days)
    return inputs.engine.planned(_of_customers, tables, inputs.catalogue)


def _of_customers(tables: Mapping[str, Frame], catalogue: Catalogue) -> Frame:
    frame = aggregated(tables, catalogue)
    for stage in (Stage.ATTRIBUTES, Stage.CUSTOMER):
        frame = with_features(frame, catalogue, stage)
    return frame


def with_features(frame: Frame, catalogue: Catalogue, stage: Stage) -> Frame:
    """The frame with the features of one stage, each of which may use those before it.

    Those that need none of the others are one step of the query.
    """
    waiting = [f for f in catalogue.of_stage(stage) if f.value is not None]
    while waiting:
        nothing = pa.table({name: pa.array([], pa.float64()) for name in frame.columns})
        ready = [f for f in waiting if _can_be_read(f, nothing)] or waiting[:1]
        frame = frame.with_columns(f.value.alias(f.name) for f in ready if f.value is not None)
        read = {feature.name for feature in ready}
        waiting = [feature for feature in waiting if feature.name not in read]
    return frame


def _can_be_read(feature: Feature, nothing: pa.Table) -> bool:
    """Whether a feature reads only columns of this table, whatever their types."""
    try:
        nw.from_native(nothing, eager_only=True).select(feature.value)
    except ColumnNotFoundError:
        return False
    except Exception:  # noqa: BLE001 - the columns are there: what is wrong is told by the engine
        return True
    return True
