"""The sections of a config file, each frozen and without unknown keys."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

from portfolio_ml.errors import nearest
from portfolio_ml.schema import TRANSACTIONS


def _no_switch(value: object) -> object:
    """YAML reads `on` and `no` as truth values, which would pass as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"input should be a number, not {str(value).lower()}")  # noqa: TRY004
    return value


Url = Annotated[str, Field(repr=False)]  # it may hold a password
Count = Annotated[PositiveInt, BeforeValidator(_no_switch)]
Whole = Annotated[int, BeforeValidator(_no_switch)]
Number = Annotated[float, BeforeValidator(_no_switch)]


class Section(BaseModel):
    """A frozen part of the settings that knows no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_columns(columns: dict[str, str]) -> dict[str, str]:
    known = TRANSACTIONS.names
    faults = [
        f"{name!r} is no column of transactions"
        + (f", did you mean {guess!r}?" if (guess := nearest(name, known)) else "")
        for name in columns
        if name not in known
    ]
    missing = [c.name for c in TRANSACTIONS.columns if c.required and c.name not in columns]
    if missing:
        faults.append(f"{_listed(missing)} must be mapped")
    theirs = list(columns.values())
    if twice := sorted({c for c in theirs if theirs.count(c) > 1}):
        faults.append(f"{_listed(twice)} must not be mapped more than once")
    if faults:
        raise ValueError(" and ".join(faults) + f" (the columns are {_listed(known)})")
    return columns


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


class CsvFormat(Section):
    """How a CSV file is written; what is not given is read from the file's first line.

    `date_format` is that of strptime, such as `%d.%m.%Y`; without one, ISO dates and `%Y%m%d`
    are read.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    date_format: Annotated[str, Field(max_length=40, pattern="%")] | None = None


class TransactionsSource(Section):
    """Where the transactions are, and what their columns are called there.

    `source` is a built-in data set (`cdnow`, `grocery`), a path or glob (`.csv`, `.parquet`), or
    a database URL with `table` or `query`.
    """

    source: Url
    format: CsvFormat = CsvFormat()
    columns: Annotated[dict[str, str], AfterValidator(_known_columns)] | None = None
    table: str | None = None
    query: str | None = None

    @property
    def is_database(self) -> bool:
        """Whether `source` is a URL, and not a file or a built-in data set."""
        return ":/" in self.source  # one slash may be a slip, and a password still no file name

    @model_validator(mode="after")
    def _is_read_one_way(self) -> Self:
        given = sum(way is not None for way in (self.table, self.query))
        if self.is_database and given != 1:
            raise ValueError("a database needs either table or query")
        if given and not self.is_database:
            raise ValueError("table and query are for a database URL only")
        return self


class Data(Section):
    """The tables and how much of them may be refused."""

    transactions: TransactionsSource
    max_quarantined_share: Number = Field(default=0.05, ge=0, le=1)
    quarantine: Path = Path("quarantine.parquet")
    max_staleness_days: Count | None = None
    rates: dict[str, Annotated[Number, Field(gt=0)]] | None = None


class ExcludedPeriod(Section):
    """Days that no snapshot's outcome window may touch: a strike, a pandemic."""

    first: date
    last: date
    reason: str = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.last < self.first:
            raise ValueError("last lies before first")
        return self


class DuckDB(Section):
    """Tables are computed in this process, out of core."""

    kind: Literal["duckdb"] = "duckdb"
    threads: Count | None = None
    memory_limit: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B|%)$")
    temp_directory: Path | None = None


class Activity(Section):
    """When a customer counts as active."""

    window_days: Count | Literal["auto"] = "auto"


class Churn(Section):
    """No purchase within the horizon."""

    horizon_days: Count = 90


class LifetimeValue(Section):
    """Net spend within the horizon, with an interval of the given coverage."""

    horizon_days: Count = 90
    coverage: Number = Field(default=0.8, gt=0.5, lt=1)


class Segments(Section):
    """How many segments; `auto` chooses by stability and separation."""

    count: Annotated[Whole, Field(ge=2, le=20)] | Literal["auto"] = "auto"


class Targets(Section):
    """What is predicted."""

    churn: Churn = Churn()
    lifetime_value: LifetimeValue = LifetimeValue()
    segments: Segments = Segments()


class Training(Section):
    """Which snapshots the models learn from."""

    snapshots: Count = 8
    step_days: Count = 30
    max_rows: Count = 2_000_000
    seed: Whole = Field(default=7, ge=0, lt=2**31)


class Backtest(Section):
    """How the recipe is judged."""

    cutoffs: Count = 3
    bootstrap: Annotated[Whole, Field(ge=100, le=10_000)] = 500


class Gate(Section):
    """How much worse than the champion a challenger may be at its 90 % lower bound."""

    max_loss: Number = Field(default=0.002, ge=0, le=1)


class Tracking(Section):
    """The MLflow tracking server or database, and the experiment's name."""

    uri: Url = "sqlite:///mlflow.db"
    experiment: str | None = None


class SqlTarget(Section):
    """A table of the package's own in a SQL database."""

    kind: Literal["sql"]
    url: Url
    table: str = "customer_scores"


class ParquetTarget(Section):
    """One Parquet file, replaced whole."""

    kind: Literal["parquet"]
    path: Path


Target = Annotated[SqlTarget | ParquetTarget, Field(discriminator="kind")]


class Report(Section):
    """Where the page is written."""

    path: Path = Path("report.html")
