"""What a feature is: one row in the catalogue.

The query, the docs and the tests come from that row. A feature's `value` is a Narwhals expression
over the columns that its stage offers. Every frame has `customer` and `as_of`, and holds nothing
dated after `as_of`. Money is in 1/10,000 currency unit (`schema.MONEY_SCALE`); it and counts are
whole numbers as float64, which add up to the same in whatever order, except on `LINES`, where money
is an integer.

Aggregates over a customer's history:

- `DAYS`: one row per day with lines: `day`, `age_days`, `is_purchase`, `orders`, `lines`, `spend`,
  `returned`, `gap_days` (since the purchase day before), `is_last` and `is_recent` (one of the
  last three purchase days), `weekday` (0 is Monday), `month`; and where their columns are mapped
  `units` (1/10,000 unit), `new_products` (bought for the first time), `discount`,
  `discounted_lines`, `margin`, and the lines by part of the day `night`, `morning`, `afternoon`,
  `evening`.
- `LINES`: one row per line, as in `schema.HISTORY`, with `age_days`; it costs a pass of its own,
  so prefer `DAYS`.
- `CATEGORIES`, `CHANNELS`: one row per category or channel bought in: `lines`, `spend`,
  `spend_365d`, `last_age_days`.
- `INTERACTIONS`, `CONTACTS`: one row per event, with `age_days`.
- `ATTRIBUTES`: one row: the attributes that were valid on the as-of day, and as `..._365d_ago`
  those valid a year before.

Formulas over what the stages before gave:

- `CUSTOMER`: over the features of the aggregates.
- `PORTFOLIO`: also over what was fitted across customers, frozen in a `Reference`; its columns
  arrive joined under the name `reference_*`.
- `MODEL`: an expectation of the customer-base models; computed from arrays, not by expression.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import narwhals as nw

ALL_HISTORY = "all history"


class Stage(IntEnum):
    """The step of the query that computes a feature."""

    DAYS = 1
    LINES = 2
    CATEGORIES = 3
    CHANNELS = 4
    INTERACTIONS = 5
    CONTACTS = 6
    ATTRIBUTES = 7
    CUSTOMER = 8
    PORTFOLIO = 9
    MODEL = 10


AGGREGATES = tuple(stage for stage in Stage if stage < Stage.CUSTOMER)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feature:
    """One feature; as expressions cannot be compared, it equals itself alone.

    Attributes:
        name: Its column; units are part of it.
        family: The catalogue's section.
        unit: What a value of 1 is: days, orders, currency, ratio, share, score, ...
        formula: How it is computed, in words.
        window: The part of history that it reads.
        null: What a null means; empty where it is never null.
        stage: The step that computes it.
        value: The expression; None for `Stage.MODEL`.
        needs: The optional columns and tables without which it is left out, such as `cost`,
            `interactions` or `customers.birthday`.
        is_model_input: Whether models learn from it; day numbers, for one, mean nothing to them.
        origin: A digest of the code that one of a user's own features was read from, for its
            words may stay while its code changes; empty for those of the package.
    """

    name: str
    family: str
    unit: str
    formula: str
    window: str = ALL_HISTORY
    null: str = ""
    stage: Stage = Stage.DAYS
    value: nw.Expr | None = None
    needs: frozenset[str] = frozenset()
    is_model_input: bool = True
    origin: str = ""

    @property
    def is_relative(self) -> bool:
        """Whether other customers can change it, as they do a quintile."""
        return self.stage >= Stage.PORTFOLIO


def share(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """The part of a whole; null where the whole is not above 0.

    Example:
        >>> import pyarrow as pa
        >>> rows = nw.from_native(pa.table({"part": [1, 0], "whole": [4, 0]}))
        >>> found = rows.select(share=share(nw.col("part"), nw.col("whole")))
        >>> found["share"].to_list()
        [0.25, None]
    """
    return nw.when(whole > 0).then(part / whole)


def change(now: nw.Expr, before: nw.Expr) -> nw.Expr:
    """How much larger than before, as a ratio minus 1; null where before is not above 0.

    Example:
        >>> import pyarrow as pa
        >>> rows = nw.from_native(pa.table({"now": [3, 1], "before": [2, 0]}))
        >>> rows.select(c=change(nw.col("now"), nw.col("before")))["c"].to_list()
        [0.5, None]
    """
    return nw.when(before > 0).then(now / before - 1)


def features_hash(features: Iterable[Feature], *more: str) -> str:
    """A digest of the definitions, 16 hexadecimal digits; it changes when a definition does.

    Example:
        >>> features_hash([])
        'e3b0c44298fc1c14'
    """
    rows = (
        f"{f.name}|{f.unit}|{f.window}|{f.null}|{f.formula}|{f.stage.name}"
        + (f"|{f.origin}" if f.origin else "")
        for f in features
    )
    return hashlib.sha256("\n".join((*rows, *more)).encode()).hexdigest()[:16]
