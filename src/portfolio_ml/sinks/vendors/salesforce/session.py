"""Calls to Salesforce with a token that is fetched, and fetched anew where it has expired."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ConfigError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.calls import Door, NoAnswerError, Reply
from portfolio_ml.sinks.vendors.limits import Clock, Patience, RollingLimit
from portfolio_ml.sinks.vendors.salesforce.login import TOKEN_PATH, form, read_grant

logging.getLogger("httpx2").setLevel(logging.WARNING)  # its addresses hold queries, and those ids

WHO = "Salesforce"
_SETUP = {"INVALIDJOB", "INVALIDENTITY", "INVALID_FIELD", "INVALID_TYPE"}
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Fault:
    """What Salesforce says is wrong."""

    code: str
    message: str

    def __str__(self) -> str:
        """Both, as they are shown."""
        return f"{self.code} ({self.message})" if self.message else self.code


class Session:
    """Calls below `/services/data/vXX.X`, under one login after the other.

    Args:
        target: Where to, and as whom.
        clock: The time that is waited.
        patience: How long to wait for an answer, and how often to ask again.
        now: The time of day, in UTC; a signed login says until when it is good.

    Raises:
        ConfigError: The address cannot be right.
    """

    def __init__(
        self,
        target: SalesforceTarget,
        *,
        clock: Clock,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        self._target, self._patience, self._now = target, patience, now
        self._limit = RollingLimit(100, 1.0, clock)  # Salesforce has none; this keeps it gentle
        self._entrance = self._door(target.login_url)
        self._inside: Door | None = None

    @property
    def root(self) -> str:
        """The path that all calls begin with."""
        return f"/services/data/v{self._target.api_version}"

    @property
    def address(self) -> str:
        """Where logins go."""
        return self._entrance.address

    def close(self) -> None:
        """Hang up."""
        self._entrance.close()
        self._leave()

    def call(self, method: str, path: str, content: bytes | None = None) -> Reply:
        """The reply to a call that may be made twice, which is a success or 404.

        Args:
            method: GET, POST or PATCH.
            path: The path, with `root`.
            content: The body, as JSON.

        Raises:
            ConfigError: There is no such object or field, or the private key is none.
            ServiceUnavailableError: No login, no answer, or Salesforce refuses the call.
            TryAgainLaterError: The day's calls are used up.
        """
        return self._repeated(lambda: self.call_once(method, path, content, content_type=_JSON))

    def call_once(
        self, method: str, path: str, content: bytes | None, *, content_type: str
    ) -> Reply:
        """The same for a call that is not made again where its answer is lost.

        Raises:
            NoAnswerError: No answer came; whether the call was carried out is not known.
            ConfigError: There is no such object or field, or the private key is none.
            ServiceUnavailableError: No login, or Salesforce refuses the call.
            TryAgainLaterError: The day's calls are used up.
        """
        headers = {} if content is None else {"content-type": content_type}
        for _login in range(2):
            door = self._inside or self._log_in()
            reply = door.call(method, path, content=content, headers=headers)
            if reply.status != 401:
                break
            self._leave()
        _check(reply, f"{method} {path.partition('?')[0]}", where=self.address)
        return reply

    def _log_in(self) -> Door:
        reply = self._posted(form(self._target, now=self._now))
        grant = read_grant(reply.status, reply.document, target=self._target)
        door = self._door(grant.instance_url)
        door.authorize(grant.token)
        self._inside = door
        return door

    def _posted(self, content: bytes) -> Reply:
        headers = {"content-type": _FORM}
        return self._repeated(
            lambda: self._entrance.call("POST", TOKEN_PATH, content=content, headers=headers)
        )

    def _repeated(self, call: Callable[[], Reply]) -> Reply:
        """The reply to a call that may be made twice; after a lost answer it is, in a while."""
        pause = self._patience.first_pause
        for _ in range(self._patience.attempts):
            try:
                return call()
            except NoAnswerError as error:
                saw = str(error)
            self._limit.pause(pause)
            pause = min(2 * pause, self._patience.longest_pause)
        raise ServiceUnavailableError(
            "Salesforce does not answer", where=self.address, saw=saw, do="run again later"
        )

    def _leave(self) -> None:
        if self._inside is not None:
            self._inside.close()
        self._inside = None

    def _door(self, address: str) -> Door:
        return Door(
            address,
            who=WHO,
            patience=self._patience,
            asks_to_wait=lambda reply: reply.retry_after if reply.status in {429, 503} else None,
            limit=self._limit,
        )


def fault_in(reply: Reply) -> Fault:
    """The first fault that a reply tells of; its status where it tells none.

    Example:
        >>> print(fault_in(Reply(502, {}, "<html>")))
        status 502
    """
    try:
        first = json.loads(reply.text)[0]
        return Fault(str(first["errorCode"]), str(first.get("message", ""))[-300:])
    except (ValueError, LookupError, TypeError, AttributeError):
        return Fault(f"status {reply.status}", "")


def _without_query(fault: Fault) -> Fault:
    r"""The fault without the query that its message repeats, in which customers' ids stand.

    Example:
        >>> print(_without_query(Fault("INVALID_FIELD", "IN ('c1')\n^\nNo such column 'Nmae'")))
        INVALID_FIELD (No such column 'Nmae')
    """
    told = fault.code in _SETUP
    return Fault(fault.code, fault.message.rpartition("\n")[2] if told else "")


def _check(reply: Reply, call: str, *, where: str) -> None:
    """Raise what the reply means, unless it is a success or 404."""
    if 200 <= reply.status < 300 or reply.status == 404:
        return
    fault = fault_in(reply)
    if "/query" in call:
        fault = _without_query(fault)
    if fault.code == "REQUEST_LIMIT_EXCEEDED":
        raise TryAgainLaterError(
            "Salesforce's calls of the last 24 hours are used up",
            where=where,
            saw=fault.code,
            do="run again later; what was sent so far is kept",
        )
    if fault.code in _SETUP and call.startswith(("GET", "POST")):
        raise ConfigError(
            "Salesforce does not know what a call speaks of",
            where=call,
            saw=str(fault),
            do="correct object, external_id or columns, or give the user access to them",
        )
    if reply.status == 401:
        raise ServiceUnavailableError(
            "Salesforce ends each session at once",
            where=where,
            saw=fault.code,
            do="check the connected app's session policies and its user's permissions",
        )
    raise ServiceUnavailableError(
        "Salesforce refuses a call",
        where=call,
        saw=str(fault),
        do="check the user's permissions and the organisation's limits",
    )
