"""Load -> what is known of each customer, dated where the source says since when it holds."""

from collections.abc import Iterable
from dataclasses import dataclass

import narwhals as nw
import pyarrow as pa

from portfolio_ml.attributes import held, kinds_of
from portfolio_ml.config import Settings
from portfolio_ml.engine import Frame, Kind, Reader
from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.schema import CUSTOMERS
from portfolio_ml.sources import unread
from portfolio_ml.validation import (
    Refusing,
    Rule,
    before_1900,
    customer_rules,
    parsed,
    shown,
    unreadable_date,
    validated,
    value,
)

_KEY_KINDS: dict[str, Kind] = {"customer_id": "text", "valid_from": "day"}


@dataclass(frozen=True, slots=True)
class CustomerTable(Refusing):
    """The validated rows of the customers table, and what became of the others.

    Attributes:
        frame: One row per customer, or per customer and valid_from: customer_id, valid_from (day
            number; null where the row has always held), then `columns`: dates as day numbers,
            income and service_cost as float64, all else as text; null where unknown or
            unreadable. Computed once.
        kept: Rows kept.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        is_dated: Whether the source says since when a row holds.
        columns: The attributes that the source has.
        static: Those that the config declares never to change.
        source: What the rows' source is called, for people.
    """

    frame: Frame
    kept: int
    quarantine: pa.Table
    is_dated: bool
    columns: frozenset[str]
    static: frozenset[str]
    source: str


def load(settings: Settings, engine: Reader) -> CustomerTable:
    """The portfolio's customers, validated row by row.

    Args:
        settings: Where the customers are and what their columns are called; the section is there.
        engine: Where the rows are kept.

    Raises:
        ConfigError: The source or its mapping is wrong, or `static` names what is not there.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    raw = unread(settings, engine, of=CUSTOMERS)
    attributes = [name for name in raw.columns if name not in CUSTOMERS.key]
    static = settings.data.customers.static if settings.data.customers else ()
    _demand_static(static, attributes)
    of_key = {name: kind for name, kind in _KEY_KINDS.items() if name in raw.columns}
    kinds = {**of_key, **kinds_of(attributes)}
    rows = parsed(raw, kinds, engine, of=CUSTOMERS, settings=settings)
    is_dated = "valid_from" in raw.columns
    undated = nw.lit(None, dtype=nw.Int32)
    split = validated(
        _numbered(rows, is_dated=is_dated),
        rules(is_dated=is_dated),
        {
            "customer_id": value("customer_id"),
            "valid_from": value("valid_from") if is_dated else undated,
            **held(attributes),
        },
        engine,
        of=CUSTOMERS,
        settings=settings,
        where=raw.label,
    )
    return CustomerTable(
        frame=split.kept,
        kept=split.rows,
        quarantine=split.quarantine,
        is_dated=is_dated,
        columns=frozenset(attributes),
        static=frozenset(static),
        source=raw.label,
    )


def rules(*, is_dated: bool) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    A row that repeats the key of an earlier one is refused: nothing says which of them holds.

    Example:
        >>> [rule.name for rule in rules(is_dated=False)]
        ['customer_id_missing', 'duplicate_key']
    """
    dated = (unreadable_date("valid_from", CUSTOMERS), before_1900("valid_from"))
    repeated = Rule(
        "duplicate_key",
        "customer_id",
        nw.col("_nth") > 1,
        advice="keep one row for each customer and valid_from"
        if is_dated
        else "keep one row for each customer, or map valid_from to the column that says since "
        "when a row holds",
    )
    return (*customer_rules(), *(dated if is_dated else ()), repeated)


def _numbered(rows: Frame, *, is_dated: bool) -> Frame:
    """The rows with `_nth`: which of those with their key they are, from 1, in the source's order.

    A date that cannot be read is another key than none.
    """
    is_undated = shown("valid_from").is_null() if is_dated else nw.lit(value=True)
    dated = rows.with_columns(_is_undated=is_undated)
    key = ["_customer_id", "_is_undated", *(["_valid_from"] if is_dated else [])]
    nth = nw.col("_row").cum_count().over(*key, order_by=["_source", "_row"])
    return dated.with_columns(_nth=nth)


def _demand_static(static: Iterable[str], attributes: list[str]) -> None:
    for name in static:
        if name not in attributes:
            guess = nearest(name, attributes)
            raise ConfigError(
                f"static names {name!r}, and customers have no such attribute",
                where="data.customers.static",
                saw=f"attributes {', '.join(map(repr, sorted(attributes)))}"
                if attributes
                else "no attributes",
                do=f"did you mean {guess!r}?" if guess else "name one of these, or leave it out",
            )
