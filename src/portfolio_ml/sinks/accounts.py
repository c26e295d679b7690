"""The account of a delivery over HTTP: its receipt and the rows that the CRM rejected."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.databases import Writer as Database
from portfolio_ml.sinks.ledger import last_finished
from portfolio_ml.sinks.outbox import Outbox
from portfolio_ml.sinks.receipts import REJECTS, RUNS, Receipt

_SAME_RECEIPT = "run_id = ? AND table_name = ? AND as_of = ?"


Handed = Callable[[], Iterator[tuple[pa.Array, NDArray[np.int64]]]]
"""Gives the customers of a delivery's rows, some at a time, with the rows' places from 1."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a delivery has to tell of its rows.

    Attributes:
        outbox: The outbox, which knows what became of them.
        first: The receipt before anything was sent; its rejected rows are those that break a rule
            of the contract, which stand in `portfolio_rejects` already.
        customers: Gives the customers handed over; None for all of the table.
        now: The clock.
    """

    outbox: Outbox
    first: Receipt
    customers: Handed | None
    now: Callable[[], datetime]

    def receipt(self, database: Database) -> Receipt:
        """The receipt as things stand, left in `portfolio_runs`."""
        counts = self.outbox.counts(database, of=self._counted(database))
        pending, unknown = counts.get("pending", 0), counts.get("unknown", 0)
        receipt = replace(
            self.first,
            rows=sum(counts.values()) + self.first.rejected + self.first.suppressed,
            sent=counts.get("sent", 0),
            unchanged=counts.get("unchanged", 0),
            rejected=counts.get("rejected", 0) + self.first.rejected,
            absent=counts.get("absent", 0),
            pending=pending,
            unknown=unknown,
            status="unfinished" if pending + unknown else "delivered",
            finished_at=self.now(),
        )
        return leave(receipt, database)

    def keep_rejected(self, database: Database) -> None:
        """Add the rows that the CRM rejected to `portfolio_rejects`."""
        bad = self._bad(database)
        if self.customers is None and not self.first.rejected:
            database.run(f"DELETE FROM portfolio_rejects WHERE {_SAME_RECEIPT}", *self._key())  # noqa: S608 - constants
        numbers = count(self._first_number)
        for page in self.outbox.rejected(database):
            place = self._places([customer for customer, *_ in page], bad)
            rows = [
                {
                    "run_id": self.first.run_id,
                    "table_name": self.first.table,
                    "as_of": self.first.as_of,
                    "row_number": place.get(customer, number),
                    "customer_id": customer,
                    "reason": reason,
                    "row": wanted,
                }
                for (customer, reason, wanted), number in zip(page, numbers, strict=False)
                if self.customers is None or customer in place
            ]
            database.load(REJECTS.name, pa.Table.from_pylist(rows, schema=REJECTS.arrow))

    @property
    def _first_number(self) -> int:
        """Where customers without a place in the delivery begin: after those who have one."""
        return self.first.rows + 1 if self.first.rejected else 1

    def _places(self, rejected: Sequence[str], bad: Sequence[str]) -> Mapping[str, int]:
        """The place in the delivery, from 1, of those of some customers who have one."""
        if self.customers is None:
            return {}
        few = pa.array(sorted({*rejected}.difference(bad)), pa.string())
        found: dict[str, int] = {}
        for some, places in self.customers():
            here = pc.indices_nonzero(pc.is_in(some, few))
            found |= zip(some.take(here).to_pylist(), places[here].tolist(), strict=True)
        return found

    def _counted(self, database: Database) -> Iterator[pa.Array] | None:
        """The customers whose rows went into the table, some at a time."""
        if self.customers is None:
            return None
        bad = pa.array(self._bad(database), pa.string())
        return (
            some.filter(pc.invert(pc.or_(pc.is_in(some, bad), pc.is_null(some))))
            for some, _ in self.customers()
        )

    def _bad(self, database: Database) -> list[str]:
        """The customers with rows that break a rule of the contract."""
        if not self.first.rejected:
            return []
        found = database.ask(
            f"SELECT customer_id FROM portfolio_rejects WHERE {_SAME_RECEIPT}"  # noqa: S608 - constants
            " AND customer_id IS NOT NULL",
            *self._key(),
        )
        return [customer for (customer,) in found]

    def _key(self) -> tuple[object, ...]:
        return self.first.run_id, self.first.table, self.first.as_of


def leave(receipt: Receipt, database: Database) -> Receipt:
    """Put the receipt into `portfolio_runs` as the newest, in the place of the delivery's own.

    Gives it as it was left.
    """
    left = receipt.after(last_finished(receipt, database, runs=RUNS.name))
    database.run(
        f"DELETE FROM portfolio_runs WHERE {_SAME_RECEIPT}",  # noqa: S608 - constants
        receipt.run_id,
        receipt.table,
        receipt.as_of,
    )
    database.load(RUNS.name, left.as_table())
    return left
