"""What each mapped column of unread rows says as its kind, and what stands there."""

from collections.abc import Mapping, Sequence

import narwhals as nw

from portfolio_ml.config import Settings, TableSource
from portfolio_ml.engine import Engine, Frame, Kind, Reader, Reading
from portfolio_ml.errors import DataError
from portfolio_ml.schema import Table
from portfolio_ml.sources import Unread

_NESTED = (nw.List, nw.Array, nw.Struct, nw.Map)
_UNFIT = {
    "text": _NESTED,
    "number": (*_NESTED, nw.Boolean, nw.Binary, nw.Date, nw.Datetime, nw.Time, nw.Duration),
    "day": (*_NESTED, nw.Boolean, nw.Binary, nw.Time, nw.Duration),
    "minute": (),
}
_CALLED = {"text": "text", "number": "numbers", "day": "dates"}


def value(name: str) -> nw.Expr:
    """What one of our columns says, read as its kind; null where it cannot be read."""
    return nw.col(f"_{name}")


def shown(name: str) -> nw.Expr:
    """What stands in the source for one of our columns, as text; null where nothing does."""
    return nw.col("_line" if name == "line" else f"_{name}:text")


def parsed(
    raw: Unread,
    kinds: Mapping[str, Kind],
    engine: Reader,
    *,
    of: Table,
    settings: Settings,
) -> Frame:
    """The rows with what each mapped column says as its kind, and what stands there.

    Args:
        raw: The rows.
        kinds: The kind of each column to read; `minute` is read from the timestamp.
        engine: Where they are computed.
        of: Which table it is.
        settings: Its format and the time zone.
    """
    readings = [
        reading
        for name, kind in kinds.items()
        if name in raw.columns or (kind == "minute" and not _is_date(raw, "timestamp"))
        for reading in _readings(name, kind, raw.factors("timestamp" if kind == "minute" else name))
    ]
    _demand_plain(raw, kinds, engine, of=of)
    source: TableSource = getattr(settings.data, of.name)
    return engine.parsed(raw.frame, readings, timezone=settings.timezone, written=source.format)


def values_of(name: str, raw: Unread, engine: Reader, *, of: Table, settings: Settings) -> Frame:
    """What one of our columns says in any row, as text, each once and without null.

    Args:
        name: Our column, which the frame has under its own name.
        raw: The rows.
        engine: Where they are computed.
        of: Which table it is.
        settings: Its format.
    """
    source: TableSource = getattr(settings.data, of.name)
    [reading, _] = _readings(name, "text", raw.factors(name))
    written = source.format
    found = engine.values(raw.frame, [reading], timezone=settings.timezone, written=written)
    return found.select(value(name).alias(name)).filter(~nw.col(name).is_null())


def tells_minutes(kept: Frame, engine: Engine) -> bool:
    """Whether the rows' `minute` tells a time of day, which it does not at midnight throughout."""
    if "minute" not in kept.collect_schema().names():
        return False
    latest = engine.collect(kept.select(nw.col("minute").max()))["minute"][0].as_py()
    return bool(latest)


def _demand_plain(raw: Unread, kinds: Mapping[str, Kind], engine: Reader, *, of: Table) -> None:
    """Refuse columns whose type can hold no such values, whatever the row: lists, or true as 1."""
    types = engine.types(raw.frame)
    needed = {column.name for column in of.columns}
    for name in (name for name in kinds if name in raw.columns and name in needed):
        for column in raw.factors(name):
            if types[column] in _UNFIT[kinds[name]]:
                raise DataError(
                    f"column {column!r} can hold no {_CALLED[kinds[name]]}",
                    where=raw.label,
                    saw=f"the type {types[column]}",
                    do=f"export plain values, or map another under data.{of.name}.columns",
                )


def _readings(name: str, kind: Kind, columns: Sequence[str]) -> tuple[Reading, Reading]:
    column, times = columns[0], columns[1] if len(columns) > 1 else None
    return (
        Reading(f"_{name}", column, kind, times=times),
        Reading(f"_{name}:text", column, "text", times=times),
    )


def _is_date(raw: Unread, name: str) -> bool:
    return raw.frame.collect_schema()[raw.columns[name]] == nw.Date
