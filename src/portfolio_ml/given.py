"""What a caller in Python gives, a date or a table, and what is given back in kind.

Like the command line, this is an edge of the package: the wall clock may be read here.
"""

import warnings
from contextlib import AbstractContextManager, suppress
from datetime import UTC, date, datetime
from typing import Any

import narwhals as nw
import pyarrow as pa

from portfolio_ml import pipeline
from portfolio_ml.config import Settings
from portfolio_ml.errors import ConfigError, QuarantineWarning
from portfolio_ml.results import refused_by_rule
from portfolio_ml.timeline import date_at
from portfolio_ml.wording import counted

Table = Any  # a pandas, Polars or Arrow table, or whatever else Narwhals accepts
AsOf = date | str | None


def opened(
    settings: Settings, as_of: AsOf, table: Table
) -> AbstractContextManager[pipeline.Opened]:
    """The portfolio for the length of a `with` block; errors are those of `pipeline.opened`."""
    return pipeline.opened(
        settings, today=today(settings), as_of=_date(as_of), say=silent, table=table
    )


def warn_of_refused(portfolio: pipeline.Opened) -> None:
    """Tell the caller of a public function, who would not look for what is not there."""
    history = portfolio.history
    if history.quarantined:
        (rule, told), *_ = refused_by_rule(history.quarantine).items()
        warnings.warn(
            f"{counted(history.quarantined, 'row')} left out; {rule}: {told}",
            QuarantineWarning,
            stacklevel=3,
        )


def _date(as_of: AsOf) -> date | None:
    """The date given; of a moment, such as a pandas Timestamp, the date that it tells."""
    if as_of is None:
        return None
    with suppress(TypeError, ValueError):  # the parts of pandas' NaT are no numbers
        if isinstance(as_of, date):
            return date(as_of.year, as_of.month, as_of.day)
        return date.fromisoformat(as_of)
    raise ConfigError("the as_of given is no date", saw=repr(as_of), do="write 1998-06-30")


def like(rows: pa.Table, table: Table) -> Table:
    """The rows as the kind of table that was given; as pandas where none was."""
    if table is None:
        return rows.to_pandas(date_as_object=False)
    kind = nw.from_native(table).implementation
    if kind.is_pyarrow():
        return rows
    if kind.is_polars():
        return nw.from_arrow(rows, backend=kind).to_native()
    return rows.to_pandas(date_as_object=False)


def today(settings: Settings) -> date:
    """The date in the portfolio's time zone."""
    return date_at(now(), settings.timezone)


def now() -> datetime:
    """What the wall clock says."""
    return datetime.now(tz=UTC)


def silent(_: str) -> None:
    """Nothing is told in a notebook while it works."""
