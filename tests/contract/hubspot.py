"""HubSpot as its documents say, and as it is on bad days: a server on 127.0.0.1 for tests.

It keeps records in memory, answers `batch/update`, `batch/upsert` and `batch/read`, and judges
each request and its own answers by HubSpot's OpenAPI documents where they are at hand. What they
leave out it enforces itself: 100 inputs, the token, the limits, and calls that come too early.
"""

import json
import random
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.contract import openapi
from tests.contract.serving import body_of, break_off, served

TOKEN = "pat-eu1-0f8fad5b-d9cb-469f-a165-70867728950e"
STAMP = "2026-11-26T10:00:00.000Z"
PATH = re.compile(r"/crm/objects/2026-09/([^/]+)/batch/(update|upsert|read)")

Refusal = tuple[int, dict[str, Any], dict[str, str]]


@dataclass
class Call:
    """One call as the server saw it."""

    at: float
    action: str
    customers: tuple[str, ...]
    status: int = 0
    early_by: float = 0.0


@dataclass
class Weather:
    """What goes wrong.

    Attributes:
        script: What happens to the next calls, one each, such as `429`, `daily`, `423`, `477`,
            `503`, `drop_before`, `drop_after`, `silent` (a row in neither list), `garbage`.
        shares: The chance of each such thing for calls that the script does not speak of.
        token: The one that is valid.
        calls_before_expiry: After so many calls it is not any more.
        calls_a_day: The daily limit.
        calls_in_10_seconds: The rolling limit.
        retry_after: What `Retry-After` says of 429 and 477; none where None.
        refuses: Why a row is refused by itself (207), from its id and properties.
        rule: Why a whole batch is refused for one row (400), from its id and properties.
        errors_name: Whether errors name rows by `trace`, by `ids`, or `nobody`.
        missing: Whether a record that is not there shows in a `207` or makes the batch a `404`.
    """

    script: deque[str] = field(default_factory=deque)
    shares: dict[str, float] = field(default_factory=dict)
    token: str = TOKEN
    calls_before_expiry: int | None = None
    calls_a_day: int | None = None
    calls_in_10_seconds: int = 100
    retry_after: str | None = "3"
    refuses: Callable[[str, dict[str, str]], str | None] = lambda _id, _properties: None
    rule: Callable[[str, dict[str, str]], str | None] = lambda _id, _properties: None
    errors_name: str = "trace"
    missing: str = "207"


