"""The sections of a config file, each frozen and without unknown keys."""

import re
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
        raise ValueError(f"input should be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic collects ValueError
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


def _known_directives(text: str) -> str:
    used = re.findall(r"%-?(.?)", text)
    if unknown := sorted({f"%{d}" for d in used if d not in set("aAbBdfHIjmMpSyY%")}):
        raise ValueError(f"{_listed(unknown)} is no part of a date that can be read")
    if not any(d in used for d in "yY"):
        raise ValueError("a date needs a year, %Y or %y")
    return text


def _by_code(rates: dict[str, float]) -> dict[str, float]:
    codes = [name.strip().upper() for name in rates]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise ValueError(f"{_listed(twice)} must not be given more than once")
    return dict(zip(codes, rates.values(), strict=True))


class CsvFormat(Section):
    """How a CSV file is written; what is not given is read from the file's header.

    `decimal`, `thousands` and `date_format` hold for text in other sources too.

    - `decimal: ","` reads numbers as people write them: `1.234,56`, `-5,00 EUR`, `(1 234,56 €)`.
      With `decimal: "."`, `thousands` does: `$1,234.56`. With neither, numbers are plain:
      `1234.56`.
    - `date_format` is that of strptime, such as `%d.%m.%Y`; one without hours allows any time of
      day after the date, and `%b` reads the month names of eight languages. Without one, ISO
      dates and `%Y%m%d` are read.
    - `skip_lines` are those before the header; an empty `quote` is none.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Literal['"', "'", ""] = '"'
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1", "windows-1252", "windows-1250"] = "utf-8"
    date_format: (
        Annotated[str, Field(max_length=40, pattern="%"), AfterValidator(_known_directives)] | None
    ) = None
    skip_lines: Annotated[Whole, Field(ge=0, le=100)] = 0

    @model_validator(mode="after")
    def _tells_marks_apart(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands must not be the same mark")
        return self


class TransactionsSource(Section):
    """Where the transactions are, and what their columns are called there.

    `source` is a built-in data set (`cdnow`, `grocery`), a file, a folder or a glob (`.csv` or
    `.parquet`, all of one kind), or a database URL with `table` or `query`. A folder stands for
    all its files at any depth but those that begin with `.` or `_`, and `**` in a glob for any
    depth; what the runs themselves write is left out. Folders such as `year=2024` give their files
    a text column `year`, which can be mapped like any other.

    `columns` says what our columns are called there; an
    amount may be the product of exactly two columns, as in `amount: "UnitPrice * Quantity"`.
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
    """The tables, how much of them may be refused, how old they may be and what converts them.

    Attributes:
        transactions: The only table that is needed.
        max_quarantined_share: The share of rows that may break a rule; beyond it, no command goes
            on, and the exit code is 65.
        quarantine: The Parquet file that `validate` keeps the refused rows in, even where they are
            too many; it is removed where none was refused. No other command writes it.
        max_staleness_days: How many days the last complete day of the history may lie before
            today; beyond it, the exit code is 75 and nothing is written. An `--as-of` further back
            is taken at its word. It is also how many days after the last line an `--as-of` may
            lie, for days on which nobody bought.
        rates: What one unit of each currency is worth in the portfolio's, such as
            `{EUR: 1.0, USD: 0.92}`; needs the column `currency`. Rows in other currencies are
            refused. Without rates, all rows must be in one currency.
    """

    transactions: TransactionsSource
    max_quarantined_share: Number = Field(default=0.05, ge=0, le=1)
    quarantine: Path = Path("quarantine.parquet")
    max_staleness_days: Count | None = None
    rates: (
        Annotated[
            dict[str, Annotated[Number, Field(gt=0, allow_inf_nan=False)]],
            Field(min_length=1),
            AfterValidator(_by_code),
        ]
        | None
    ) = None


class ExcludedPeriod(Section):
    """Days that no snapshot's outcome window may touch: a strike, a pandemic.

    Training snapshots that would touch it are skipped and earlier ones take their place;
    evaluation cutoffs step back until they are clear. The purchases of these days stay in the
    history. `first` and `last` are both excluded.
    """

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
