"""The history as it was on each as-of day, and a customer's aggregates over it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import narwhals as nw
import pyarrow as pa

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.features.account import YEAR_AGO
from portfolio_ml.features.catalogue import Catalogue
from portfolio_ml.features.days import days_of
from portfolio_ml.features.feature import Stage
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.timeline import in_history, in_window, is_among_last

KEYS = ("customer", "as_of")
YEAR_DAYS = 365
LONG_AGO = -1_000_000


def dates(as_of_days: Sequence[int], engine: Engine) -> Frame:
    """The as-of days as a table to join, each once, ascending."""
    days = pa.array(sorted(set(as_of_days)), pa.int32())
    return engine.from_arrow(pa.table({"as_of": days}))


def tables_at(inputs: Inputs, as_of_days: Sequence[int]) -> dict[str, Frame]:
    """What aggregates at some as-of days read: `dates`, `seen` (see `seen_at`) and other tables."""
    others = {
        "attributes": inputs.attributes,
        "interactions": inputs.interactions,
        "contacts": inputs.contacts,
    }
    return {
        "dates": dates(as_of_days, inputs.engine),
        "seen": seen_at(inputs, as_of_days),
        "lines": inputs.lines,
        **{name: frame for name, frame in others.items() if frame is not None},
    }


def seen_at(inputs: Inputs, as_of_days: Sequence[int]) -> Frame:
    """The days in history at each as-of day: one row per customer, as-of day and day."""
    as_of = nw.col("as_of")
    if "known_day" in inputs.columns:
        seen = nw.concat([_days_known_on(inputs, day) for day in as_of_days])
    else:
        on_days = dates(as_of_days, inputs.engine)
        seen = inputs.days.join(on_days, how="cross").filter(in_history(nw.col("day"), as_of))
    return seen.with_columns(
        age_days=as_of - nw.col("day"),
        is_last=nw.col("is_purchase") & is_among_last(nw.col("next_day"), as_of),
        is_recent=nw.col("is_purchase") & is_among_last(nw.col("third_next_day"), as_of),
    )


def _days_known_on(inputs: Inputs, as_of_day: int) -> Frame:
    """The days from the lines that had been recorded by an as-of day."""
    known = inputs.lines.filter(in_history(nw.col("known_day"), as_of_day))
    days = days_of(known, inputs.columns, inputs.span, inputs.engine)
    return days.with_columns(as_of=nw.lit(as_of_day).cast(nw.Int32))


def aggregated(tables: Mapping[str, Frame], catalogue: Catalogue) -> Frame:
    """One row per customer with a purchase and as-of day: the features that are aggregates.

    Args:
        tables: What `tables_at` gave.
        catalogue: The features.
    """
    frames = stages_seen(tables, catalogue)
    days = _grouped(frames.pop(Stage.DAYS), catalogue, Stage.DAYS)
    customers = days.filter(nw.col("purchase_days") > 0)
    zero_if_absent: list[nw.Expr] = []
    for stage, frame in frames.items():
        customers = customers.join(_grouped(frame, catalogue, stage), on=[*KEYS], how="left")
        zero_if_absent += [
            nw.col(f.name).fill_null(0) for f in catalogue.of_stage(stage) if not f.null
        ]
    if zero_if_absent:
        customers = customers.with_columns(*zero_if_absent)
    if "attributes" not in tables:
        return customers
    return customers.join(_attributes_seen(tables), on=[*KEYS], how="left")


def stages_seen(tables: Mapping[str, Frame], catalogue: Catalogue) -> dict[Stage, Frame]:
    """The frames that the catalogue's aggregates are over, by stage; that of `DAYS` comes first."""
    frames: dict[Stage, Callable[[], Frame]] = {
        Stage.LINES: partial(_lines_seen, tables),
        Stage.CATEGORIES: partial(_by, tables, "category"),
        Stage.CHANNELS: partial(_by, tables, "channel"),
    }
    for stage in (Stage.INTERACTIONS, Stage.CONTACTS):
        if (name := stage.name.lower()) in tables:
            frames[stage] = partial(_in_history, tables[name], tables["dates"])
    others = {stage: frame() for stage, frame in frames.items() if catalogue.of_stage(stage)}
    return {Stage.DAYS: tables["seen"], **others}


def _in_history(rows: Frame, dates: Frame, since: str = "day") -> Frame:
    """The rows in history at each as-of day, from the day in column `since` on, with their age."""
    as_of = nw.col("as_of")
    seen = rows.join(dates, how="cross").filter(in_history(nw.col(since), as_of))
    return seen.with_columns(age_days=as_of - nw.col("day"))


def _lines_seen(tables: Mapping[str, Frame]) -> Frame:
    """The lines in history at each as-of day."""
    lines = tables["lines"]
    since = "known_day" if "known_day" in lines.columns else "day"
    return _in_history(lines, tables["dates"], since)


def _by(tables: Mapping[str, Frame], column: str) -> Frame:
    """The purchase lines in history at each as-of day, summed by a column such as `category`."""
    bought = (nw.col("amount") >= 0) & ~nw.col(column).is_null()
    amount, age = nw.col("amount").cast(nw.Float64), nw.col("age_days")
    return (
        _lines_seen(tables)
        .filter(bought)
        .group_by(*KEYS, column)
        .agg(
            lines=nw.len().cast(nw.Float64),
            spend=amount.sum(),
            spend_365d=nw.when(in_window(age, YEAR_DAYS)).then(amount).otherwise(0).sum(),
            last_age_days=age.min(),
        )
    )


def _attributes_seen(tables: Mapping[str, Frame]) -> Frame:
    """Each customer's attributes on each as-of day, and under `..._365d_ago` a year before."""
    attributes = tables["attributes"]
    names = [n for n in attributes.columns if n not in ("customer", "valid_from")]
    since = attributes.with_columns(valid_from=nw.col("valid_from").fill_null(LONG_AGO))
    until = nw.col("valid_from").shift(-1).over("customer", order_by="valid_from")
    held = since.with_columns(_until=until).join(tables["dates"], how="cross")
    now = held.filter(_is_valid(nw.col("as_of"))).select(*KEYS, *names)
    then = held.filter(_is_valid(nw.col("as_of") - YEAR_DAYS))
    before = then.select(*KEYS, *(nw.col(name).alias(f"{name}{YEAR_AGO}") for name in names))
    return now.join(before, on=[*KEYS], how="left")


def _is_valid(day: nw.Expr) -> nw.Expr:
    return in_history(nw.col("valid_from"), day) & is_among_last(nw.col("_until"), day)


def _grouped(frame: Frame, catalogue: Catalogue, stage: Stage) -> Frame:
    named = {f.name: f.value for f in catalogue.of_stage(stage) if f.value is not None}
    return frame.group_by(*KEYS).agg(**named)
