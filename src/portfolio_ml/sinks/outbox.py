"""The outbox: what a CRM should hold of each customer, and what it has acknowledged.

A row stands once a target and customer. Every method is one short transaction, and before rows
leave they are committed as `in_flight`: so whatever moment a process dies at, the next one knows
which rows may have arrived, and asks the CRM before it sends them again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from portfolio_ml.databases import Writer as Database
from portfolio_ml.sinks.lease import Lease
from portfolio_ml.sinks.outbox_rows import FLYING, OUTBOX, in_flight, page_of, pages
from portfolio_ml.sinks.staging import loaded
from portfolio_ml.sinks.vendors.values import parsed
from portfolio_ml.sinks.vendors.vendor import Outcome, Wanted

_STAGED = "portfolio_staged"


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were sent together: what they are called here and there, and the rows."""

    batch_id: str
    reference: str | None
    rows: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox of one target, for one delivery.

    Attributes:
        lease: The right to write it.
        delivery_id: What tells this delivery from others.
    """

    lease: Lease
    delivery_id: str

    def move_to(self, place: str) -> None:
        """Forget what was acknowledged where the target now is another CRM or object."""
        with self.lease.writing() as database:
            target = self.lease.target
            moved = database.run(
                "UPDATE portfolio_leases SET place = ? WHERE target = ? AND place <> ?",
                place,
                target,
                place,
            )
            if moved:
                database.run(
                    "UPDATE portfolio_outbox SET acknowledged = NULL, state = 'pending',"
                    " reason = NULL, batch_id = NULL, reference = NULL WHERE target = ?",
                    target,
                )

    def plan(
        self, wanted: Iterable[pa.Table], *, again: Collection[str], database: Database
    ) -> None:
        """Note what the CRM should hold; what it does not is pending.

        Rows in flight are left as they are: the next delivery knows more.

        Args:
            wanted: Tables of `customer_id` and `wanted`, as `canonical` writes it.
            again: States whose rows are pending again although their values are the same.
            database: The transaction.
        """
        names = ", ".join(OUTBOX.names)
        for part in wanted:
            with _staged(self._planned(part), database):
                database.run(
                    f"INSERT INTO portfolio_outbox AS held ({names})"  # noqa: S608 - constants
                    f" SELECT {names} FROM {_STAGED} WHERE 1 = 1"
                    " ON CONFLICT (target, customer_id) DO UPDATE SET wanted = excluded.wanted,"
                    " state = CASE WHEN held.acknowledged = excluded.wanted"
                    " THEN 'sent' ELSE 'pending' END, reason = NULL, batch_id = NULL,"
                    " reference = NULL, attempts = 0, updated_at = excluded.updated_at"
                    f" WHERE held.wanted <> excluded.wanted AND held.state NOT IN {FLYING}"
                )
        for state in again:
            database.run(
                "UPDATE portfolio_outbox SET state = 'pending', reason = NULL"
                " WHERE target = ? AND state = ?",
                self.lease.target,
                state,
            )

    def drop_vanished(self, database: Database) -> None:
        """Forget who is no more in the table, as is who was merged, and still to be sent.

        Of whom the CRM has taken something, that is kept.
        """
        database.run(
            "DELETE FROM portfolio_outbox WHERE target = ?"  # noqa: S608 - quoted by the dialect
            " AND state IN ('pending', 'rejected', 'absent') AND customer_id NOT IN"
            f" (SELECT customer_id FROM {database.quote_table(self.lease.target)})",
            self.lease.target,
        )

    def drop(self, suppressed: Callable[[str], bool], database: Database) -> None:
        """Forget pending customers who were erased, so that nothing is sent of them."""
        for page in pages(self.lease.target, "pending", "customer_id", database):
            for (customer,) in page:
                if suppressed(customer):
                    self.forget(customer, database)

    def count_pending(self) -> int:
        """How many customers are pending."""
        with self.lease.writing() as database:
            [[count]] = database.ask(
                "SELECT COUNT(*) FROM portfolio_outbox WHERE target = ? AND state = 'pending'",
                self.lease.target,
            )
        return int(count)

    def pending(self, *, after: str | None = None, limit: int) -> list[tuple[str, str]]:
        """The next pending customers in their order, and what the CRM should hold of each."""
        with self.lease.writing() as database:
            rows = page_of(
                self.lease.target,
                "pending",
                "customer_id, wanted",
                database,
                after=after,
                limit=limit,
            )
        return [(customer, wanted) for customer, wanted in rows]

    def take_off(self, batch: Batch) -> None:
        """The batch is about to leave; from now on nobody knows what the CRM holds of its rows."""
        rows = pa.table({"customer_id": [row.customer_id for row in batch.rows]})
        with self.lease.writing() as database, _staged(rows, database):
            database.run(
                "UPDATE portfolio_outbox SET state = 'in_flight', acknowledged = NULL,"  # noqa: S608 - constants
                " reason = NULL, batch_id = ?, reference = ?, delivery_id = ?,"
                " attempts = attempts + 1, updated_at = ? WHERE target = ?"
                f" AND customer_id IN (SELECT customer_id FROM {_STAGED})",
                batch.batch_id,
                batch.reference,
                self.delivery_id,
                self.lease.now(),
                self.lease.target,
            )

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """What became of rows that left."""
        rows = pa.table(
            {
                "customer_id": [outcome.customer_id for outcome in outcomes],
                "state": [outcome.state for outcome in outcomes],
                "reason": pa.array([outcome.reason for outcome in outcomes], pa.string()),
            }
        )
        with self.lease.writing() as database, _staged(rows, database):
            database.run(
                "UPDATE portfolio_outbox SET state = told.state, reason = told.reason,"  # noqa: S608 - constants
                " acknowledged = CASE WHEN told.state = 'sent' THEN wanted END,"
                f" delivery_id = ?, updated_at = ? FROM {_STAGED} AS told"
                " WHERE portfolio_outbox.target = ?"
                " AND portfolio_outbox.customer_id = told.customer_id"
                f" AND portfolio_outbox.state IN {FLYING}",
                self.delivery_id,
                self.lease.now(),
                self.lease.target,
            )

    def in_flight(self) -> Iterator[Batch]:
        """The batches with rows that may or may not have arrived, one after the other."""
        flying = in_flight(self.lease.target, self.lease.writing)
        for (batch_id, reference), rows in groupby(flying, itemgetter(0, 1)):
            members = (Wanted(customer, parsed(wanted)) for _, _, customer, wanted in rows)
            yield Batch(batch_id, reference, tuple(members))

    def counts(self, database: Database, *, of: Iterable[pa.Array] | None) -> dict[str, int]:
        """How many rows are in each state; `unchanged` are those that another delivery sent.

        Args:
            database: The transaction.
            of: The customers who count, some at a time; None for all.
        """
        counted = (
            "SELECT CASE WHEN state = 'in_flight' THEN 'unknown'"
            " WHEN state = 'sent' AND (delivery_id IS NULL OR delivery_id <> ?)"
            " THEN 'unchanged' ELSE state END AS became, COUNT(*)"
            " FROM portfolio_outbox WHERE target = ?"
        )
        values = (self.delivery_id, self.lease.target)
        if of is None:
            return dict(database.ask(f"{counted} GROUP BY became", *values))
        with _staged(pa.table({"customer_id": pa.array([], pa.string())}), database):
            for some in of:
                loaded(pa.table({"customer_id": some}), _STAGED, database)
            among = f" AND customer_id IN (SELECT customer_id FROM {_STAGED}) GROUP BY became"  # noqa: S608 - constants
            return dict(database.ask(counted + among, *values))

    def rejected(self, database: Database) -> Iterator[list[tuple[str, str, str]]]:
        """The rejected customers, why, and what the CRM should have held of each, in pages."""
        for page in pages(self.lease.target, "rejected", "customer_id, reason, wanted", database):
            yield [(customer, reason, wanted) for customer, reason, wanted in page]

    def forget(self, customer_id: str, database: Database) -> int:
        """Remove a customer; gives the number of rows removed."""
        return database.run(
            "DELETE FROM portfolio_outbox WHERE target = ? AND customer_id = ?",
            self.lease.target,
            customer_id,
        )

    def _planned(self, wanted: pa.Table) -> pa.Table:
        """Rows of the outbox as they are before anything was sent."""
        fresh = {
            "target": self.lease.target,
            "state": "pending",
            "attempts": 0,
            "updated_at": self.lease.now(),
        }
        columns = [
            wanted[column.name].cast(column.type)
            if column.name in wanted.column_names
            else pa.repeat(pa.scalar(fresh.get(column.name), column.type), wanted.num_rows)
            for column in OUTBOX.columns
        ]
        return pa.table(columns, names=OUTBOX.names)


@contextmanager
def _staged(rows: pa.Table, database: Database) -> Iterator[None]:
    """A table of the transaction's own with some of the outbox's columns, for a `with` block."""
    columns = tuple(column for column in OUTBOX.columns if column.name in rows.column_names)
    database.create(replace(OUTBOX, name=_STAGED, key=(), columns=columns), kind="TEMP TABLE")
    database.load(_STAGED, rows)
    yield
    database.run(f"DROP TABLE {_STAGED}")
