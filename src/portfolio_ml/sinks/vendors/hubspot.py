"""HubSpot, version 2026-09: batches of at most 100 records of one object, answered at once.

Calls go to `/crm/objects/2026-09/{object}/batch/update`, `upsert` and `read`. Writing the same
values twice is the same as writing them once, so that a call without an answer is read back, and
sent again where the records do not hold what was wanted.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from portfolio_ml.config.delivery_sections import HubSpotTarget
from portfolio_ml.errors import PortfolioError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.calls import Door, NoAnswerError, Reply
from portfolio_ml.sinks.vendors.hubspot_answers import Reading, found_records, read_written
from portfolio_ml.sinks.vendors.limits import Clock, Patience, RollingLimit
from portfolio_ml.sinks.vendors.values import holds
from portfolio_ml.sinks.vendors.vendor import Answer, Outcome, State, Wanted

VERSION = "2026-09"
WINDOW_SECONDS = 10.0
LOCKED_SECONDS = 2.0
MIGRATING_SECONDS = 60.0


class HubSpot:
    """The records of one object of one account.

    Args:
        target: Where they are, and how to get in.
        clock: The time.
        patience: How long to wait.

    Raises:
        ConfigError: The address or the token cannot be right.
    """

    most_rows = 100
    most_bytes: int | None = None

    def __init__(self, target: HubSpotTarget, *, clock: Clock, patience: Patience) -> None:
        self._target = target
        limit = RollingLimit(target.requests_per_10_seconds, WINDOW_SECONDS, clock)
        self._door = Door(
            target.base_url,
            who="HubSpot",
            patience=patience,
            asks_to_wait=self._asked_wait,
            limit=limit,
        )
        self._door.authorize(target.token)
        self.place = f"{self._door.address} {target.object} {target.id_property or 'id'}"
        self.name = f"HubSpot {target.object} at {self._door.address}"

    def look(self) -> None:
        """Read a record that nobody has, with the properties that deliveries write.

        Raises:
            ConfigError: There is no such object or key.
            ServiceUnavailableError: HubSpot does not answer, or the token lacks a right.
            TryAgainLaterError: The day's calls are spent.
        """
        nobody = Wanted("0", dict.fromkeys(self._target.columns.values()))
        try:
            self._read_back([nobody])
        except NoAnswerError as error:
            raise ServiceUnavailableError(
                "HubSpot does not answer", where=self._door.address, saw=str(error)
            ) from None

    def begin(self) -> str | None:
        """None: a batch is answered at once."""
        return None

    def send(self, batch: Sequence[Wanted], reference: str | None) -> Answer:  # noqa: ARG002 - there is none
        """Write the rows; a batch that is refused whole is halved until the bad rows are found."""
        outcomes: list[Outcome] = []
        parts = [tuple(batch)]
        while parts:
            part = parts.pop()
            try:
                reading = self._written(part)
            except NoAnswerError as error:
                outcomes += [Outcome(row.customer_id, "unknown", str(error)) for row in part]
            except _NotTakenError as stopped:
                left = [row for rest in (part, *parts) for row in rest]
                return Answer([*outcomes, *_all(left, "pending")], stopped.error)
            except PortfolioError as error:
                left = [row for rest in parts for row in rest]
                return Answer([*outcomes, *_all(left, "pending")], error)
            else:
                outcomes += reading.outcomes
                parts += reading.again
        return Answer(outcomes)

    def settle(self, batch: Sequence[Wanted], reference: str | None) -> Answer:  # noqa: ARG002 - there is none
        """Read the records back: `sent` where they hold what was wanted."""
        outcomes: list[Outcome] = []
        for start in range(0, len(batch), self.most_rows):
            part = batch[start : start + self.most_rows]
            try:
                outcomes += self._read_back(part)
            except (NoAnswerError, PortfolioError) as error:
                return Answer(outcomes, error if isinstance(error, PortfolioError) else None)
        return Answer(outcomes)

    def close(self) -> None:
        """Hang up."""
        self._door.close()

    def _written(self, part: Sequence[Wanted]) -> Reading:
        try:
            reply = self._call(self._target.mode, {"inputs": self._inputs(part)})
            return _certain(lambda: read_written(part, reply, id_property=self._target.id_property))
        except TryAgainLaterError as error:
            raise _NotTakenError(error) from None

    def _inputs(self, part: Sequence[Wanted]) -> list[dict[str, Any]]:
        by = {} if self._target.id_property is None else {"idProperty": self._target.id_property}
        return [
            {
                "id": row.customer_id,
                **by,
                "properties": {name: value or "" for name, value in row.properties.items()},
                "objectWriteTraceId": str(number),
            }
            for number, row in enumerate(part)
        ]

    def _read_back(self, part: Sequence[Wanted]) -> list[Outcome]:
        key = self._target.id_property
        names = sorted(
            {name for row in part for name in row.properties} | ({key} if key else set())
        )
        body: dict[str, Any] = {
            "inputs": [{"id": row.customer_id} for row in part],
            "properties": names,
            "propertiesWithHistory": [],
        }
        reply = self._call("read", body if key is None else body | {"idProperty": key})
        found, missing = found_records(part, reply, id_property=key)
        gone: State = "absent" if self._target.mode == "update" else "pending"
        outcomes = []
        for row in part:
            record = found.get(row.customer_id)
            state: State = gone if record is None and row.customer_id in missing else "pending"
            if record is not None and holds(record, row.properties):
                state = "sent"
            outcomes.append(Outcome(row.customer_id, state))
        return outcomes

    def _call(self, action: str, body: dict[str, Any]) -> Reply:
        return self._door.call(
            "POST",
            f"/crm/objects/{VERSION}/{self._target.object}/batch/{action}",
            content=json.dumps(body, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json"},
        )

    def _asked_wait(self, reply: Reply) -> float | None:
        """The seconds until the same call may be made again; None where the reply is final.

        Raises:
            TryAgainLaterError: The day's calls are spent.
        """
        most = reply.headers.get("x-hubspot-ratelimit-max", "")
        if most.isdecimal() and _window(reply) == WINDOW_SECONDS:
            self._door.limit.lower(int(most))
        match reply.status:
            case 429 if "DAILY" in str(reply.document.get("policyName", "")).upper():
                raise TryAgainLaterError(
                    "HubSpot's calls of the day are spent",
                    where=self._door.address,
                    do="run again tomorrow; what was sent so far is kept",
                )
            case 429:
                return reply.retry_after or _window(reply) or WINDOW_SECONDS
            case 423:
                return max(reply.retry_after or 0.0, LOCKED_SECONDS)
            case 477:
                return reply.retry_after or MIGRATING_SECONDS
            case 502 | 503 | 504:
                return reply.retry_after
        return None


class _NotTakenError(Exception):
    """HubSpot has certainly not taken the rows; `error` ends the delivery."""

    def __init__(self, error: PortfolioError) -> None:
        self.error = error
        super().__init__(str(error))


def _certain(read: Callable[[], Reading]) -> Reading:
    """What was read of a reply; where it ends the delivery, nothing of the call was taken."""
    try:
        return read()
    except PortfolioError as error:
        raise _NotTakenError(error) from None


def _all(rows: Sequence[Wanted], state: State) -> list[Outcome]:
    return [Outcome(row.customer_id, state) for row in rows]


def _window(reply: Reply) -> float | None:
    """The seconds of the limit's window, where the reply tells them."""
    given = reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
    return int(given) / 1000 if given.isdecimal() and int(given) else None
