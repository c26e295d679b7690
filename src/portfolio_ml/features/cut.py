"""The history as it was on each as-of day, and a customer's aggregates over it."""

from collections.abc import Callable, Sequence
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


def aggregated(inputs: Inputs, as_of_days: Sequence[int]) -> Frame:
    """One row per customer with a purchase and as-of day: the features that are aggregates."""
    catalogue = inputs.catalogue
    days = _grouped(seen_at(inputs, as_of_days), catalogue, Stage.DAYS)
    customers = days.filter(nw.col("purchase_days") > 0)
    zero_if_absent: list[nw.Expr] = []
    for stage, frame in _others(inputs, as_of_days).items():
        customers = customers.join(_grouped(frame, catalogue, stage), on=[*KEYS], how="left")
        zero_if_absent += [
            nw.col(f.name).fill_null(0) for f in catalogue.of_stage(stage) if not f.null
        ]
    if zero_if_absent:
        customers = customers.with_columns(*zero_if_absent)
    if inputs.attributes is None:
        return customers
    known = _attributes_at(inputs.attributes, as_of_days, inputs.engine)
    return customers.join(known, on=[*KEYS], how="left")


def stages_seen(inputs: Inputs, as_of_days: Sequence[int]) -> dict[Stage, Frame]:
    """The frames that the catalogue's aggregates are over, by stage."""
    return {Stage.DAYS: seen_at(inputs, as_of_days), **_others(inputs, as_of_days)}


def _others(inputs: Inputs, as_of_days: Sequence[int]) -> dict[Stage, Frame]:
    """The frames of the stages beside `DAYS` in which the catalogue has a feature."""
    frames: dict[Stage, Callable[[], Frame]] = {
        Stage.LINES: lambda: _lines_seen(inputs, as_of_days),
        Stage.CATEGORIES: lambda: _by(inputs, as_of_days, "category"),
        Stage.CHANNELS: lambda: _by(inputs, as_of_days, "channel"),
    }
    for stage, events in {
        Stage.INTERACTIONS: inputs.interactions,
        Stage.CONTACTS: inputs.contacts,
    }.items():
        if events is not None:
            frames[stage] = partial(_events_seen, events, as_of_days, inputs.engine)
    return {stage: frame() for stage, frame in frames.items() if inputs.catalogue.of_stage(stage)}


def _lines_seen(inputs: Inputs, as_of_days: Sequence[int]) -> Frame:
    """The lines in history at each as-of day."""
    known = nw.col("known_day") if "known_day" in inputs.columns else nw.col("day")
    return (
        inputs.lines.join(dates(as_of_days, inputs.engine), how="cross")
        .filter(in_history(known, nw.col("as_of")))
        .with_columns(age_days=nw.col("as_of") - nw.col("day"))
    )


def _by(inputs: Inputs, as_of_days: Sequence[int], column: str) -> Frame:
    """The purchase lines in history at each as-of day, summed by a column such as `category`."""
    bought = (nw.col("amount") >= 0) & ~nw.col(column).is_null()
    amount, age = nw.col("amount").cast(nw.Float64), nw.col("age_days")
    return (
        _lines_seen(inputs, as_of_days)
        .filter(bought)
        .group_by(*KEYS, column)
        .agg(
            lines=nw.len().cast(nw.Float64),
            spend=amount.sum(),
            spend_365d=nw.when(in_window(age, YEAR_DAYS)).then(amount).otherwise(0).sum(),
            last_age_days=age.min(),
        )
    )


def _events_seen(events: Frame, as_of_days: Sequence[int], engine: Engine) -> Frame:
    """The events in history at each as-of day."""
    as_of = nw.col("as_of")
    seen = events.join(dates(as_of_days, engine), how="cross")
    seen = seen.filter(in_history(nw.col("day"), as_of))
    return seen.with_columns(age_days=as_of - nw.col("day"))


def _attributes_at(attributes: Frame, as_of_days: Sequence[int], engine: Engine) -> Frame:
    """Each customer's attributes on each as-of day, and under `..._365d_ago` a year before."""
    names = [n for n in attributes.columns if n not in ("customer", "valid_from")]
    since = attributes.with_columns(valid_from=nw.col("valid_from").fill_null(LONG_AGO))
    until = nw.col("valid_from").shift(-1).over("customer", order_by="valid_from")
    held = since.with_columns(_until=until).join(dates(as_of_days, engine), how="cross")
    now = held.filter(_is_valid(nw.col("as_of"))).select(*KEYS, *names)
    then = held.filter(_is_valid(nw.col("as_of") - YEAR_DAYS))
    before = then.select(*KEYS, *(nw.col(name).alias(f"{name}{YEAR_AGO}") for name in names))
    return now.join(before, on=[*KEYS], how="left")


def _is_valid(day: nw.Expr) -> nw.Expr:
    return in_history(nw.col("valid_from"), day) & is_among_last(nw.col("_until"), day)


def _grouped(frame: Frame, catalogue: Catalogue, stage: Stage) -> Frame:
    named = {f.name: f.value for f in catalogue.of_stage(stage) if f.value is not None}
    return frame.group_by(*KEYS).agg(**named)
