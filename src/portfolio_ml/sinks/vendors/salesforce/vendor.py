"""Delivery to Salesforce: a batch is a bulk job, whose id is its reference.

Mode `upsert` goes by the external id. Bulk API's `update` goes by record id alone, so mode
`update` first asks which records hold the external ids: customers without one are absent.

Where nobody can tell any more what became of a row, as its job has vanished, it is pending: it is
sent again, which is harmless, since values are absolute.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import (
    ConfigError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)
from portfolio_ml.sinks.vendors.calls import NoAnswerError
from portfolio_ml.sinks.vendors.limits import Clock, Patience
from portfolio_ml.sinks.vendors.salesforce.batch import (
    JOB_BYTES,
    job_data,
    key_column,
    pending,
    sort,
)
from portfolio_ml.sinks.vendors.salesforce.jobs import Job, Jobs
from portfolio_ml.sinks.vendors.salesforce.lookup import record_ids
from portfolio_ml.sinks.vendors.salesforce.session import Session
from portfolio_ml.sinks.vendors.vendor import Answer, Outcome, State, Wanted

_GONE = {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
"""What an update says of a record that is not there."""
_PASSING = {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"}
_IN_THE_ADMINISTRATORS_WORDS = {"FIELD_CUSTOM_VALIDATION_EXCEPTION"}


class Salesforce:
    """The vendor.

    Args:
        target: The object, its external id, and the login.
        clock: The time that is waited.
        patience: How long to wait for an answer.
        now: The time of day, in UTC.

    Raises:
        ConfigError: The address cannot be right.
    """

    most_rows = 100_000
    """Ten of Salesforce's own batches: more are no faster, and are sent again as a whole."""
    most_bytes = 90_000_000

    def __init__(
        self,
        target: SalesforceTarget,
        *,
        clock: Clock,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        self._target = target
        self._session = Session(target, clock=clock, patience=patience, now=now)
        self._jobs = Jobs(target, self._session, clock)
        self.name = f"Salesforce {target.object} at {self._session.address}"
        self.place = f"{self._session.address} {target.object} {target.external_id}"

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def look(self) -> None:
        """Log in, and ask for the record of an id that nobody has.

        Raises:
            ConfigError: There is no such object or external id, or the private key is none.
            ServiceUnavailableError: Salesforce refuses the login or the call, or does not answer.
            TryAgainLaterError: The day's calls are used up.
        """
        record_ids(["0"], target=self._target, session=self._session)

    def begin(self) -> str:
        """A new job, which does nothing yet; gives its id."""
        return self._jobs.create()

    def send(self, batch: Sequence[Wanted], reference: str | None) -> Answer:
        """Upload the batch into its job, wait for it, and give what became of each row.

        Raises:
            ServiceUnavailableError: Salesforce refuses a call or does not answer.
            TryAgainLaterError: The day's calls are used up, or the job takes too long.
        """
        job_id = _job_id(reference)
        batch_sorted = sort(batch, target=self._target, session=self._session)
        data, sent = job_data(batch_sorted.ready, target=self._target, most_bytes=JOB_BYTES)
        left = [row for key, row in batch_sorted.ready.items() if key not in sent]
        others = [*batch_sorted.others, *pending(left)]
        if not sent:
            self._jobs.abort(job_id)
            return Answer(others)
        try:
            self._jobs.upload(job_id, data)
            self._jobs.close(job_id)
        except (NoAnswerError, ServiceUnavailableError) as error:
            self._jobs.abort(job_id)  # what it may have taken in is given up with it
            stop = error if isinstance(error, ServiceUnavailableError) else None
            return Answer([*others, *pending(sent.values())], stop)
        return self._collected(sent, others, job_id, untold="unknown")

    def settle(self, batch: Sequence[Wanted], reference: str | None) -> Answer:
        """What became of a batch whose sender died or stopped to wait.

        An open job is aborted, so its rows are pending; one at work is waited for.

        Raises:
            ServiceUnavailableError: Salesforce refuses a call or does not answer.
            TryAgainLaterError: The day's calls are used up, or the job takes too long.
        """
        job_id = _job_id(reference)
        job = self._jobs.look(job_id)
        if job is not None and job.state == "Open":
            self._jobs.abort(job_id)
            job = self._jobs.look(job_id)  # the dead sender's last call may have come before
        if job is None or job.did_nothing:
            return Answer(pending(batch))
        batch_sorted = sort(batch, target=self._target, session=self._session)
        found = self._collected(batch_sorted.ready, batch_sorted.others, job_id, untold="pending")
        return Answer(found.outcomes)

    def _collected(
        self,
        rows: Mapping[str, Wanted],
        others: Sequence[Outcome],
        job_id: str,
        *,
        untold: State,
    ) -> Answer:
        """What the job's results say, once it is over; `untold` for rows they do not speak of."""
        job = self._jobs.wait(job_id)
        if job is None or job.did_nothing:
            return Answer([*others, *pending(rows.values())], _stop(job, job_id))
        told = dict(self._results(rows, job_id))
        silent = "the job's results do not speak of it" if untold == "unknown" else None
        rest = [Outcome(r.customer_id, untold, silent) for k, r in rows.items() if k not in told]
        return Answer([*others, *told.values(), *rest], stop=_stop(job, job_id))

    def _results(self, rows: Mapping[str, Wanted], job_id: str) -> Iterator[tuple[str, Outcome]]:
        """Each row's key and outcome; a key that nobody asked about is passed over."""
        for part in ("successfulResults", "failedResults", "unprocessedrecords"):
            for result in self._jobs.results(job_id, part):
                key = result.get(key_column(self._target), "")
                if row := rows.get(key):
                    yield key, self._outcome(row.customer_id, part, result)

    def _outcome(self, customer_id: str, part: str, result: Mapping[str, str]) -> Outcome:
        """What a row of the results means."""
        if part == "successfulResults":
            return Outcome(customer_id, "sent")
        if part == "unprocessedrecords":
            return Outcome(customer_id, "pending")
        code, _, rest = result.get("sf__Error", "").partition(":")
        if code in _GONE and self._target.mode == "update":
            return Outcome(customer_id, "absent")
        if code in _PASSING:
            return Outcome(customer_id, "pending")
        return Outcome(customer_id, "rejected", _reason(code, rest))


def _reason(code: str, rest: str) -> str:
    """The error's code and fields; its message, which may quote a value, only where it is fixed.

    Example:
        >>> _reason("STRING_TOO_LONG", "Name: data value too large: Ann:Name --")
        'STRING_TOO_LONG in Name'
    """
    message, _, fields = rest.rpartition(":")
    names = fields.removesuffix("--").strip()
    known = f"{code} in {names}" if names else code
    return f"{known}: {message}" if code in _IN_THE_ADMINISTRATORS_WORDS else known


def _stop(job: Job | None, job_id: str) -> PortfolioError | None:
    """Why nothing more should be sent after a job that was not done."""
    if job is None:
        return TryAgainLaterError(
            "Salesforce no longer has a job", where=f"job {job_id}", do="run it again"
        )
    if job.state == "Failed" and job.message.startswith("InvalidBatch"):
        return ConfigError(
            "Salesforce cannot read a job's columns",
            where=f"job {job_id}",
            saw=job.message,
            do="correct object, external_id or columns, or give the user access to the fields",
        )
    if job.state == "Failed":
        return ServiceUnavailableError(
            "Salesforce has given a job up",
            where=f"job {job_id}",
            saw=job.message or "no reason",
            do="run it again: its rows that did not arrive are sent again",
        )
    if job.state == "Aborted":
        return TryAgainLaterError(
            "somebody has aborted a job", where=f"job {job_id}", do="run it again"
        )
    return None


def _job_id(reference: str | None) -> str:
    if reference is None:
        raise ValueError("a batch for Salesforce has a job's id as its reference")
    return reference
