"""Load -> who may become a customer, with the attributes that customers have."""

from dataclasses import dataclass

import pyarrow as pa

from portfolio_ml import attributes
from portfolio_ml.config import Settings
from portfolio_ml.engine import Frame, Reader
from portfolio_ml.schema import PROSPECTS
from portfolio_ml.sources import unread
from portfolio_ml.validation import Refusing, Rule, once, parsed, validated, value


@dataclass(frozen=True, slots=True)
class Prospects(Refusing):
    """The validated rows of the prospects table, and what became of the others.

    Attributes:
        frame: One row per prospect: prospect_id, then `columns`: dates as day numbers, income and
            service_cost as float64, all else as text; null where unknown or unreadable. Computed
            once.
        kept: Rows kept.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        columns: The attributes that the source has.
        source: What the rows' source is called, for people.
    """

    frame: Frame
    kept: int
    quarantine: pa.Table
    columns: frozenset[str]
    source: str


def load(settings: Settings, engine: Reader) -> Prospects:
    """The portfolio's prospects, validated row by row.

    Args:
        settings: Where the prospects are and what their columns are called; the section is there.
        engine: Where the rows are kept.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    raw = unread(settings, engine, of=PROSPECTS)
    names = [name for name in raw.columns if name not in PROSPECTS.key]
    kinds = {**attributes.kinds_of(PROSPECTS.key), **attributes.kinds_of(names)}
    rows = parsed(raw, kinds, engine, of=PROSPECTS, settings=settings)
    advice = "keep one row for each prospect"
    rows, repeated = once(rows, "prospect_id", rules(), advice=advice)
    split = validated(
        rows,
        [*rules(), repeated],
        {"prospect_id": value("prospect_id"), **attributes.held(names)},
        engine,
        of=PROSPECTS,
        settings=settings,
        where=raw.label,
    )
    return Prospects(
        frame=split.kept,
        kept=split.rows,
        quarantine=split.quarantine,
        columns=frozenset(names),
        source=raw.label,
    )


def rules() -> tuple[Rule, ...]:
    """The rules a row must keep before it is asked whether its id was there already.

    Example:
        >>> [rule.name for rule in rules()]
        ['prospect_id_missing']
    """
    return (Rule("prospect_id_missing", "prospect_id", value("prospect_id").is_null()),)
