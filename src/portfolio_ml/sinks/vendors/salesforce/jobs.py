"""The life of a Bulk API 2.0 ingest job: created, filled, closed, waited for, read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.calls import Reply
from portfolio_ml.sinks.vendors.limits import Clock
from portfolio_ml.sinks.vendors.salesforce.fields import csv_rows
from portfolio_ml.sinks.vendors.salesforce.session import Session

OVER = {"JobComplete", "Failed", "Aborted"}
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 1.0, 120.0, 1.6

Part = Literal["successfulResults", "failedResults", "unprocessedrecords"]


@dataclass(frozen=True, slots=True)
class Job:
    """What Salesforce says of a job.

    Attributes:
        state: How far it is.
        message: Why it has failed; empty where it has not.
        processed: How many rows Salesforce has come to.
    """

    state: str
    message: str
    processed: int

    @property
    def did_nothing(self) -> bool:
        """Whether it is over without having come to a row."""
        return self.state in {"Failed", "Aborted"} and self.processed == 0


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of a target.

    Attributes:
        target: The object and its external id.
        session: Makes the calls.
        clock: The time that is waited.
    """

    target: SalesforceTarget
    session: Session
    clock: Clock

    def create(self) -> str:
        """A new job without data; gives its id.

        Where the answer is lost and the call is sent again, a job is left open that has no data
        and does nothing.
        """
        order = {
            "object": self.target.object,
            "operation": self.target.mode,
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        if self.target.mode == "upsert":
            order["externalIdFieldName"] = self.target.external_id
        path = f"{self.session.root}/jobs/ingest"
        reply = self.session.call("POST", path, json.dumps(order).encode())
        return _text(reply, "id")

    def upload(self, job_id: str, data: bytes) -> None:
        """Give the job its rows.

        Raises:
            NoAnswerError: Whether it has them is not known. They must not be sent to it again.
        """
        path = f"{self._path(job_id)}/batches"
        reply = self.session.call_once("PUT", path, data, content_type="text/csv; charset=UTF-8")
        if reply.status == 404:
            raise _vanished(job_id)

    def close(self, job_id: str) -> None:
        """Say that the rows are complete, so that Salesforce begins.

        Raises:
            ServiceUnavailableError: It does not, such as where the rows came twice.
        """
        self._move(job_id, "UploadComplete")

    def abort(self, job_id: str) -> None:
        """Give the job up, with the rows it has not come to."""
        self._move(job_id, "Aborted")

    def look(self, job_id: str) -> Job | None:
        """How the job stands; None where it has vanished, which it does after 7 days."""
        reply = self.session.call("GET", self._path(job_id))
        if reply.status == 404:
            return None
        told = reply.document
        processed = told.get("numberRecordsProcessed")
        return Job(
            state=_text(reply, "state"),
            message=str(told.get("errorMessage") or "")[:300],
            processed=processed if isinstance(processed, int) else 1,  # look at the results then
        )

    def wait(self, job_id: str) -> Job | None:
        """The job once it is over; None where it has vanished.

        Raises:
            TryAgainLaterError: It takes longer than a run may wait.
        """
        waited, pause = 0.0, _FIRST_PAUSE
        while (job := self.look(job_id)) is not None and job.state not in OVER:
            if waited >= self.target.poll_minutes * 60:
                raise TryAgainLaterError(
                    "Salesforce has not finished a job",
                    where=f"job {job_id}",
                    saw=f"{job.state} after {self.target.poll_minutes} minutes",
                    do="run it again later: the next run takes the job up, or raise poll_minutes",
                )
            self.clock.sleep(pause)
            waited, pause = waited + pause, min(pause * _GROWTH, _LONGEST_PAUSE)
        return job

    def results(self, job_id: str, part: Part) -> Iterator[dict[str, str]]:
        """Rows of a job that is over, in no order, with the columns that they were sent with.

        Raises:
            ServiceUnavailableError: The results cannot be read.
        """
        reply = self.session.call("GET", f"{self._path(job_id)}/{part}/")
        if reply.status == 404:
            raise _vanished(job_id)
        try:
            yield from csv_rows(reply.text)
        except ValueError:
            raise ServiceUnavailableError(
                "Salesforce's results cannot be read", where=f"job {job_id}"
            ) from None

    def _move(self, job_id: str, state: str) -> None:
        """Set the state of an open job; fine too where a first try, its answer lost, has set it."""
        content = json.dumps({"state": state}).encode()
        try:
            self.session.call("PATCH", self._path(job_id), content)
        except ServiceUnavailableError:
            job = self.look(job_id)
            if job is not None and job.state == "Open":
                raise

    def _path(self, job_id: str) -> str:
        return f"{self.session.root}/jobs/ingest/{job_id}"


def _text(reply: Reply, name: str) -> str:
    """What a reply calls `name`."""
    found = reply.document.get(name)
    if not isinstance(found, str):
        raise ServiceUnavailableError(
            "Salesforce's reply cannot be read",
            saw=f"status {reply.status}",
            do="check login_url and api_version",
        )
    return found


def _vanished(job_id: str) -> TryAgainLaterError:
    return TryAgainLaterError(
        "Salesforce no longer has a job", where=f"job {job_id}", do="run it again"
    )
