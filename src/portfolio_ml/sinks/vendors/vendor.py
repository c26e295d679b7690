"""What a CRM reached over HTTP offers a delivery: batches go out, and one outcome a row comes back.

A delivery (`sinks.http`) decides what is sent, and keeps in its outbox what became of it. A vendor
turns a batch into its CRM's calls, and the answers into outcomes. It holds no state that a killed
process would lose: the little that must outlive it, such as a job's id, is the *reference* that
`begin` gives and that the outbox holds before any row of the batch has left.

The life of a batch, where `->` is a commit to the outbox:

```text
begin()  -> in_flight, with the reference   send()    -> the outcomes
                                            nothing   -> still in_flight; killed here, the next
                                                         run asks settle() about the same batch
```
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from portfolio_ml.errors import PortfolioError

State = Literal["sent", "rejected", "unknown", "absent", "pending"]
"""What became of a row.

- `sent`: the CRM has acknowledged it, or was read back and holds what was wanted.
- `rejected`: the CRM refuses this row; it is not sent again until its values change.
- `unknown`: it may or may not have arrived; it is not sent again before `settle` has told.
- `absent`: the CRM has no such record, and the mode is `update`.
- `pending`: it has certainly not arrived (or was read back and does not hold what was wanted), and
  may be sent again.
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A customer and what the CRM should hold of it.

    Attributes:
        customer_id: The customer, as the CRM's key holds it.
        properties: The CRM's field names and their values as text: numbers as the shortest
            decimal, `true` and `false`, dates as `2024-06-30`, times as ISO 8601 in UTC. None
            clears the field; how a vendor writes that (`""`, `#N/A`) is the vendor's own matter.
    """

    customer_id: str
    properties: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row.

    Attributes:
        customer_id: The customer.
        state: What became of it.
        reason: Why it is rejected or unknown, in the CRM's words where they hold no customer's
            values and no secret; None for the others.
    """

    customer_id: str
    state: State
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call to a vendor brought.

    Attributes:
        outcomes: At most one a row. A row without one stays in flight, with its reference: the
            next run asks `settle` about it.
        stop: Why nothing more should be asked of this CRM now, such as a spent daily limit
            (`TryAgainLaterError`) or an expired token (`ServiceUnavailableError`). The outcomes
            are recorded first, then the delivery ends with it. None where it may go on.
    """

    outcomes: Sequence[Outcome]
    stop: PortfolioError | None = None


class Vendor(Protocol):
    """A CRM reached over HTTP.

    Every method may also raise a `PortfolioError`, which ends the delivery and leaves the rows of
    its batch as they are; `Answer.stop` is for those who know more of them.

    Attributes:
        name: What it is called in messages and receipts, with the place and the object but without
            secrets: `HubSpot contacts at https://api.hubapi.com`.
        place: What tells this CRM and object from others: where it changes, what was acknowledged
            elsewhere counts no longer.
        most_rows: The most rows of a batch.
        most_bytes: The most bytes of a batch, its rows measured as compact JSON (names included),
            which is never less than as CSV; None where rows alone count.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - under Attributes
    @property
    def place(self) -> str: ...  # noqa: D102 - under Attributes
    @property
    def most_rows(self) -> int: ...  # noqa: D102 - under Attributes
    @property
    def most_bytes(self) -> int | None: ...  # noqa: D102 - under Attributes

    def look(self) -> None:
        """Make a call that only reads, and raise what a delivery would stumble over at once."""

    def begin(self) -> str | None:
        """A reference for the next batch, kept before any of its rows leaves; None without one.

        A reference that no row was ever sent under, as its process died, must do no harm.
        """

    def send(self, batch: Sequence[Wanted], reference: str | None) -> Answer:
        """Send the rows and wait for what becomes of them.

        Args:
            batch: Each customer once, at most `most_rows`.
            reference: What `begin` gave for this batch.
        """

    def settle(self, batch: Sequence[Wanted], reference: str | None) -> Answer:
        """What became of a batch whose sender died, or which gave no answer; sends no row.

        Ask the job of the reference, or read the records back and compare them with what was
        wanted. A job that never took its rows in is `pending` for all of them, and is closed so
        that it can take in none later.

        Args:
            batch: Rows that are still in flight or unknown; may be a part of what was sent.
            reference: What `begin` gave for the batch they were sent in.
        """

    def close(self) -> None:
        """Hang up."""
