"""A portfolio's history, loaded and validated, in an open engine as of one date."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa

from portfolio_ml import engine as engines
from portfolio_ml.config import Settings
from portfolio_ml.customers import CustomerTable
from portfolio_ml.duplicates import repeated_lines
from portfolio_ml.engine import Engine, Frame, Reader
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.events import Events
from portfolio_ml.features.inputs import Inputs, inputs_of
from portfolio_ml.features.own import own_features
from portfolio_ml.features.soundness import demand_sound
from portfolio_ml.freshness import chosen_as_of
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.points import Points
from portfolio_ml.prospects import Prospects
from portfolio_ml.schema import QUARANTINE
from portfolio_ml.sinks.files import holds_table, write_parquet
from portfolio_ml.steps import Say
from portfolio_ml.tables import Tables, load_all, unlisted_customers
from portfolio_ml.timeline import Span, to_day
from portfolio_ml.training import Recipe
from portfolio_ml.transactions import History
from portfolio_ml.validation import TooManyRefusedError
from portfolio_ml.valuations import Valuations

__all__ = ["Opened", "Say", "Validation", "opened", "validate"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A portfolio's history as of one date, in an open engine.

    Attributes:
        settings: The portfolio's settings.
        engine: Where its tables are computed.
        history: Its lines up to `as_of`.
        known_from: The first day on which one of its purchases was known.
        later: Lines dated or recorded after `as_of`, which nothing here can see.
        as_of: The last day of the history.
        inputs: What its features are computed from.
        recipe: How its models are fitted.
        customers: What is known of each customer; None where no table is configured.
        interactions: What customers did beside buying, likewise; also after `as_of`.
        contacts: What was done to win or keep them, likewise; also after `as_of`.
        opportunities: The deals of each representative, likewise, as they stand today; their
            `known_on` tells how they stood on `as_of`.
        points: What customers earned and redeemed of a loyalty programme, likewise; also after
            `as_of`.
        prospects: Who may become a customer, likewise.
        valuations: What the portfolio was worth at some dates, likewise; also after `as_of`.
        merged: One row per id that was merged by `as_of` and is named in no table here: old_id,
            and the new_id that survives; None where no merges are configured.
    """

    settings: Settings
    engine: Engine
    history: History
    known_from: int
    later: int
    as_of: date
    inputs: Inputs
    recipe: Recipe
    customers: CustomerTable | None = None
    interactions: Events | None = None
    contacts: Events | None = None
    opportunities: Opportunities | None = None
    points: Points | None = None
    prospects: Prospects | None = None
    valuations: Valuations | None = None
    merged: pa.Table | None = None

    @property
    def as_of_day(self) -> int:
        """The day number of `as_of`."""
        return to_day(self.as_of)

    @property
    def span(self) -> Span:
        """From the first day on which somebody was a customer to `as_of`, on which no line may be.

        Before it there was nobody to learn from or to score, however old the lines are.
        """
        return Span(self.known_from, self.as_of_day)

    def only(self, customers: Sequence[str]) -> "Opened":
        """The same for some customers; those without a line are left out.

        Raises:
            DataError: None of them has a line.
        """
        inputs = self.inputs.only(customers)
        if not inputs.count():
            raise DataError(
                "none of these customers is in the history",
                saw=f"{len({*customers}):,} ids, such as {next(iter(customers), '')!r}",
                do="give ids as they are in the transactions, leading zeros included",
            )
        return replace(self, inputs=inputs)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation kept and refused.

    Attributes:
        tables: The kept rows of every table, counted; their engine is closed.
        quarantine: The file that holds the refused rows; None where nothing was refused.
        repeated: The kept lines that repeat an earlier one.
        unlisted: Customers with transactions whom the customers table lacks; None without one.
    """

    tables: Tables
    quarantine: Path | None
    repeated: int
    unlisted: int | None

    @property
    def history(self) -> History:
        """The kept lines of the transactions."""
        return self.tables.history


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
    own = own_features(settings.features, settings.base)
    with (
        engines.reading(settings.engine) as reader,
        engines.computing(settings.engine, reader) as engine,
    ):
        tables, until = _loaded(settings, reader, today=today, as_of=as_of, say=say, table=table)
        everything = tables.history
        history = everything.until(until, reader, quiet_days=settings.data.max_staleness_days or 0)
        inputs = inputs_of(
            history,
            engine,
            customers=tables.customers,
            interactions=tables.interactions,
            contacts=tables.contacts,
            kinds=settings.data.interactions.kinds if settings.data.interactions else (),
            own=own,
        )
        _demand_cost(settings, inputs)
        demand_sound(own, inputs)
        yield Opened(
            settings=settings,
            engine=engine,
            history=history,
            known_from=history.known_from(reader),
            later=everything.kept - history.kept,
            as_of=until,
            inputs=inputs,
            recipe=Recipe.of(settings),
            customers=tables.customers,
            interactions=tables.interactions,
            contacts=tables.contacts,
            opportunities=tables.opportunities,
            points=tables.points,
            prospects=tables.prospects,
            valuations=tables.valuations,
            merged=_told(tables.merged, reader),
        )


def _loaded(
    settings: Settings, reader: Reader, *, today: date, as_of: date | None, say: Say, table: object
) -> tuple[Tables, date]:
    """The tables with the merges that were known on the last day to see, and that day.

    Which day that is, only the lines tell where none is given. It is mostly yesterday; where it is
    an earlier one and merges were made since, the tables are loaded once more without those.
    """
    supposed = as_of or today - timedelta(days=1)
    load = partial(load_all, settings, reader, today=today, say=say, table=table)
    tables = load(as_of=supposed)
    tolerated = settings.data.max_staleness_days
    until = chosen_as_of(tables.history, today=today, given=as_of, max_staleness_days=tolerated)
    if tables.merges is not None and tables.merges.change_between(until, supposed, reader):
        say(f"merges made after {until} are not known yet")
        tables = load(as_of=until)
    return tables, until


def _told(merged: Frame | None, engine: Engine) -> pa.Table | None:
    if merged is None:
        return None
    ids = pa.schema([("old_id", pa.string()), ("new_id", pa.string())])
    return engine.stored(merged.select("old_id", "new_id"), ids)


def _demand_cost(settings: Settings, inputs: Inputs) -> None:
    if settings.targets.lifetime_value.measure == "margin" and "cost" not in inputs.columns:
        raise ConfigError(
            "a margin needs the cost of each line, and the transactions have no column cost",
            where="targets.lifetime_value.measure",
            saw=", ".join(sorted(inputs.columns)) or "no optional columns",
            do="map cost in data.transactions.columns, or set measure: revenue",
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
    with engines.reading(settings.engine) as engine:
        try:
            tables = load_all(settings, engine, today=today, say=say, table=table)
        except TooManyRefusedError as error:
            write_parquet(error.quarantine, path)
            raise error.with_rows_in(str(path)) from None
        repeated = repeated_lines(tables.history, engine)
        unlisted = unlisted_customers(tables, engine)
    if tables.quarantine.num_rows:
        write_parquet(tables.quarantine, path)
        return Validation(tables, path, repeated, unlisted)
    path.unlink(missing_ok=True)
    return Validation(tables, None, repeated, unlisted)
