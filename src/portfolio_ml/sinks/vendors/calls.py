"""The only door to HTTP: one call at a time, waited for, retried, and told without secrets.

A reply that asks to wait is waited for and the call made again, where the wait is short enough;
a server that is not reached, or for a moment not able, is tried again with growing, random pauses.
What comes out is a reply, or one of three ends:

- `NoAnswerError`: the call left, and whether it was carried out is not known;
- `TryAgainLaterError`: it was certainly not carried out, and later it may be;
- `ServiceUnavailableError`: the server does not answer, or is not able to.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

import httpx2
import stamina

from portfolio_ml.errors import ConfigError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.limits import Patience, RollingLimit

logging.getLogger("stamina").addHandler(logging.NullHandler())  # else retries reach the terminal

_NOTHING: Mapping[str, str] = MappingProxyType({})
_MOMENTARY = frozenset({500, 502, 503, 504})
_NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.IGNORECASE)
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class NoAnswerError(Exception):
    """A call left, and whether it was carried out is not known."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said.

    Attributes:
        status: The HTTP status.
        headers: By lower-case name.
        text: The body.
    """

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """The seconds that `Retry-After` asks for, from `Date` on; None where it says none."""
        given = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d+)?", given):
            return float(given)
        until, sent = _moment(given), _moment(self.headers.get("date", ""))
        return max(0.0, until - sent) if until is not None and sent is not None else None


class Door:
    """Calls to one server.

    Args:
        base_url: Where it is; may have a path.
        who: The CRM's name, for messages.
        patience: How long to wait.
        asks_to_wait: The seconds after which a reply allows the same call again; None where the
            reply is to be returned.
        limit: When a call may be made.

    Raises:
        ConfigError: The address is none, is not encrypted, or holds a password.
    """

    def __init__(
        self,
        base_url: str,
        *,
        who: str,
        patience: Patience,
        asks_to_wait: Callable[[Reply], float | None],
        limit: RollingLimit,
    ) -> None:
        self.address = address_of(base_url, who=who)
        self.limit = limit
        self._who, self._patience, self._asks_to_wait = who, patience, asks_to_wait
        self._client = httpx2.Client(timeout=patience.timeout)
        self._token = ""

    def authorize(self, token: str) -> None:
        """Show this bearer token from now on.

        Raises:
            ConfigError: It holds a character that no token has.
        """
        bare = token.strip()
        if not _VISIBLE.fullmatch(bare):
            raise ConfigError(
                f"the token for {self._who} holds a space or another character that no token has",
                do="set the environment variable again",
            )
        self._token = bare
        self._client.headers["Authorization"] = f"Bearer {bare}"

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Reply:
        """The server's reply, whatever its status, that does not ask to wait.

        Raises:
            NoAnswerError: The call left, and no answer came.
            TryAgainLaterError: The server asks to wait, for longer or more often than is waited.
            ServiceUnavailableError: It is not reached, or is not able to answer.
        """
        patience = self._patience
        call = stamina.RetryingCaller(
            attempts=patience.attempts,
            timeout=None,
            wait_initial=patience.first_pause,
            wait_max=patience.longest_pause,
            wait_jitter=patience.jitter,
        )
        request = self._client.build_request(
            method, self.address + path, content=content, headers=dict(headers)
        )
        try:
            return call(_MomentaryError, self._waited_for, request)
        except _MomentaryError as error:
            raise ServiceUnavailableError(
                f"{self._who} does not answer",
                where=self.address,
                saw=str(error),
                do="run again later; what was sent so far is kept",
            ) from None  # the cause holds the request

    def _waited_for(self, request: httpx2.Request) -> Reply:
        for _ in range(self._patience.waits):
            reply = self._answer(request)
            seconds = self._asks_to_wait(reply)
            if seconds is None and reply.status not in _MOMENTARY:
                return reply
            if seconds is None:
                raise _MomentaryError(f"status {reply.status}")
            if seconds > self._patience.longest_wait:
                raise self._later(f"status {reply.status}, to wait {seconds:.0f} seconds")
            self.limit.pause(seconds)
        raise self._later(f"a call that was put off {self._patience.waits} times")

    def _later(self, saw: str) -> TryAgainLaterError:
        return TryAgainLaterError(
            f"{self._who} takes no calls for now",
            where=self.address,
            saw=saw,
            do="run again later; what was sent so far is kept",
        )

    def _answer(self, request: httpx2.Request) -> Reply:
        with self.limit.turn():
            try:
                got = self._client.send(request)
            except _NEVER_LEFT as error:
                raise _MomentaryError(type(error).__name__) from None
            except httpx2.HTTPError as error:
                raise NoAnswerError(f"no answer: {type(error).__name__}") from None
        headers = {name.lower(): value for name, value in got.headers.items()}
        text = got.text.replace(self._token, "***") if self._token else got.text
        return Reply(got.status_code, headers, text)


class _MomentaryError(Exception):
    """A server that is for a moment not able."""


def address_of(base_url: str, *, who: str) -> str:
    """The address as calls need it and as it may be shown: no password, no slash at its end.

    Raises:
        ConfigError: It is none, is not encrypted, or holds a password or a query.
    """
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, ValueError):
        url = httpx2.URL("")
    fault = None
    if url.scheme not in {"http", "https"} or not _HOST.fullmatch(url.raw_host.decode("ascii")):
        fault = "is no web address"
    elif url.userinfo or url.query or url.fragment:
        fault = "holds more than a host and a path"
    elif url.scheme == "http" and url.host not in _LOOPBACK:
        fault = "is not encrypted, so anybody on the way could read the token"
    if fault:
        raise ConfigError(f"the address of {who} {fault}", do="write https://HOST, as it gives it")
    return str(url).rstrip("/")


def _moment(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
