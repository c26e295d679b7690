"""HubSpot's replies, read row by row.

A reply to a batch names the rows that it took (`results`, by the trace id that each was sent with)
and those that it refused (`errors`, whose `context` names trace ids or record ids). A row in
neither list is unknown, unless an error names nobody: then the row that it means is among them,
and they are sent again in halves. A refusal of the whole batch is halved as well.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portfolio_ml.errors import ConfigError, PortfolioError, ServiceUnavailableError
from portfolio_ml.sinks.vendors.calls import Reply
from portfolio_ml.sinks.vendors.vendor import Outcome, Wanted

_NOT_FOUND = "OBJECT_NOT_FOUND"
_SETUP = ("PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE", "PROPERTY_READ_ONLY")
_LONGEST_REASON = 300
_TOLD = {200, 201, 202, 207}
_REFUSED = {400, 404, 409, 422}
_ID_NAMES = {"id", "ids", "objectid", "objectids", "recordid", "recordids"}


@dataclass(slots=True)
class Reading:
    """What a reply says of a batch.

    Attributes:
        outcomes: What became of rows.
        again: Parts of the batch that are to be sent again, each by itself.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    again: list[tuple[Wanted, ...]] = field(default_factory=list)


def read_written(part: Sequence[Wanted], reply: Reply, *, id_property: str | None) -> Reading:
    """What a reply to `update` or `upsert` says of the rows that were sent.

    Raises:
        ConfigError: The object or a property is not there, or may not be written by anybody.
        ServiceUnavailableError: The token is refused, or the reply makes no sense.
    """
    document = reply.document
    if reply.status not in _TOLD | _REFUSED:
        raise refusal(reply)
    if not document.get("results") and (setup := _setup_fault(document, part)):
        raise setup
    if reply.status in _TOLD:
        return _read_lists(part, document, id_property=id_property)
    gone = reply.status == 404
    if gone and document.get("category") != _NOT_FOUND:
        raise refusal(reply)
    return _read_refusal(part, document, gone=gone)


def found_records(
    part: Sequence[Wanted], reply: Reply, *, id_property: str | None
) -> tuple[dict[str, Mapping[str, Any]], set[str]]:
    """What a reply to `read` holds: properties by customer, and who is not there.

    Raises:
        ServiceUnavailableError: The token is refused, or the reply makes no sense.
        ConfigError: The object is not there.
    """
    document = reply.document
    gone = reply.status == 404 and document.get("category") == _NOT_FOUND
    if reply.status not in _TOLD and not gone:
        raise refusal(reply)
    key = _Key(part, id_property, traced=False)
    found = {
        customer: record["properties"]
        for record in _objects(document.get("results"))
        if (customer := key.of(record)) and isinstance(record.get("properties"), dict)
    }
    missing = {
        customer
        for error in ([document] if gone else _objects(document.get("errors")))
        if error.get("category") == _NOT_FOUND
        for customer in key.named_by(error)
    }
    if gone and not missing:
        missing = {row.customer_id for row in part}
    return found, missing


def refusal(reply: Reply) -> PortfolioError:
    """The error for a reply that speaks of the call and not of its rows."""
    do = "run again later; what was sent so far is kept"
    if reply.status == 401:
        return ServiceUnavailableError(
            "HubSpot refuses the access token: it is wrong or has expired",
            do="set the environment variable to a valid one and run again",
        )
    if reply.status == 403:
        scopes = ", ".join(sorted(set(_missing_scopes(reply.document))))
        return ServiceUnavailableError(
            "HubSpot denies the private app access",
            saw=f"missing scopes {scopes}" if scopes else None,
            do="grant it the scopes to read and write this object",
        )
    if reply.status == 404:
        return ConfigError(
            "HubSpot does not know this object", do="check object and base_url of the target"
        )
    return ServiceUnavailableError("HubSpot gives no usable answer", saw=f"{reply.status}", do=do)


