"""Delivery into a SQL database: rows, their history and the receipt, in one transaction."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import Writer, has_schemas, redacted, rehearsing, there_are, writing
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.differences import Change, in_crm_table, in_own_table
from portfolio_ml.sinks.in_parts import brought_first
from portfolio_ml.sinks.ledger import Ledger, ledger_names
from portfolio_ml.sinks.order import Rows, order_for, order_of
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.transaction import carry_out


def deliver_sql(
    rows: Rows,
    *,
    url: str,
    table: str,
    base: Path,
    run: Run,
    contract: Table = CUSTOMER_ROWS,
    whole: bool = False,
) -> Receipt:
    """Upsert the rows into a table of the package's own, and what changed into `TABLE_history`.

    All or nothing, the receipt in `portfolio_runs` and rejected rows in `portfolio_rejects`
    included: rows that break a rule of the contract or of the database, which stop no other.
    Where the table already has a newer as-of date, only the history takes the rows. Missing tables
    are created; those that are there must have the contract's columns.

    Args:
        rows: Rows of the contract, all of the run's as-of date; those in parts are brought by
            workers where the database takes many writers.
        url: The database, as `sqlite:///FILE`, or as `postgresql://USER:PASSWORD@HOST/NAME` or
            `mariadb://` alike.
        table: The name of the table there; on a server it may name its schema.
        base: The folder that a relative file is relative to.
        run: The scoring run.
        contract: The table that the rows follow.
        whole: Whether the rows are all that there are: a key that is not among them leaves the
            table, while its history keeps what it was.

    Raises:
        ConfigError: The URL or the table's name is wrong, or the tables there have other columns.
        ServiceUnavailableError: The database cannot be opened or written, or the disk is full.
        TryAgainLaterError: It is locked.
    """
    given = replace(order_for(rows, contract, url=url, table=table, run=run), whole=whole)
    with (
        brought_first(given, url=url, base=base) as order,
        writing(url, base=base) as database,
    ):
        return carry_out(order, database)


def rehearse_sql(
    rows: Rows, *, url: str, table: str, base: Path, run: Run, contract: Table = CUSTOMER_ROWS
) -> Receipt:
    """The receipt that `deliver_sql` would give; the database stays as it is."""
    order = order_for(rows, contract, url=url, table=table, run=run)
    with rehearsing(url, base=base) as database:
        return carry_out(order, database)


def deliver_to_target(rows: Rows, target: SqlTarget, *, base: Path, run: Run) -> Receipt:
    """Deliver to a SQL target of the config, be its table the package's own or the CRM's.

    Into the CRM's own table go the figures that the config maps, where they differ at the precision
    that the table's columns have, and only into rows that are there (`mode: update`), or into new
    ones too (`mode: upsert`). The history stands beside it, as `portfolio_TABLE_history`.

    Raises:
        ConfigError: As for `deliver_sql`; or the CRM's table or one of its columns is missing,
            cannot hold what goes into it, or its key is not unique.
        ServiceUnavailableError: As for `deliver_sql`.
        TryAgainLaterError: As for `deliver_sql`.
    """
    given = order_of(rows, target, run)
    with (
        brought_first(given, url=target.url, base=base, target=target) as order,
        writing(target.url, base=base) as database,
    ):
        return carry_out(order, database, target=target)


def rejected(target: SqlTarget, *, base: Path) -> tuple[tuple[date, str], ...]:
    """The rows that the target rejected and that no later delivery settled, as date and JSON.

    Raises:
        ServiceUnavailableError: The database cannot be used.
        TryAgainLaterError: It is locked.
    """
    names = ledger_names(target.table, has_schemas=has_schemas(target.url))
    if not there_are(target.url, names, base=base):
        return ()
    with writing(target.url, base=base) as database:
        return tuple(Ledger(target.table, database, where=redacted(target.url)).rejected())


def rehearse(
    rows: Rows, target: SqlTarget, *, base: Path, run: Run, sample: int = 5
) -> tuple[Receipt, tuple[Change, ...]]:
    """The receipt that a delivery would give, and some of what would change; nothing is kept."""
    order = order_of(rows, target, run)
    changes: list[Change] = []

    def look(database: Writer, first: int, last: int) -> int:
        most = sample - len(changes)
        found = (
            in_crm_table(target, database, most=most, first=first, last=last)
            if target.is_crms_own
            else in_own_table(order.current, database, most=most, first=first, last=last)
        )
        changes.extend(found)
        return len(found)

    with rehearsing(target.url, base=base) as database:
        receipt = carry_out(order, database, target=target, look=look)
    return receipt, tuple(changes)
