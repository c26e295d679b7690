"""Scores as they were delivered on past dates, read back to be judged.

A SQL target keeps the history of its table; `files.kept` has what file targets keep.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.schema import Table

SCORES = ("p_churn", "p_return", "ltv", "ltv_low", "ltv_high")
VERSIONS = {"churn": "churn_model_version", "lifetime_value": "ltv_model_version"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """One date's delivery, not read yet.

    Attributes:
        as_of: The rows' as-of date.
        versions: Per target, the registered version that gave the scores.
    """

    as_of: date
    versions: Mapping[str, str]


def p_no_purchase(rows: pa.Table) -> pa.ChunkedArray:
    """The chance of no purchase: `p_churn` of the active, 1 - `p_return` of the others."""
    return pc.coalesce(rows["p_churn"], pc.subtract(1.0, rows["p_return"]))


PAST = pa.schema([("customer_id", pa.string()), *((name, pa.float64()) for name in SCORES)])
"""What is read of a date's scores, one row per customer."""


def tells_scores(contract: Table) -> bool:
    """Whether rows of a table hold scores, to be judged once they have matured.

    Example:
        >>> from portfolio_ml.schema import CUSTOMER_ROWS, QUARANTINE
        >>> tells_scores(CUSTOMER_ROWS), tells_scores(QUARANTINE)
        (True, False)
    """
    return {"customer_id", *SCORES} <= {*contract.names}
