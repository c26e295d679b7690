"""What a delivery leaves behind: its receipt, the rows it rejected, and how far its table has come.

These are the package's own tables beside the delivered ones.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from portfolio_ml.schema import Column, Table

SCHEMA_VERSION = 3

_STAMP = pa.timestamp("us", tz="UTC")

RUNS = Table(
    name="portfolio_runs",
    grain="one delivery of a run to a table; delivered again, the newest attempt",
    key=("run_id", "table_name", "as_of"),
    columns=(
        Column("run_id", pa.string(), "the scoring run"),
        Column("table_name", pa.string(), "the table delivered to"),
        Column("as_of", pa.date32(), "the rows' as-of date"),
        Column("target", pa.string(), "the database or file, without secrets"),
        Column("mode", pa.string(), "how the rows met those that were there"),
        Column("status", pa.string(), "delivered, history_only or unfinished"),
        Column("rows", pa.int64(), "rows handed over"),
        Column("sent", pa.int64(), "rows written"),
        Column("unchanged", pa.int64(), "rows whose figures were there already"),
        Column("rejected", pa.int64(), "rows that break a rule, kept in portfolio_rejects"),
        Column("unknown", pa.int64(), "rows that may or may not have arrived"),
        Column("absent", pa.int64(), "rows of customers whom the CRM does not have"),
        Column("suppressed", pa.int64(), "rows of customers who were erased"),
        Column("pending", pa.int64(), "rows that are still to be sent"),
        Column("retired", pa.int64(), "rows removed: of merged customers, or no more in a figure"),
        Column("digest", pa.string(), "SHA-256 of the rows without their lineage"),
        Column("model_versions", pa.string(), "target to registered version, as JSON"),
        Column("started_at", _STAMP, "when the delivery began"),
        Column("finished_at", _STAMP, "when it was about to commit; ascends with the deliveries"),
    ),
)

REJECTS = Table(
    name="portfolio_rejects",
    grain="one rejected row of a delivery",
    key=("run_id", "table_name", "as_of", "row_number"),
    columns=(
        Column("run_id", pa.string(), "the scoring run"),
        Column("table_name", pa.string(), "the table that it was meant for"),
        Column("as_of", pa.date32(), "the delivery's as-of date"),
        Column("row_number", pa.int64(), "its place in the delivery, from 1"),
        Column("customer_id", pa.string(), "the customer", null="the row has none"),
        Column("reason", pa.string(), "the rules that it breaks"),
        Column("row", pa.string(), "the row as it came, as JSON"),
    ),
)

WATERMARKS = Table(
    name="portfolio_tables",
    grain="one delivered table",
    key=("table_name",),
    columns=(
        Column("table_name", pa.string(), "the delivered table"),
        Column("schema_version", pa.int32(), "the version of the package's tables around it"),
        Column("newest_as_of", pa.date32(), "the newest as-of date delivered to it"),
    ),
)

Mode = Literal["upsert", "update", "replace"]
Status = Literal["delivered", "history_only", "unfinished"]


@dataclass(frozen=True, slots=True)
class Run:
    """The scoring run whose rows are delivered.

    Rows of customers who were erased are taken out before any delivery, and only counted here.

    Attributes:
        run_id: Its identity.
        as_of: The as-of date of all its rows.
        model_versions: Registered version by target.
        now: The clock, for the receipt's times; gives UTC.
        suppressed: How many rows were taken out.
        retired: Customers merged into others, whose own rows are to go.
    """

    run_id: str
    as_of: date
    model_versions: Mapping[str, str]
    now: Callable[[], datetime]
    suppressed: int = 0
    retired: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery; `rows` is the sum of the seven counts after it.

    Attributes:
        run_id: The scoring run.
        target: The database or file, without secrets.
        table: The table delivered to; a file's name.
        as_of: The rows' as-of date.
        mode: `upsert`, `update`, or `replace` for a file.
        rows: Rows handed over.
        sent: Rows written: to the current table, or where the status is `history_only` to the
            history.
        unchanged: Rows whose figures were there already.
        rejected: Rows that break a rule.
        unknown: Rows that may or may not have arrived; none where a transaction decides.
        absent: Rows of customers whom the CRM does not have, where the mode is `update`.
        suppressed: Rows of customers who were erased.
        pending: Rows that are still to be sent.
        retired: Rows removed, of customers merged into others, or of keys that a figure has no
            more; not among `rows`.
        digest: SHA-256 of the delivered rows without their lineage.
        status: `delivered`; `history_only` where the table already has a newer as-of date, so
            that only its history took the rows; `unfinished` where rows are pending or unknown.
        started_at: When the delivery began.
        finished_at: When it was about to commit. It tells the order of deliveries to a table, so
            where a clock went back meanwhile it is just after that of the delivery before.
        model_versions: Registered version by target.
    """

    run_id: str
    target: str
    table: str
    as_of: date
    mode: Mode
    rows: int
    sent: int
    unchanged: int
    rejected: int
    unknown: int
    digest: str
    status: Status
    started_at: datetime
    finished_at: datetime
    model_versions: Mapping[str, str]
    absent: int = 0
    suppressed: int = 0
    pending: int = 0
    retired: int = 0

    def after(self, last: datetime | None) -> "Receipt":
        """The receipt, finished after its beginning and after another, whatever the clock did.

        Args:
            last: When the delivery before was finished; None without one.
        """
        least = self.started_at
        if last is not None:
            least = max(least, last + timedelta(microseconds=1))
        return self if self.finished_at >= least else replace(self, finished_at=least)

    def as_row(self) -> dict[str, Any]:
        """The receipt as the row of `portfolio_runs` that it is."""
        row = {
            "table_name": self.table,  # TABLE is a reserved word of SQL
            "model_versions": json.dumps(dict(self.model_versions), sort_keys=True),
        }
        return row | {name: getattr(self, name) for name in RUNS.names if name not in row}

    def as_table(self) -> pa.Table:
        """The same as an Arrow table."""
        return pa.Table.from_pylist([self.as_row()], schema=RUNS.arrow)
