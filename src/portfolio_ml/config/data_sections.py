"""The tables of a portfolio: where they are, how they are written, what is in their columns."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from portfolio_ml.config.section import Count, Number, Section, Url, Whole
from portfolio_ml.errors import nearest
from portfolio_ml.schema import (
    ATTRIBUTE,
    CONTACTS,
    CUSTOMER_MERGES,
    CUSTOMERS,
    INTERACTIONS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    TRANSACTIONS,
    VALUATIONS,
    Table,
)


def _mapping_faults(columns: Mapping[str, str], table: Table) -> Iterator[str]:
    for name in columns:
        if name in table.names or (table.takes_attributes and ATTRIBUTE.fullmatch(name)):
            continue
        guess = nearest(name, table.names)
        said = f"{name!r} is no column of {table.name}"
        if table.takes_attributes and not guess:
            said = f"{name!r} must be in lower case, such as shoe_size"
        yield said + (f", did you mean {guess!r}?" if guess else "")
    missing = [c.name for c in table.columns if c.required and c.name not in columns]
    if missing:
        yield f"{_listed(missing)} must be mapped"
    if table.one_of and not any(name in columns for name in table.one_of):
        yield f"{' or '.join(map(repr, table.one_of))} must be mapped"
    theirs = list(columns.values())
    if twice := sorted({c for c in theirs if theirs.count(c) > 1}):
        yield f"{_listed(twice)} must not be mapped more than once"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _known_directives(text: str) -> str:
    used = re.findall(r"%-?(.?)", text)
    if unknown := sorted({f"%{d}" for d in used if d not in set("aAbBdfHIjmMpSyY%")}):
        raise ValueError(f"{_listed(unknown)} is no part of a date that can be read")
    if not any(d in used for d in "yY"):
        raise ValueError("a date needs a year, %Y or %y")
    return text


def _parts_values(delimiter: str) -> str:
    if delimiter in "\r\n\0":
        raise ValueError("a line end or a NUL cannot part the values of a line")
    return delimiter


def _by_code(rates: dict[str, float]) -> dict[str, float]:
    codes = [name.strip().upper() for name in rates]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise ValueError(f"{_listed(twice)} must not be given more than once")
    return dict(zip(codes, rates.values(), strict=True))


class CsvFormat(Section):
    """How a CSV file is written; what is not given is read from the file's header.

    `decimal`, `thousands` and `date_format` hold for text in other sources too.

    Attributes:
        delimiter: What parts the values; without it, what parts the header: `,` `;` `|` or a tab.
        quote: What stands around values that hold delimiters or line ends; empty for nothing.
        decimal: With `,` numbers are read as people write them: `1.234,56`, `-5,00 EUR`,
            `(1 234,56 €)`. With `.` and without `thousands` they are plain: `1234.56`.
        thousands: What parts groups of three digits; with it, `decimal: "."` reads `$1,234.56`.
        encoding: How its text is stored.
        date_format: That of strptime, such as `%d.%m.%Y`; one without hours allows any time of
            day after the date, and `%b` reads the month names of eight languages. Without one, ISO
            dates and `%Y%m%d` are read.
        skip_lines: How many lines stand before the header.
    """

    delimiter: (
        Annotated[str, Field(min_length=1, max_length=1), AfterValidator(_parts_values)] | None
    ) = None
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
        if self.delimiter is not None and self.delimiter == self.quote:
            raise ValueError("delimiter and quote must not be the same mark")
        return self


class TableSource(Section):
    """Where a table is, and what its columns are called there.

    Attributes:
        source: A file, a folder or a glob (`.csv` or `.parquet`, all of one kind), a database URL
            with `table` or `query`, or a built-in data set that has such a table (`b2b`). A folder
            stands for all its files at any depth but those that begin with `.` or `_`, and `**` in
            a glob for any depth; a glob means what begins with `.` only where it says so, and what
            the runs themselves write is left out. Folders such as `year=2024` give their files a
            text column `year`, which can be mapped like any other.
        format: How its CSV files are written.
        columns: What our columns are called there; without it, they go by our own names.
        table: The table of the database.
        query: A query of the database, which only reads.
    """

    of: ClassVar[Table]

    source: Url
    format: CsvFormat = CsvFormat()
    columns: dict[str, str] | None = None
    table: str | None = None
    query: str | None = None

    @property
    def is_database(self) -> bool:
        """Whether `source` is a URL, and not a file or a built-in data set."""
        return ":/" in self.source  # one slash may be a slip, and a password still no file name

    @field_validator("columns")
    @classmethod
    def _maps_our_columns_once(cls, columns: dict[str, str] | None) -> dict[str, str] | None:
        if columns is not None and (faults := [*_mapping_faults(columns, cls.of)]):
            raise ValueError(" and ".join(faults) + f" (the columns are {_listed(cls.of.names)})")
        return columns

    @model_validator(mode="after")
    def _is_read_one_way(self) -> Self:
        given = sum(way is not None for way in (self.table, self.query))
        if self.is_database and given != 1:
            raise ValueError("a database needs either table or query")
        if given and not self.is_database:
            raise ValueError("table and query are for a database URL only")
        return self


class TransactionsSource(TableSource):
    """Where the transactions are.

    Attributes:
        source: As for other tables, or a built-in data set (`cdnow`, `grocery`, `b2b`).
        columns: What our columns are called there. An amount may be the product of exactly two
            columns, as in `amount: "UnitPrice * Quantity"`.
    """

    of = TRANSACTIONS


class CustomersSource(TableSource):
    """Where the customers are: one row each, or one for each date from which it is valid.

    Attributes:
        columns: What our columns are called there. Attributes of your own may be among them, in
            lower case, such as `shoe_size: Schuhgröße`. Without it, every column whose name is in
            lower case is an attribute.
        static: The attributes that never change. An attribute without `valid_from` is what it is
            today, not what it was on the day that a model looks back to, so it enters models only
            where it is declared static.
    """

    of = CUSTOMERS

    static: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_what_is_static(self) -> Self:
        if self.columns is not None:
            attributes = [name for name in self.columns if name not in CUSTOMERS.key]
            if unknown := [name for name in self.static if name not in attributes]:
                guess = nearest(unknown[0], attributes)
                raise ValueError(
                    f"static names {_listed(unknown)}, which columns does not map"
                    + (f", did you mean {guess!r}?" if guess else "")
                )
        return self


class InteractionsSource(TableSource):
    """Where the interactions are: what customers did beside buying.

    Attributes:
        kinds: Those that get features of their own, such as `[call, survey]`.
    """

    of = INTERACTIONS

    kinds: tuple[str, ...] = ()


class ContactsSource(TableSource):
    """Where the contacts are: what was done to win or keep customers."""

    of = CONTACTS


def _in_lower_case(values: tuple[str, ...]) -> tuple[str, ...]:
    plain = tuple(dict.fromkeys(value.strip().lower() for value in values))
    if not plain or "" in plain:
        raise ValueError("at least one value is needed, and none may be empty")
    return plain


Outcomes = Annotated[tuple[str, ...], AfterValidator(_in_lower_case)]


class OpportunitiesSource(TableSource):
    """Where the opportunities are: the deals of each representative, one row each.

    Attributes:
        columns: What our columns are called there; `outcome` or `stage` must be among them. With
            both, the outcome decides, and the stage where the outcome is neither won nor lost.
        won: The values of outcome or stage that mean a deal was won, in capitals or not.
        lost: Those that mean it was lost. A deal of any other value is open.
    """

    of = OPPORTUNITIES

    won: Outcomes = ("won", "closed won", "closed_won", "closedwon")
    lost: Outcomes = ("lost", "closed lost", "closed_lost", "closedlost")

    @model_validator(mode="after")
    def _tells_won_from_lost(self) -> Self:
        if both := [value for value in self.won if value in self.lost]:
            raise ValueError(f"{_listed(both)} must not be both won and lost")
        return self


class PointsSource(TableSource):
    """Where the loyalty points are: what customers earned and redeemed, one row an entry."""

    of = POINTS


class ProspectsSource(TableSource):
    """Where the prospects are: those who may become customers, one row each.

    Attributes:
        columns: What our columns are called there: `prospect_id`, and the same attributes as those
            of the customers, your own among them. Without it, every column whose name is in lower
            case is an attribute.
    """

    of = PROSPECTS


class CustomerMergesSource(TableSource):
    """Where the merges are: which id of a customer went over into which other one.

    Attributes:
        columns: What our columns are called there: `old_id`, `new_id` and, where the source says
            when it was merged, `merged_at`. A merge holds for the whole history, but only in runs
            whose as-of date is not before `merged_at`; without a date it holds in all.
    """

    of = CUSTOMER_MERGES


class ValuationsSource(TableSource):
    """Where the valuations are: what the portfolio was worth at some dates, one row each.

    Attributes:
        columns: What our columns are called there: `date`, `value` after the cash flow of that
            date, and `flow`, which is positive where money was put in.
    """

    of = VALUATIONS


class Data(Section):
    """The tables, how much of them may be refused, how old they may be and what converts them.

    Attributes:
        transactions: The only table that is needed.
        customers: What is known of each customer.
        interactions: What customers did beside buying.
        contacts: What was done to win or keep customers.
        opportunities: The deals of each representative, and what became of them.
        points: What customers earned and redeemed of a loyalty programme.
        prospects: Who may become a customer, and what is known of them.
        customer_merges: Which customers turned out to be one. Their rows in all other tables are
            those of the id that survives, over any number of merges. A table without a row is
            allowed.
        valuations: What the portfolio was worth at some dates, for its returns.
        max_quarantined_share: The share of a table's rows that may break a rule; beyond it, no
            command goes on, and the exit code is 65.
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
    customers: CustomersSource | None = None
    interactions: InteractionsSource | None = None
    contacts: ContactsSource | None = None
    opportunities: OpportunitiesSource | None = None
    points: PointsSource | None = None
    prospects: ProspectsSource | None = None
    customer_merges: CustomerMergesSource | None = None
    valuations: ValuationsSource | None = None
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
