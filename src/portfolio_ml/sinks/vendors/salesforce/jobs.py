"""The life of a Bulk API 2.0 ingest job: created, filled, closed, waited for, read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.salesforce.fields import csv_rows
from portfolio_ml.sinks.vendors.salesforce.session import Answer, Session, decoded

OVER = {"JobComplete", "Failed", "Aborted"}
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 1.0, 60.0, 1.6

Part = Literal["successfulResults", "failedResults", "unprocessedrecords"]


@dataclass(frozen=True, slots=True)
class Job:
    """What Salesforce says of a job; `message` tells why one has failed."""

    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of a target.

    Attributes:
        target: The object and its external id.
        session: Makes the calls.
        sleep: Waits for as many seconds.
    """

    target: SalesforceTarget
    session: Session
    sleep: Callable[[float], None]

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
        answer = self.session.call("POST", path, content=json.dumps(order).encode())
        return str(_found(answer, "the interface").get("id"))

    def upload(self, job_id: str, data: bytes) -> None:
        """Give the job its rows.

        Sent once: a job takes data once, and what a lost answer means cannot be told.
        """
        answer = self.session.call(
            "PUT",
            f"{self._path(job_id)}/batches",
            content=data,
            content_type="text/csv; charset=UTF-8",
            repeat=False,
        )
        if answer.status == 404:
            raise _vanished(job_id)

    def close(self, job_id: str) -> None:
        """Say that the rows are complete, so that Salesforce begins."""
        self._move(job_id, "UploadComplete")

    def abort(self, job_id: str) -> None:
        """Give the job up, with the rows it has not come to."""
        self._move(job_id, "Aborted")

    def look(self, job_id: str) -> Job | None:
        """How the job stands; None where it has vanished, which it does after 7 days."""
        answer = self.session.call("GET", self._path(job_id))
        if answer.status == 404:
            return None
        told = decoded(answer)
        return Job(str(told.get("state")), str(told.get("errorMessage") or "")[:300])

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
            self.sleep(pause)
            waited, pause = waited + pause, min(pause * _GROWTH, _LONGEST_PAUSE)
        return job

    def results(self, job_id: str, part: Part) -> Iterator[dict[str, str]]:
        """Rows of a job that is over, in no order, with the columns that they were sent with.

        Raises:
            ServiceUnavailableError: The results cannot be read.
        """
        answer = self.session.call("GET", f"{self._path(job_id)}/{part}/")
        if answer.status == 404:
            raise _vanished(job_id)
        try:
            yield from csv_rows(answer.body)
        except ValueError:
            raise ServiceUnavailableError(
                "Salesforce's results cannot be read", where=f"job {job_id}"
            ) from None

    def _move(self, job_id: str, state: str) -> None:
        """Set the state of an open job; fine too where a first try, its answer lost, has set it."""
        content = json.dumps({"state": state}).encode()
        try:
            self.session.call("PATCH", self._path(job_id), content=content)
        except ServiceUnavailableError:
            job = self.look(job_id)
            if job is not None and job.state == "Open":
                raise

    def _path(self, job_id: str) -> str:
        return f"{self.session.root}/jobs/ingest/{job_id}"


def _found(answer: Answer, what: str) -> dict[str, object]:
    if answer.status == 404:
        raise ServiceUnavailableError(
            f"Salesforce does not know {what}", saw="404", do="check api_version and login_url"
        )
    return decoded(answer)


def _vanished(job_id: str) -> TryAgainLaterError:
    return TryAgainLaterError(
        "Salesforce no longer has a job", where=f"job {job_id}", do="run it again"
    )
