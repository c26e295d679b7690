"""Which records hold which external ids: Bulk API updates by record id alone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.sinks.vendors.salesforce.session import Session
from portfolio_ml.sinks.vendors.salesforce.soql import queries_for


def record_ids(
    external_ids: Iterable[str], *, target: SalesforceTarget, session: Session
) -> Mapping[str, tuple[str, ...]]:
    """The ids of the records with each external id; an external id without a record is not in it.

    External ids are told apart by case, as customers' ids are, though Salesforce may not.

    Raises:
        ServiceUnavailableError: The query is refused, or Salesforce does not answer.
        TryAgainLaterError: The day's calls are used up.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for query in queries_for(external_ids, of=target.object, field=target.external_id):
        for record in _records(f"{session.root}/query?q={quote(query, safe='')}", session):
            held, record_id = record.get(target.external_id), record.get("Id")
            if isinstance(held, str) and isinstance(record_id, str):
                found[held].add(record_id)
    return {external_id: tuple(sorted(ids)) for external_id, ids in found.items()}


def _records(first: str, session: Session) -> Iterator[Mapping[str, object]]:
    """The records of all pages of a query."""
    path: str | None = first
    while path is not None:
        told = session.call("GET", path).document
        if not isinstance(told.get("records"), list):
            raise ServiceUnavailableError(
                "Salesforce's answer to a query cannot be read",
                do="check login_url and api_version",
            )
        yield from told["records"]
        following = told.get("nextRecordsUrl")
        path = following if isinstance(following, str) else None
