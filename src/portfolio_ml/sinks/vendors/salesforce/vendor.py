"""Delivery to Salesforce: a batch is a bulk job, whose id is its reference.

Mode `upsert` goes by the external id. Bulk API's `update` goes by record id alone, so mode
`update` first asks which records hold the external ids: customers without one are absent. A row
whose fate cannot be told is pending: it is sent again, which is harmless, since values are
absolute.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.sinks.vendors.salesforce.fields import Value, csv_text, fault, field_text
from portfolio_ml.sinks.vendors.salesforce.jobs import Job, Jobs
from portfolio_ml.sinks.vendors.salesforce.lookup import record_ids
from portfolio_ml.sinks.vendors.salesforce.session import Session, Wire

RECORD_ID = "Id"
_GONE = {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
_PASSING = {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"}


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Literal["acknowledged", "rejected", "absent", "pending", "unknown"]
    reason: str = ""


Batch = Mapping[str, Mapping[str, Value]]
Outcomes = dict[str, Outcome]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """A batch, sorted into what can be sent and what cannot.

    Attributes:
        keys: By customer, the key that the row is sent under.
        others: What became of the customers that cannot be sent.
    """

    keys: Mapping[str, str]
    others: Outcomes


class Salesforce:
    """The vendor.

    Args:
        target: The object, its external id, and the login.
        wire: Sends a request.
        now: The clock, in UTC.
        sleep: Waits for as many seconds.
    """

    def __init__(
        self,
        target: SalesforceTarget,
        *,
        wire: Wire,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._target = target
        self._session = Session(target, wire=wire, now=now)
        self._jobs = Jobs(target, self._session, sleep)

    def begin(self) -> str:
        """A new job, which does nothing yet; gives its id."""
        return self._jobs.create()

    def send(self, batch: Batch, reference: str) -> Outcomes:
        """Upload the batch into the job, wait for it, and give what became of each row."""
        ready = self._sorted(batch)
        if not ready.keys:
            self._jobs.abort(reference)
            return ready.others
        data = self._csv(batch, ready)
        try:
            self._jobs.upload(reference, data)
        except ServiceUnavailableError as error:
            self._jobs.abort(reference)
            return ready.others | dict.fromkeys(ready.keys, Outcome("pending", str(error)))
        self._jobs.close(reference)
        return ready.others | self._collected(ready, reference)

    def settle(self, batch: Batch, reference: str) -> Outcomes:
        """What became of a batch whose sender died, or stopped to wait."""
        job = self._jobs.look(reference)
        if job is None or job.state == "Open":
            if job:
                self._jobs.abort(reference)
            return dict.fromkeys(batch, Outcome("pending", "it was not sent"))
        ready = self._sorted(batch)
        return ready.others | self._collected(ready, reference)

    def _sorted(self, batch: Batch) -> _Sorted:
        faults = {customer: fault(customer, values) for customer, values in batch.items()}
        others = {c: Outcome("rejected", reason) for c, reason in faults.items() if reason}
        sound = [customer for customer in batch if customer not in others]
        if self._target.mode == "upsert" or self._target.external_id == RECORD_ID:
            return _Sorted({customer: customer for customer in sound}, others)
        return self._by_record(sound, others)

    def _by_record(self, customers: Iterable[str], others: Outcomes) -> _Sorted:
        held = record_ids(customers, target=self._target, session=self._session)
        keys = {}
        for customer in customers:
            match held.get(customer, ()):
                case (record,):
                    keys[customer] = record
                case ():
                    others[customer] = Outcome("absent")
                case several:
                    reason = f"{len(several)} records have this {self._target.external_id}"
                    others[customer] = Outcome("rejected", reason)
        return _Sorted(keys, others)

    @property
    def _key(self) -> str:
        """The column that rows are sent and told apart by."""
        return self._target.external_id if self._target.mode == "upsert" else RECORD_ID

    def _csv(self, batch: Batch, ready: _Sorted) -> bytes:
        fields = list(self._target.columns.values())
        rows = ([key, *(field_text(batch[c][f]) for f in fields)] for c, key in ready.keys.items())
        return csv_text([self._key, *fields], rows)

    def _collected(self, ready: _Sorted, reference: str) -> Outcomes:
        """What the job's results say, once it is over."""
        job = self._jobs.wait(reference)
        if job is None:
            return dict.fromkeys(ready.keys, Outcome("pending", "the job has vanished"))
        customers = {key: customer for customer, key in ready.keys.items()}
        told = {customers[k]: o for k, o in self._results(reference, job) if k in customers}
        return {c: told.get(c, Outcome("unknown", "the job does not tell")) for c in ready.keys}

    def _results(self, reference: str, job: Job) -> Iterator[tuple[str, Outcome]]:
        for row in self._jobs.results(reference, "successfulResults"):
            yield row[self._key], Outcome("acknowledged")
        for row in self._jobs.results(reference, "failedResults"):
            yield row[self._key], _failed(row.get("sf__Error", ""))
        for row in self._jobs.results(reference, "unprocessedrecords"):
            yield row[self._key], Outcome("pending", job.message or f"the job is {job.state}")


def _failed(error: str) -> Outcome:
    """What an error of a row means: the record is gone, a lock will pass, or the row is refused."""
    code = error.partition(":")[0]
    if code in _GONE:
        return Outcome("absent", error)
    return Outcome("pending" if code in _PASSING else "rejected", error)
