"""A batch on its way into a job: which rows can be sent, under which key, as which CSV."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.sinks.vendors.salesforce.fields import csv_lines, fault, field_texts
from portfolio_ml.sinks.vendors.salesforce.lookup import record_ids
from portfolio_ml.sinks.vendors.salesforce.session import Session
from portfolio_ml.sinks.vendors.vendor import Outcome, Wanted

RECORD_ID = "Id"
JOB_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch, sorted into what can be sent and what cannot.

    Attributes:
        ready: By the key that it is sent under, each row that can be sent.
        others: What became of the other rows.
    """

    ready: Mapping[str, Wanted] = field(repr=False)
    others: Sequence[Outcome] = field(repr=False)


def key_column(target: SalesforceTarget) -> str:
    """The column that rows are sent and told apart by: Bulk API updates by record id alone."""
    return target.external_id if target.mode == "upsert" else RECORD_ID


def sort(batch: Sequence[Wanted], *, target: SalesforceTarget, session: Session) -> Sorted:
    """Sort a batch; mode `update` asks Salesforce for the records that hold the external ids.

    A row is rejected where a field cannot be written or several records hold its external id, and
    absent where none does.
    """
    faults = {row.customer_id: fault(row) for row in batch}
    others = [Outcome(who, "rejected", reason) for who, reason in faults.items() if reason]
    sound = [row for row in batch if not faults[row.customer_id]]
    if target.mode == "upsert" or target.external_id == RECORD_ID:
        ready = {row.customer_id: row for row in sound}
    else:
        ready = _by_record(sound, others, target=target, session=session)
    return Sorted(ready, others)


def job_data(
    ready: Mapping[str, Wanted], *, target: SalesforceTarget, most_bytes: int
) -> tuple[bytes, Mapping[str, Wanted]]:
    """The CSV of a job, and the rows that are in it: as many as the limit allows.

    Of rows whose keys differ in case alone only the first is in it: Salesforce may take them for
    one record, which may be in a job only once.
    """
    ready = _told_apart(ready, target)
    fields = list(dict.fromkeys(name for row in ready.values() for name in row.properties))
    rows = ([key, *field_texts(row, fields)] for key, row in ready.items())
    lines = csv_lines([key_column(target), *fields], rows)
    data, sent = bytearray(next(lines)), {}
    for (key, row), line in zip(ready.items(), lines, strict=False):  # the limit may come first
        if len(data) + len(line) > most_bytes:
            break
        data += line
        sent[key] = row
    return bytes(data), sent


def _by_record(
    rows: Sequence[Wanted], others: list[Outcome], *, target: SalesforceTarget, session: Session
) -> dict[str, Wanted]:
    """The rows by record id; those without a single record go to the others."""
    held = record_ids((row.customer_id for row in rows), target=target, session=session)
    ready = {}
    for row in rows:
        match held.get(row.customer_id, ()):
            case (record,):
                ready[record] = row
            case ():
                others.append(Outcome(row.customer_id, "absent"))
            case several:
                reason = f"{len(several)} records have this {target.external_id}"
                others.append(Outcome(row.customer_id, "rejected", reason))
    return ready


def _told_apart(rows: Mapping[str, Wanted], target: SalesforceTarget) -> Mapping[str, Wanted]:
    if key_column(target) == RECORD_ID:  # where case counts
        return rows
    first: dict[str, str] = {}
    for key in rows:
        first.setdefault(key.strip().casefold(), key)
    return {key: rows[key] for key in first.values()}


def pending(rows: Iterable[Wanted]) -> list[Outcome]:
    """The outcomes of rows that are to be sent again."""
    return [Outcome(row.customer_id, "pending") for row in rows]
