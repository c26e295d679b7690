"""The options that commands share, and what they stand for."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from portfolio_ml.cli.completion import configs
from portfolio_ml.cli.help import OUTPUT, PORTFOLIO
from portfolio_ml.errors import ConfigError

Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The portfolio's YAML file.",
        autocompletion=configs,
        rich_help_panel=PORTFOLIO,
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="The last day to see, such as 1998-06-30; default: the last complete day.",
        rich_help_panel=PORTFOLIO,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object instead of tables.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no progress.", rich_help_panel=OUTPUT)
]


def parsed_date(value: str | None) -> date | None:
    """The date that a user wrote, or None.

    Raises:
        ConfigError: It is no date of the form 1998-06-30.
    """
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ConfigError(
            "--as-of is no date", saw=repr(value), do="write it as 1998-06-30"
        ) from None


def today(timezone: str = "UTC") -> date:
    """The wall clock's date in the portfolio's time zone, whose days count."""
    from portfolio_ml.timeline import date_at  # noqa: PLC0415 - heavy, as in commands

    return date_at(now(), timezone)


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(tz=UTC)
