"""One thing that was looked at: whether it is well, what was seen, and what to do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from portfolio_ml.errors import ConfigError, DataError, PortfolioError, ServiceUnavailableError

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        area: The part that it belongs to, such as `data`.
        subject: What it is, such as a table or a target.
        state: `ok`; `warning` where runs go through, but somebody should know; or `fault`.
        saw: What was seen.
        do: What to do; None where there is nothing.
        exit_code: What a run that stumbles over it ends with; 0 where it is no fault.
    """

    area: str
    subject: str
    state: State
    saw: str
    do: str | None = None
    exit_code: int = 0


def well(area: str, subject: str, saw: str) -> Check:
    """Nothing is wrong with it."""
    return Check(area, subject, "ok", saw)


def warning(area: str, subject: str, saw: str, *, do: str | None) -> Check:
    """Runs go through, but somebody should know."""
    return Check(area, subject, "warning", saw, do)


def fault(area: str, subject: str, error: PortfolioError) -> Check:
    """A run would end with this error.

    Whatever may pass by itself, as a lock does, counts as a service that is not there now, but for
    the data, whose age is their own fault.

    Example:
        >>> check = fault("data", "customers", DataError("no rows", where="a.csv", do="export it"))
        >>> check.saw, check.do, check.exit_code
        ('no rows (in a.csv)', 'export it', 65)
    """
    saw = error.what + (f" (in {error.where})" if error.where else "")
    if error.saw:
        saw += f": saw {error.saw}"
    code = error.exit_code
    if code not in (ConfigError.exit_code, DataError.exit_code):
        code = (DataError if area == "data" else ServiceUnavailableError).exit_code
    return Check(area, subject, "fault", saw, error.do, code)


def tried(area: str, subject: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """What a look gave, or the error that it ended with."""
    found: list[Check] = []
    try:
        found.extend(look())
    except PortfolioError as error:
        found.append(fault(area, subject, error))
    return found


def worst(checks: Iterable[Check]) -> int:
    """The exit code of the worst fault; 0 without one.

    Example:
        >>> worst([Check("data", "lines", "fault", "", exit_code=65), well("config", "", "")])
        65
    """
    return max((check.exit_code for check in checks), default=0)
