"""Calls to Salesforce with a token that is fetched, and fetched anew where it has expired."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.salesforce.login import TOKEN_PATH, Grant, form, read_grant


class Answer(Protocol):
    """What came back."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes:
        """The body."""


class Wire(Protocol):
    """Sends a request, again after a pause where that may help; gives the last answer.

    Raises:
        ServiceUnavailableError: No answer came.
    """

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, repeat: bool
    ) -> Answer:
        """Send; without `repeat` at most once."""


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
        wire: Sends a request.
        now: The clock, in UTC; a signed login says until when it is good.
    """

    def __init__(
        self, target: SalesforceTarget, *, wire: Wire, now: Callable[[], datetime]
    ) -> None:
        self._target, self._wire, self._now = target, wire, now
        self._grant: Grant | None = None

    @property
    def root(self) -> str:
        """The path that all calls begin with."""
        return f"/services/data/v{self._target.api_version}"

    def call(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        content_type: str = "application/json",
        repeat: bool = True,
    ) -> Answer:
        """The answer to a call, which is a success or 404.

        Args:
            method: GET, POST, PUT or PATCH.
            path: The path, with `root`.
            content: The body.
            content_type: What the body is.
            repeat: Whether the call may be sent again where no answer came.

        Raises:
            ServiceUnavailableError: No login, no answer, or Salesforce refuses the call.
            TryAgainLaterError: The day's calls are used up.
        """
        for _login in range(2):
            grant = self._grant or self._log_in()
            headers = {"Authorization": f"Bearer {grant.token}"}
            if content:
                headers["Content-Type"] = content_type
            url = grant.instance_url + path
            answer = self._wire(method, url, headers=headers, content=content, repeat=repeat)
            if answer.status != 401:
                break
            self._grant = None
        _check(answer, f"{method} {path.partition('?')[0]}", self._target)
        return answer

    def _log_in(self) -> Grant:
        url = self._target.login_url.rstrip("/") + TOKEN_PATH
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        content = form(self._target, now=self._now)
        answer = self._wire("POST", url, headers=headers, content=content, repeat=True)
        self._grant = read_grant(answer.status, answer.body, target=self._target)
        return self._grant


def decoded(answer: Answer) -> dict[str, Any]:
    """The JSON object that an answer holds.

    Raises:
        ServiceUnavailableError: It holds none.
    """
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ServiceUnavailableError(
            "Salesforce's answer cannot be read", saw=f"status {answer.status}"
        )
    return value


def fault_in(answer: Answer) -> Fault:
    """The first fault that an answer tells of; its status where it tells none.

    Example:
        >>> from types import SimpleNamespace
        >>> print(fault_in(SimpleNamespace(status=502, body=b"<html>")))
        status 502
    """
    try:
        first = json.loads(answer.body)[0]
        return Fault(str(first["errorCode"]), str(first.get("message", ""))[:300])
    except (ValueError, LookupError, TypeError, AttributeError):
        return Fault(f"status {answer.status}", "")


def _check(answer: Answer, call: str, target: SalesforceTarget) -> None:
    """Raise what the answer means, unless it is a success or 404."""
    if answer.status < 400 or answer.status == 404:
        return
    fault = fault_in(answer)
    if answer.status == 401:
        raise ServiceUnavailableError(
            "Salesforce ends each session at once",
            where=target.login_url,
            saw=fault.code,
            do="check the connected app's session policies and its user's permissions",
        )
    if fault.code == "REQUEST_LIMIT_EXCEEDED":
        raise TryAgainLaterError(
            "Salesforce's calls of the last 24 hours are used up",
            where=target.login_url,
            saw=fault.code,
            do="run it again later: what has arrived stands, the rest goes on from there",
        )
    if answer.status >= 500:
        raise ServiceUnavailableError(
            "Salesforce does not answer", where=call, saw=str(fault), do="run it again later"
        )
    raise ServiceUnavailableError(
        "Salesforce refuses a call",
        where=call,
        saw=str(fault),
        do="check object, external_id, columns and the user's permissions",
    )
