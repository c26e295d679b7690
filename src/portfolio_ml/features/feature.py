"""What a feature is: one row in the catalogue.

The query, the docs and the tests come from that row. A feature's `value` is a Narwhals expression
over the columns that its stage offers:

- `HISTORY`: an aggregate over a customer's days in history. The frame has one row per customer,
  as-of date and day: `day`, `age_days`, `is_purchase`, `orders`, `spend` and `returned` (both in
  1/10,000 currency unit), `gap_days` (since the purchase day before), `is_last` and `is_recent`
  (one of the last three purchase days in history).
- `CUSTOMER`: a formula over the features of the stage before.
- `PORTFOLIO`: a formula that also needs what was fitted across customers, frozen in a
  `Reference`; its columns arrive joined under the name `reference_*`.
- `MODEL`: an expectation of the customer-base models; computed from arrays, not by expression.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import narwhals as nw


class Stage(IntEnum):
    """The step of the query that computes a feature."""

    HISTORY = 1
    CUSTOMER = 2
    PORTFOLIO = 3
    MODEL = 4


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature.

    Attributes:
        name: Its column; units are part of it.
        family: The catalogue's section.
        unit: days, purchase days, orders, currency, ratio, score, day number or probability.
        window: The part of history that it reads.
        null: What a null means; empty where it is never null.
        formula: How it is computed, in words.
        stage: The step that computes it.
        value: The expression; None for `Stage.MODEL`.
        is_model_input: Whether models learn from it; day numbers, for one, mean nothing to them.
    """

    name: str
    family: str
    unit: str
    window: str
    null: str
    formula: str
    stage: Stage
    value: nw.Expr | None = None
    is_model_input: bool = True


def features_hash(features: Iterable[Feature]) -> str:
    """A digest of the definitions, 16 hexadecimal digits; it changes when a definition does.

    Example:
        >>> features_hash([])
        'e3b0c44298fc1c14'
    """
    text = "\n".join(
        f"{f.name}|{f.unit}|{f.window}|{f.null}|{f.formula}|{f.stage.name}" for f in features
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
