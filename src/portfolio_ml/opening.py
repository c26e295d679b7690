"""A portfolio's history, loaded and validated, in an open engine as of one date."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from portfolio_ml import engine as engines
from portfolio_ml.config import Settings
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.errors import ConfigError
from portfolio_ml.features.table import days_of
from portfolio_ml.schema import QUARANTINE
from portfolio_ml.sinks.files import holds_table, write_parquet
from portfolio_ml.timeline import Span, to_day
from portfolio_ml.training import Recipe
from portfolio_ml.transactions import History, TooManyRefusedError, chosen_as_of, load

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A portfolio's history as of one date, in an open engine.

    Attributes:
        settings: The portfolio's settings.
        engine: Where its tables are computed.
        history: Its lines up to `as_of`.
        later: Lines dated after `as_of`, which nothing here can see.
        as_of: The last day of the history.
        days: One row per customer and day, as `features.table.days_of` gives it.
        recipe: How its models are fitted.
    """

    settings: Settings
    engine: Engine
    history: History
    later: int
    as_of: date
    days: Frame
    recipe: Recipe

    @property
    def as_of_day(self) -> int:
        """The day number of `as_of`."""
        return to_day(self.as_of)

    @property
    def span(self) -> Span:
        """From the first line to `as_of`, on which there may be no line."""
        return Span(self.history.span.first_day, self.as_of_day)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation kept and refused.

    Attributes:
        history: The kept lines, counted; their engine is closed.
        quarantine: The file that holds the refused rows; None where nothing was refused.
    """

    history: History
    quarantine: Path | None


@contextmanager
def opened(
    settings: Settings, *, today: date, as_of: date | None, say: Say, table: object = None
) -> Iterator[Opened]:
    """The portfolio's history as of a date, for the length of a `with` block.

    Args:
        settings: The portfolio's settings.
        today: The wall clock's date.
        as_of: The last day to see; the last complete day of the history where not given. With
            `data.max_staleness_days`, it may lie that many days after the last line, for a day
            on which nobody bought.
        say: Told what is being done.
        table: The transactions themselves, as a pandas, Polars or Arrow table, instead of those
            at the configured source.

    Raises:
        ConfigError: The data's source or mapping is wrong.
        DataError: The data cannot be used, or `as_of` lies outside the history.
        TryAgainLaterError: The load is stale.
    """
    say("loading and validating transactions")
    with engines.opened(settings.engine) as engine:
        everything = load(settings, engine, today=today, table=table)
        tolerated = settings.data.max_staleness_days
        until = chosen_as_of(everything, today=today, given=as_of, max_staleness_days=tolerated)
        history = everything.until(until, quiet_days=tolerated or 0)
        yield Opened(
            settings=settings,
            engine=engine,
            history=history,
            later=everything.kept - history.kept,
            as_of=until,
            days=days_of(history, engine),
            recipe=Recipe.of(settings),
        )


def validate(settings: Settings, *, today: date, say: Say, table: object = None) -> Validation:
    """Load and check the data, and keep the refused rows where `data.quarantine` says.

    The file holds what this call refused: it is replaced whole, and removed where nothing was
    refused. It is written even where too many rows are refused and the call fails, for they are
    what must be looked at then; nothing else is written by this call, and the quarantine by no
    other.

    Args:
        settings: The portfolio's settings.
        today: The wall clock's date.
        say: Told what is being done.
        table: The transactions themselves, instead of those at the configured source.

    Raises:
        ConfigError: The source or mapping is wrong, or the quarantine's file is something else.
        DataError: The data cannot be used.
        ServiceUnavailableError: The quarantine cannot be written.
    """
    path = settings.resolve(settings.data.quarantine)
    if path.exists() and not holds_table(path, QUARANTINE):
        raise ConfigError(
            "the file for refused rows is there and holds something else",
            where="data.quarantine",
            saw=str(path),
            do="name a file of its own",
        )
    say("loading and validating transactions")
    with engines.opened(settings.engine) as engine:
        try:
            history = load(settings, engine, today=today, table=table)
        except TooManyRefusedError as error:
            write_parquet(error.quarantine, path)
            raise error.with_rows_in(str(path)) from None
    if history.quarantined:
        write_parquet(history.quarantine, path)
        return Validation(history, path)
    path.unlink(missing_ok=True)
    return Validation(history, None)
