"""Logging in to Salesforce: by client credentials, or by a JWT signed with the app's key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

import jwt

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ConfigError, ServiceUnavailableError

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_LIVES = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login gives: a token, and where it is good."""

    token: str = field(repr=False)
    instance_url: str


def form(target: SalesforceTarget, *, now: Callable[[], datetime]) -> bytes:
    """The form that asks for a token.

    Raises:
        ConfigError: The private key cannot be read.
    """
    if target.client_secret is not None:
        fields = {
            "grant_type": "client_credentials",
            "client_id": target.client_id,
            "client_secret": target.client_secret,
        }
    else:
        fields = {"grant_type": JWT_BEARER, "assertion": _signed(target, now())}
    return urlencode(fields).encode()


def read_grant(status: int, answer: Mapping[str, object], *, target: SalesforceTarget) -> Grant:
    """The grant that the answer to the form holds.

    Raises:
        ServiceUnavailableError: The login is refused, or the answer is none.
    """
    token, instance = answer.get("access_token"), answer.get("instance_url")
    if status == 200 and isinstance(token, str) and isinstance(instance, str):
        _same_protection(instance, target)
        return Grant(token=token, instance_url=instance.rstrip("/"))
    code = answer.get("error")
    raise ServiceUnavailableError(
        "Salesforce refuses the login",
        where=target.login_url,
        saw=code if isinstance(code, str) and code.isidentifier() else f"status {status}",
        do="check login_url, client_id and the secret or key, whom the app may act for, and this "
        "machine's clock",
    )


def audience(login_url: str) -> str:
    """Whom a signed login is for: Salesforce's own two names, wherever it is sent.

    Example:
        >>> audience("https://acme.my.salesforce.com")
        'https://login.salesforce.com'
        >>> audience("https://acme--uat.sandbox.my.salesforce.com")
        'https://test.salesforce.com'
    """
    host = urlsplit(login_url).hostname or ""
    if not host.endswith(".salesforce.com"):
        return login_url.rstrip("/")
    first, *others = host.split(".")
    testing = first == "test" or "--" in first or {"sandbox", "scratch"} & {*others}
    return f"https://{'test' if testing else 'login'}.salesforce.com"


def _signed(target: SalesforceTarget, now: datetime) -> str:
    claims = {
        "iss": target.client_id,
        "sub": target.username,
        "aud": audience(target.login_url),
        "exp": int((now + _JWT_LIVES).timestamp()),
    }
    key = (target.private_key or "").replace("\\n", "\n")  # as environments often hold it
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):  # the cause may show the key
        raise ConfigError(
            "the private key cannot be read",
            where="private_key of the Salesforce target",
            do="give an RSA key in PEM format, without a passphrase, with its line breaks",
        ) from None


def _same_protection(instance_url: str, target: SalesforceTarget) -> None:
    """The token must not travel in the open where the login did not."""
    if urlsplit(instance_url).scheme not in {"https", urlsplit(target.login_url).scheme}:
        raise ServiceUnavailableError(
            "Salesforce names an instance without TLS", where=target.login_url, saw=instance_url
        )
