"""What a delivery into a SQL database is to bring, and where to; nothing is written yet."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

import pyarrow as pa

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import Writer, has_schemas, redacted
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.accepted import Accepted
from portfolio_ml.sinks.lease import LEASES
from portfolio_ml.sinks.ledger import REJECTED, TABLES
from portfolio_ml.sinks.outbox_rows import OUTBOX
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.receipts import Mode, Run
from portfolio_ml.sinks.rows import Delivery, prepare
from portfolio_ml.sinks.staging import STAGING, stage
from portfolio_ml.sinks.suppression import KEYS, SUPPRESSED

OWN = frozenset(
    {STAGING, REJECTED, *(own.name for own in (*TABLES, OUTBOX, LEASES, SUPPRESSED, KEYS))}
)
"""Names that no delivered table can have: the package's own tables may stand beside it."""

Rows: TypeAlias = "pa.Table | Parts"
"""The rows of a delivery, in this process or in parts."""

Stage = Callable[[Table, Writer], Accepted]
"""Brings the rows into the staging table."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be delivered, and where to.

    Attributes:
        delivery: The rows.
        stage: How they come into the staging table.
        current: The table with a row a key.
        history: The table with a row a key and as-of date.
        target: The database's readable name.
        mode: Whether rows that the table has not are added.
        run: The scoring run.
        started_at: When the delivery began.
        whole: Whether a key that is not among the rows leaves the table.
    """

    delivery: Delivery | Parts
    stage: Stage
    current: Table
    history: Table
    target: str
    mode: Mode
    run: Run
    started_at: datetime
    whole: bool = False


def order_of(rows: Rows, target: SqlTarget, run: Run) -> Order:
    """The order of rows for a target of the config; errors are those of `order_for`."""
    order = order_for(rows, CUSTOMER_ROWS, url=target.url, table=target.table, run=run)
    if not target.is_crms_own:
        return order
    history = replace(order.history, name=history_name(target.table, is_crms_own=True))
    return replace(order, history=history, mode=target.mode or "update")


def order_for(rows: Rows, contract: Table, *, url: str, table: str, run: Run) -> Order:
    """The order of rows for a table of the package's own.

    Args:
        rows: Rows of the contract, all of the run's as-of date.
        contract: The table that the rows follow.
        url: The database.
        table: The name of the table there.
        run: The scoring run.

    Raises:
        ConfigError: The table cannot have this name.
    """
    if not _is_possible(table, has_schemas=has_schemas(url)):
        raise ConfigError(
            "the table cannot have this name",
            where=redacted(url),
            saw=repr(table),
            do="choose another, such as customer_scores",
        )
    started_at = run.now()
    delivery = rows if isinstance(rows, Parts) else prepare(rows, contract, as_of=run.as_of)
    return Order(
        delivery=delivery,
        stage=partial(stage, delivery),
        current=replace(contract, name=table),
        history=replace(contract, name=f"{table}_history", key=(*contract.key, "as_of")),
        target=redacted(url),
        mode="upsert",
        run=run,
        started_at=started_at,
    )


def history_name(table: str, *, is_crms_own: bool) -> str:
    """What the history of a delivered table is called; beside the CRM's own it says whose it is.

    Example:
        >>> history_name("sales.accounts", is_crms_own=True)
        'sales.portfolio_accounts_history'
    """
    schema, point, name = table.rpartition(".")
    return f"{schema}{point}portfolio_{name}_history" if is_crms_own else f"{table}_history"


def _is_possible(table: str, *, has_schemas: bool) -> bool:
    """Whether a table can have this name, which is no other of the package's."""
    lower = table.casefold()
    name = lower.rpartition(".")[2]
    is_empty = not name if has_schemas else not table
    return not (is_empty or "\0" in table or name in OWN or lower.startswith("sqlite_"))