def _read_lists(
    part: Sequence[Wanted], document: dict[str, Any], *, id_property: str | None
) -> Reading:
    key, reading = _Key(part, id_property), Reading()
    left = {row.customer_id: row for row in part}
    for record in _objects(document.get("results")):
        if (customer := key.of(record)) and left.pop(customer, None):
            reading.outcomes.append(Outcome(customer, "sent"))
    nobody = None
    for error in _objects(document.get("errors")):
        named = key.named_by(error)
        nobody = nobody if named else error
        for customer in named & left.keys():
            reading.outcomes.append(_refused(left.pop(customer), error))
    if nobody and len(left) == 1:
        reading.outcomes.append(_refused(left.popitem()[1], nobody))
    elif nobody:
        reading.again += _halves(tuple(left.values()))
    else:
        reason = "HubSpot's answer does not name the row"
        reading.outcomes += [Outcome(customer, "unknown", reason) for customer in left]
    return reading


def _read_refusal(part: Sequence[Wanted], error: dict[str, Any], *, gone: bool) -> Reading:
    named = _Key(part, None).named_by(error) if gone else set()
    if len(part) == 1:
        return Reading([_refused(part[0], error)])
    if not named:
        return Reading(again=_halves(tuple(part)))
    rest = tuple(row for row in part if row.customer_id not in named)
    refused = [_refused(row, error) for row in part if row.customer_id in named]
    return Reading(refused, [rest] if rest else [])


class _Key:
    """Which row of a batch a record or an error speaks of."""

    def __init__(
        self, part: Sequence[Wanted], id_property: str | None, *, traced: bool = True
    ) -> None:
        numbered = enumerate(part if traced else ())
        self._by_trace = {str(number): row.customer_id for number, row in numbered}
        self._by_id = {row.customer_id: row.customer_id for row in part}
        self._by_folded = {row.customer_id.casefold(): row.customer_id for row in part}
        self._id_property = id_property

    def of(self, record: Mapping[str, Any]) -> str | None:
        """The customer of a record; None where it is none of the batch's."""
        if customer := self._by_trace.get(str(record.get("objectWriteTraceId"))):
            return customer
        if self._id_property is None:
            return self._by_id.get(str(record.get("id")))
        properties = record.get("properties")
        key = properties.get(self._id_property) if isinstance(properties, dict) else None
        return self._by_id.get(str(key)) or self._by_folded.get(str(key).casefold())

    def named_by(self, error: Mapping[str, Any]) -> set[str]:
        """The customers whom an error names in its context."""
        context = error.get("context")
        lists = context if isinstance(context, dict) else {}
        found = set()
        for name, values in lists.items():
            traced = name == "objectWriteTraceId"
            if not traced and name.casefold() not in _ID_NAMES and name != self._id_property:
                continue
            known = self._by_trace if traced else self._by_id
            found |= {known[str(v)] for v in _values(values) if str(v) in known}
        return found


def _refused(row: Wanted, error: Mapping[str, Any]) -> Outcome:
    if error.get("category") == _NOT_FOUND:
        return Outcome(row.customer_id, "absent")
    return Outcome(row.customer_id, "rejected", _reason(row, error))


def _reason(row: Wanted, error: Mapping[str, Any]) -> str:
    """HubSpot's words without the customer's values."""
    said = str(error.get("message") or error.get("category") or "refused without a reason")
    kind = str(error.get("category") or "")
    for value in sorted({*row.properties.values(), row.customer_id} - {None, ""}, key=_longest):
        said = re.sub(rf"(?<![\w.]){re.escape(str(value))}(?![\w])", "***", said)
    told = " ".join(said.split())[:_LONGEST_REASON]
    return f"{kind}: {told}" if kind and kind not in told else told


def _setup_fault(document: Mapping[str, Any], part: Sequence[Wanted]) -> ConfigError | None:
    """The error for a refusal that no row can help."""
    said = json.dumps(document)
    if not any(code in said for code in _SETUP):
        return None
    names = sorted({name for row in part[:1] for name in row.properties if name in said})
    return ConfigError(
        "HubSpot has no such property, or does not let it be written",
        saw=", ".join(names) or None,
        do="create it in HubSpot, or correct columns of the target",
    )


def _missing_scopes(document: Mapping[str, Any]) -> Iterator[str]:
    for told in (document, *_objects(document.get("errors"))):
        context = told.get("context")
        scopes = context.get("missingScopes") if isinstance(context, dict) else None
        yield from (str(scope) for scope in _values(scopes))


def _halves(rows: tuple[Wanted, ...]) -> list[tuple[Wanted, ...]]:
    middle = (len(rows) + 1) // 2
    return [half for half in (rows[:middle], rows[middle:]) if half]


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _values(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _longest(value: str | None) -> int:
    return -len(value or "")
