"""The outbox as a table, and its rows, read some at a time: they are as many as the customers."""
# ruff: noqa: S608 - every part of a statement is a constant, every value is bound

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from portfolio_ml.databases import Writer as Database
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.staging import load_values

PAGE_ROWS = 10_000
"""So many rows are read at once, where nothing else says how many."""
FLYING = "('in_flight', 'unknown')"
"""The states of rows that may or may not have arrived, in SQL."""

OUTBOX = Table(
    name="portfolio_outbox",
    grain="one customer of a target that is delivered to over HTTP",
    key=("target", "customer_id"),
    columns=(
        Column("target", pa.string(), "the table that holds what the CRM should hold"),
        Column("customer_id", pa.string(), "the customer"),
        Column("wanted", pa.string(), "what the CRM should hold, as JSON of its own names"),
        Column("acknowledged", pa.string(), "what it is known to hold", null="not known"),
        Column("state", pa.string(), "pending, in_flight, sent, rejected, unknown or absent"),
        Column("reason", pa.string(), "why it is rejected or unknown", null="neither"),
        Column("batch_id", pa.string(), "the batch it was last sent in", null="never sent"),
        Column("reference", pa.string(), "the CRM's own name of the batch", null="none"),
        Column("delivery_id", pa.string(), "the delivery that last sent it", null="never sent"),
        Column("attempts", pa.int32(), "how often these values were sent"),
        Column("updated_at", pa.timestamp("us", tz="UTC"), "when the row last changed"),
    ),
)


def pages(
    target: str, state: str, columns: str, database: Database
) -> Iterator[list[tuple[Any, ...]]]:
    """Columns of a target's rows in a state, in the order of their customers.

    Args:
        target: The target.
        state: The state.
        columns: What is read, the customer first.
        database: The transaction, which may change rows between two pages.
    """
    page = page_of(target, state, columns, database, after=None, limit=PAGE_ROWS)
    while page:
        yield page
        page = page_of(target, state, columns, database, after=page[-1][0], limit=PAGE_ROWS)


def page_of(
    target: str, state: str, columns: str, database: Database, *, after: str | None, limit: int
) -> list[tuple[Any, ...]]:
    """The first of them after a customer, or of all."""
    beyond = "" if after is None else " AND customer_id > ?"
    return database.ask(
        f"SELECT {columns} FROM portfolio_outbox"
        f" WHERE target = ?{beyond} AND state = ? ORDER BY customer_id LIMIT ?",
        target,
        *(() if after is None else (after,)),
        state,
        limit,
    )


def in_flight(
    target: str, writing: Callable[[], AbstractContextManager[Database]]
) -> Iterator[tuple[Any, ...]]:
    """Batch, reference, customer and what is wanted, of a target's rows in flight by batch.

    Args:
        target: The target.
        writing: A transaction, one for each page: rows may change their state in between.
    """
    beyond = ""
    last: tuple[object, ...] = ()
    while True:
        with writing() as database:
            page = database.ask(
                "SELECT batch_id, reference, customer_id, wanted FROM portfolio_outbox"
                f" WHERE target = ? AND state IN {FLYING}{beyond}"
                " ORDER BY batch_id, customer_id LIMIT ?",
                target,
                *last,
                PAGE_ROWS,
            )
        yield from page
        if len(page) < PAGE_ROWS:
            return
        beyond, last = " AND (batch_id, customer_id) > (?, ?)", (page[-1][0], page[-1][2])


def held(
    customers: pa.Array | pa.ChunkedArray, *, target: str, place: str, database: Database
) -> list[tuple[str, str, str]]:
    """Of some customers of a target, the state and what is wanted; only of those in the outbox.

    Nobody is, where the target was another CRM or object.

    Args:
        customers: Some of their ids; those that the database cannot hold are not in it.
        target: The table that holds what the CRM should hold.
        place: The CRM and object.
        database: The transaction, which is not to be kept: a table of it holds the ids.
    """
    [asked] = [column for column in OUTBOX.columns if column.name == "customer_id"]
    load_values(customers, asked, "portfolio_asked", database)
    return [
        (customer, state, wanted)
        for customer, state, wanted in database.ask(
            "SELECT customer_id, state, wanted FROM portfolio_outbox WHERE target = ?"
            " AND target IN (SELECT target FROM portfolio_leases WHERE place = ?)"
            " AND customer_id IN (SELECT customer_id FROM portfolio_asked)",
            target,
            place,
        )
    ]
