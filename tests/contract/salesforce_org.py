"""The organisation behind the contract server: records, jobs and queries, kept in memory.

It behaves as Salesforce's documents say: external ids are compared without case, text is trimmed,
an empty field is ignored, `#N/A` sets null, a key that is twice in a chunk fails, the results come
in another order than the rows.
"""

import csv
import io
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

Rows = list[dict[str, str]]

TYPES = {
    "double": float,
    "boolean": lambda text: {"true": True, "false": False}[text],
    "date": lambda text: str(date.fromisoformat(text)),
    "datetime": lambda text: datetime.fromisoformat(text).isoformat(),
    "string": str.strip,
}
FIELD_CHARACTERS = 32_000
_QUERY = re.compile(r"SELECT Id, (\w+) FROM (\w+) WHERE (\w+) IN \((.*)\)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'(,|$)", re.DOTALL)


@dataclass
class Job:
    """A bulk ingest job."""

    id: str
    order: dict[str, Any]
    polls_left: int
    state: str = "Open"
    data: bytes | None = None
    uploads: int = 0
    message: str | None = None
    done: Rows = field(default_factory=list)
    failed: Rows = field(default_factory=list)
    unprocessed: Rows = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any]:
        """What Salesforce tells of it."""
        told = {"id": self.id, "state": self.state, "contentUrl": f"jobs/ingest/{self.id}/batches"}
        counts = {
            "numberRecordsProcessed": len(self.done) + len(self.failed),
            "numberRecordsFailed": len(self.failed),
        }
        return self.order | told | counts | ({"errorMessage": self.message} if self.message else {})


@dataclass
class Org:
    """The records of one object, and the jobs that change them.

    Attributes:
        fields: The object's fields and their types.
        external_id: Its external id.
        refused: External ids that a validation rule refuses.
        locked: External ids whose record is locked, each for as many attempts.
        fails_after: The number of rows after which a job fails and leaves the others unprocessed.
        chunk: How many rows of a job are handled at once.
        polls: How many polls see a job as queued, and as many again as in progress.
    """

    fields: dict[str, str]
    external_id: str = "Customer__c"
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    index: dict[str, str] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, Job] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    locked: Counter[str] = field(default_factory=Counter)
    fails_after: int | None = None
    chunk: int = 10_000
    polls: int = 1
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    made: int = 0

    def add(self, *external_ids: str) -> list[str]:
        """Records with these external ids, as a person would make them; gives their ids."""
        return [self._new({self.external_id: name.strip()}) for name in external_ids]

    def by_external_id(self) -> dict[str, dict[str, Any]]:
        """The records, by their external id."""
        return {r[self.external_id]: r for r in self.records.values() if r.get(self.external_id)}

    def open_job(self, order: dict[str, Any]) -> Job:
        self.made += 1
        job = Job(f"750{self.made:012}AAA", order, polls_left=2 * self.polls)
        self.jobs[job.id] = job
        return job

    def close_job(self, job: Job) -> None:
        """Take the rows in; whoever polls sees it later."""
        job.state = "UploadComplete"
        reader = csv.DictReader(io.StringIO((job.data or b"").decode(), newline=""))
        rows = list(reader)
        job.columns = list(reader.fieldnames or [])
        if unknown := [n for n in job.columns if n not in self.fields and n != "Id"]:
            job.message = f"InvalidBatch : Field name not found : {unknown[0]}"
            job.unprocessed = rows
            return
        if self.fails_after is not None and len(rows) > self.fails_after:
            job.message = "InternalServerError : the batch was given up"
            rows, job.unprocessed = rows[: self.fails_after], rows[self.fails_after :]
        for start in range(0, len(rows), self.chunk):
            self._take_chunk(job, rows[start : start + self.chunk])
        for part in (job.done, job.failed, job.unprocessed):
            self.dice.shuffle(part)

    def poll(self, job: Job) -> None:
        """Let the job's state go on."""
        if job.state not in {"UploadComplete", "InProgress"}:
            return
        job.polls_left -= 1
        if job.polls_left < 0:
            job.state = "Failed" if job.message else "JobComplete"
        elif job.polls_left < self.polls:
            job.state = "InProgress"

    def query(self, soql: str) -> list[dict[str, Any]] | None:
        """The records that a query finds; None where it cannot be read."""
        read = _QUERY.fullmatch(soql)
        if not read or read[1] != read[3]:
            return None
        wanted, rest = set(), read[4]
        while rest:
            value = _QUOTED.match(rest)
            if not value:
                return None
            text = re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), value[1])
            wanted.add(text.casefold())
            rest = rest[value.end() :]
        held = [r for r in self.records.values() if r.get(read[1], "").casefold() in wanted]
        return [{"attributes": {"type": read[2]}, "Id": r["Id"], read[1]: r[read[1]]} for r in held]

    def _take_chunk(self, job: Job, rows: Rows) -> None:
        key = job.order.get("externalIdFieldName", "Id")
        times = Counter(row[key].strip().casefold() for row in rows)
        for row in rows:
            twice = times[row[key].strip().casefold()] > 1
            if (
                fault := f"DUPLICATE_VALUE:Duplicate key:{key} --"
                if twice
                else self._fault(row, key)
            ):
                job.failed.append({"sf__Id": "", "sf__Error": fault, **row})
                continue
            record, created = self._record(row, key)
            job.done.append({"sf__Id": record["Id"], "sf__Created": str(created).lower(), **row})
            for name, text in row.items():
                if text and name != "Id":
                    record[name] = None if text == "#N/A" else TYPES[self.fields[name]](text)
            self.writes[record.get(self.external_id) or record["Id"]] += 1

    def _fault(self, row: dict[str, str], key: str) -> str | None:
        if key == "Id" and row["Id"] not in self.records:
            return "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"
        who = row[key] if key != "Id" else self.records[row["Id"]].get(self.external_id, "")
        if self.locked[who] > 0:
            self.locked[who] -= 1
            return "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"
        if who in self.refused:
            return 'FIELD_CUSTOM_VALIDATION_EXCEPTION:a rule of ours, "hard":Score__c --'
        for name, text in row.items():
            if len(text) > FIELD_CHARACTERS:
                return f"STRING_TOO_LONG:{name}: data value too large:{name} --"
            try:
                _ = text in {"", "#N/A"} or TYPES[self.fields.get(name, "string")](text)
            except (ValueError, KeyError):
                return (
                    f"INVALID_TYPE_ON_FIELD_IN_RECORD:{name}: value not of required type:{name} --"
                )
        return None

    def _record(self, row: dict[str, str], key: str) -> tuple[dict[str, Any], bool]:
        if key == "Id":
            return self.records[row["Id"]], False
        held = self.index.get(row[key].strip().casefold())
        if held is not None:
            return self.records[held], False
        return self.records[self._new({key: row[key].strip()})], True

    def _new(self, values: dict[str, Any]) -> str:
        self.made += 1
        name = f"001{self.made:012}AAA"
        self.records[name] = {"Id": name, **values}
        self.index.setdefault(values[self.external_id].casefold(), name)
        return name
