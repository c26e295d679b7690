"""A Salesforce on this machine, for the length of a `with` block, and targets that lead to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.contract.deliveries import QUICK, names
from tests.contract.salesforce import CLIENT_ID, CLIENT_SECRET, USERNAME, Salesforce
from tests.contract.salesforce_org import Org
from tests.contract.serving import served

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.sinks.crm import Crm
from portfolio_ml.sinks.vendors.limits import Clock

FIELDS = {
    "Customer__c": "string",
    "Churn__c": "double",
    "Segment__c": "string",
    "Active__c": "boolean",
    "Next__c": "date",
    "Scored__c": "datetime",
}
COLUMNS = {
    "p_churn": "Churn__c",
    "segment_name": "Segment__c",
    "is_active": "Active__c",
    "expected_next_order_date": "Next__c",
    "scored_at": "Scored__c",
}


class Place:
    """An address at which one Salesforce after the other can be found."""

    address: str = ""
    here: Salesforce

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a call on."""
        await self.here(scope, receive, send)

    def fresh(self, **faults: Any) -> Salesforce:
        """A Salesforce without records, with these faults."""
        self.here = Salesforce(Org(dict(FIELDS)), self.address, **faults)
        return self.here


@contextmanager
def salesforces() -> Iterator[Place]:
    """A place that is served."""
    place = Place()
    with served(place) as place.address:
        yield place


def target(server: Salesforce, **changes: object) -> SalesforceTarget:
    """A target that logs in with a secret, unless the changes bring a key."""
    login = {} if "private_key" in changes else {"client_secret": CLIENT_SECRET}
    given = {
        "kind": "salesforce",
        "login_url": server.address,
        "client_id": CLIENT_ID,
        "external_id": "Customer__c",
        "columns": COLUMNS,
        "mode": "upsert",
    }
    return SalesforceTarget.model_validate(given | login | changes)


@cache
def key_pair() -> tuple[str, str]:
    """A private key and its public one, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return (
        key.private_bytes(pem, pkcs8, plain).decode(),
        key.public_key().public_bytes(pem, public).decode(),
    )


def signed_target(server: Salesforce, **changes: object) -> SalesforceTarget:
    """A target that logs in with a signed assertion, whose key the server knows."""
    private, server.public_key = key_pair()
    return target(server, username=USERNAME, private_key=private, **changes)


def crm(server: Salesforce, folder: Path, *, clock: Clock, **changes: object) -> Crm:
    """A Salesforce to deliver to, with a state database in the folder."""
    return Crm(
        target(server, **changes),
        url="sqlite:///state.db",
        base=folder,
        table="salesforce_account",
        clock=clock,
        patience=QUICK,
    )


def held(server: Salesforce) -> dict[str, dict[str, object]]:
    """What the records hold, by external id."""
    return {
        name: {field: value for field, value in record.items() if field in COLUMNS.values()}
        for name, record in server.org.by_external_id().items()
        if len(record) > 2
    }


def wanted(count: int, version: Callable[[int], int] = lambda number: 0) -> dict[str, object]:
    """What they should hold after a delivery of `deliveries.scores`, calculated apart."""
    return {
        name: {
            "Churn__c": round(number % 97 / 100 + version(number), 6),
            "Segment__c": f"text {version(number)}",
            "Active__c": (number + version(number)) % 2 == 0,
            "Next__c": f"2024-04-{1 + (number + version(number)) % 28:02}",
            "Scored__c": "2024-03-08T06:30:00+00:00",
        }
        for number, name in enumerate(names(count))
    }