class HubSpotServer:
    """One account with the records of one object.

    Args:
        id_property: The unique property that holds the customer's id; None for HubSpot's own id.
        weather: What goes wrong.
        seconds: The clock.
    """

    def __init__(
        self,
        id_property: str | None = "customer_no",
        weather: Weather | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id_property, self.seconds = id_property, seconds
        self.weather = weather or Weather()
        self.records: dict[str, dict[str, str]] = {}
        self.created: Counter[str] = Counter()
        self.calls: list[Call] = []
        self.schema_faults: list[str] = []
        self.on_applied: Callable[[int], None] = lambda number: None
        self._recent: deque[float] = deque()
        self._not_before = 0.0
        self._random = random.Random(7)

    def have(self, customers: list[str]) -> None:
        """Create empty records."""
        for customer in customers:
            self._create(customer)

    @property
    def writes(self) -> list[Call]:
        """The calls that are no reads, answered or not."""
        return [call for call in self.calls if call.action != "read"]

    @property
    def early(self) -> list[Call]:
        """The calls that came before they were allowed."""
        return [call for call in self.calls if call.early_by > 0]

    def held(self) -> dict[str, dict[str, str]]:
        """What the records hold, without the key and what is empty."""
        return {
            customer: {
                name: value
                for name, value in record.items()
                if value and name not in {self.id_property, "hs_object_id"}
            }
            for customer, record in self.records.items()
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one call."""
        at, body = self.seconds(), await body_of(receive)
        found = PATH.fullmatch(scope["path"])
        try:
            asked = json.loads(body) if found else None
        except ValueError:
            asked = None
        if found is None or not isinstance(asked, dict) or scope["method"] != "POST":
            await self._answer(send, 404, {"category": "NOT_FOUND", "message": "no such page"})
            return
        object_name, action = found.groups()
        customers = tuple(str(row.get("id")) for row in asked.get("inputs", ()))
        call = Call(at, action, customers, early_by=self._not_before - at)
        self.calls.append(call)
        self.schema_faults += openapi.faults(object_name, openapi.REQUESTS[action], asked)
        event = self._event()
        if event == "drop_before":
            await break_off(send)
            return
        headers = dict(scope["headers"])
        refused = self._refused(call, asked, headers.get(b"authorization", b"").decode(), event)
        status, answer, extra = refused or (*self._carried_out(action, asked, event), {})
        call.status = status
        schema = openapi.RESPONSES[action] if status in {200, 207} else "Error"
        self.schema_faults += openapi.faults(object_name, schema, answer)
        if not refused:
            self.on_applied(len(self.writes) if action != "read" else 0)
        if event == "drop_after":
            await break_off(send)
        elif event == "garbage":
            await self._answer(send, 200, "<html>")
        else:
            await self._answer(send, status, answer, extra)

    def _event(self) -> str | None:
        if self.weather.script:
            return self.weather.script.popleft()
        dice = self._random.random()
        for event, share in self.weather.shares.items():
            if dice < share:
                return event
            dice -= share
        return None

    def _refused(
        self, call: Call, asked: dict[str, Any], shown: str, event: str | None
    ) -> Refusal | None:
        weather = self.weather
        spent = weather.calls_before_expiry
        if shown != f"Bearer {weather.token}" or (spent is not None and len(self.calls) > spent):
            return 401, _error("INVALID_AUTHENTICATION", f"{shown} is expired"), {}
        if event == "daily" or (
            weather.calls_a_day is not None and len(self.calls) > weather.calls_a_day
        ):
            return 429, _error("RATE_LIMITS", "daily limit") | {"policyName": "DAILY"}, {}
        return (
            self._beyond_the_limit(call)
            or self._put_off(event)
            or _disallowed(event, asks_for=len(asked["inputs"]))
        )

    def _beyond_the_limit(self, call: Call) -> Refusal | None:
        weather = self.weather
        while self._recent and self._recent[0] <= call.at - 10:
            self._recent.popleft()
        if len(self._recent) >= weather.calls_in_10_seconds:
            call.early_by = max(call.early_by, self._recent[0] + 10 - call.at)
            return self._later(429, "TEN_SECONDLY_ROLLING", self._recent[0] + 10 - call.at)
        self._recent.append(call.at)
        return None

    def _put_off(self, event: str | None) -> Refusal | None:
        if event not in {"429", "423", "477"}:
            return None
        given = self.weather.retry_after
        seconds = {"423": 2.0, "429": 10.0, "477": 60.0}[event] if given is None else given
        policy = "TEN_SECONDLY_ROLLING" if event == "429" else None
        told = given if event != "423" else None
        return self._later(int(event), policy, 2.0 if event == "423" else float(seconds), told)

    def _later(
        self, status: int, policy: str | None, seconds: float, retry_after: str | None = None
    ) -> Refusal:
        self._not_before = max(self._not_before, self.seconds() + seconds)
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        if policy:
            headers |= {
                "X-HubSpot-RateLimit-Max": str(self.weather.calls_in_10_seconds),
                "X-HubSpot-RateLimit-Remaining": "0",
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            }
        answer = _error("RATE_LIMITS", "later")
        return status, answer | ({"policyName": policy} if policy else {}), headers

    def _carried_out(
        self, action: str, asked: dict[str, Any], event: str | None
    ) -> tuple[int, dict[str, Any]]:
        if action == "read":
            return self._read(asked)
        inputs = asked["inputs"]
        gone = [row["id"] for row in inputs if row["id"] not in self.records]
        if action == "update" and gone and self.weather.missing == "404":
            return 404, _gone(gone, whole=True)
        broken = [why for row in inputs if (why := self.weather.rule(row["id"], row["properties"]))]
        if broken:
            return 400, _error("VALIDATION_ERROR", broken[0])
        results, errors = [], []
        silent = self._random.randrange(len(inputs)) if event == "silent" else None
        for number, row in enumerate(inputs):
            if action == "update" and row["id"] in gone:
                continue
            why = self.weather.refuses(row["id"], row["properties"])
            if why:
                errors.append(self._row_error(row, why))
            elif number != silent:
                results.append(self._write(row, action))
        if action == "update" and gone:
            errors.append(_gone(gone, whole=False))
        return self._batch(results, errors)

    def _row_error(self, row: dict[str, Any], why: str) -> dict[str, Any]:
        names = {
            "trace": {"objectWriteTraceId": [row["objectWriteTraceId"]]},
            "ids": {"ids": [row["id"]]},
            "nobody": {"line": ["1"]},
        }
        found = _error("VALIDATION_ERROR", why) | {"status": "error", "links": {}, "errors": []}
        return found | {"context": names[self.weather.errors_name]}

    def _write(self, row: dict[str, Any], action: str) -> dict[str, Any]:
        customer, new = row["id"], row["id"] not in self.records
        assert row.get("idProperty") == self.id_property
        if new:
            self._create(customer)
        self.records[customer] |= row["properties"]
        found = self._shown(customer, set(row["properties"]))
        found["properties"] = {k: v for k, v in found["properties"].items() if v is not None}
        traced = found | {"objectWriteTraceId": row["objectWriteTraceId"]}
        return traced | ({"new": new} if action == "upsert" else {})

    def _read(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert asked.get("idProperty") == self.id_property
        ids = [row["id"] for row in asked["inputs"]]
        gone = [customer for customer in ids if customer not in self.records]
        names = set(asked["properties"])
        results = [self._shown(customer, names) for customer in ids if customer not in gone]
        return self._batch(results, [_gone(gone, whole=False)] if gone else [])

    def _create(self, customer: str) -> None:
        self.created[customer] += 1
        key = {} if self.id_property is None else {self.id_property: customer}
        self.records[customer] = {"hs_object_id": self._own_id(customer), **key}

    def _own_id(self, customer: str) -> str:
        return customer if self.id_property is None else f"9{len(self.records):08}"

    def _shown(self, customer: str, names: set[str]) -> dict[str, Any]:
        record = self.records[customer]
        return {
            "id": record["hs_object_id"],
            "properties": {name: record.get(name) or None for name in names | {"hs_object_id"}},
            "createdAt": STAMP,
            "updatedAt": STAMP,
            "archived": False,
        }

    def _batch(
        self, results: list[dict[str, Any]], errors: list[dict[str, Any]]
    ) -> tuple[int, dict[str, Any]]:
        # HubSpot keeps no order.
        self._random.shuffle(results)
        found: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": STAMP,
            "completedAt": STAMP,
        }
        if not errors:
            return 200, found
        return 207, found | {"numErrors": len(errors), "errors": errors}

    async def _answer(
        self, send: Any, status: int, answer: Any, headers: dict[str, str] | None = None
    ) -> None:
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        listed = {"Content-Type": "application/json", **(headers or {})}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode(), v.encode()) for k, v in listed.items()],
            }
        )
        await send({"type": "http.response.body", "body": body})


@contextmanager
def hubspot(**options: Any) -> Iterator[tuple[HubSpotServer, str]]:
    """A server and its address for the length of a `with` block."""
    server = HubSpotServer(**options)
    with served(server) as address:
        yield server, address
    assert server.schema_faults == []


def _disallowed(event: str | None, *, asks_for: int) -> Refusal | None:
    if event in {"500", "502", "503", "504"}:
        return int(event), _error("INTERNAL", "a moment"), {}
    if event == "403":
        context = {"missingScopes": ["crm.objects.contacts.write"]}
        return 403, _error("MISSING_SCOPES", "no scope") | {"context": context}, {}
    if asks_for > 100:
        return 400, _error("VALIDATION_ERROR", "more than 100 inputs"), {}
    return None


def _error(category: str, message: str) -> dict[str, Any]:
    return {"category": category, "message": message, "correlationId": str(uuid4())}


def _gone(customers: list[str], *, whole: bool) -> dict[str, Any]:
    message = "Could not get some CONTACT objects, they may be deleted or not exist."
    found = _error("OBJECT_NOT_FOUND", message) | {"context": {"ids": customers}}
    return found if whole else found | {"status": "error", "links": {}, "errors": []}
