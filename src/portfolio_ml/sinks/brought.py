"""Rows that workers bring to a database, each part in a transaction of its own, before ours.

They lie in a table beside the delivered one, tagged with the attempt that brought them. A part
that is tried twice, one worker after another or both at once, lies there twice; only the attempt
that was taken is read, in the one transaction that delivers, and that drops the table. A run that
dies leaves its table behind, and the next one drops it: while a run lives, it holds a lock.
"""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from portfolio_ml.databases import Writer, redacted, writing
from portfolio_ml.errors import PortfolioError, TryAgainLaterError
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.accepted import Accepted
from portfolio_ml.sinks.parts import Part, Parts
from portfolio_ml.sinks.staging import PLACE, STAGING, Names, begin, load_values, loaded

ATTEMPT = "portfolio_attempt"
"""The column that says which attempt has brought a row."""
PREFIX = f"{STAGING}_"
_ATTEMPT = Column(ATTEMPT, pa.string(), "the attempt that has brought the row")
_PLACE = Column(PLACE, pa.int64(), "the row's place in the delivery, from 1")


@dataclass(frozen=True, slots=True)
class Brought:
    """A delivery's rows in a table of the database.

    Attributes:
        table: The table.
        attempts: The attempts that were taken, with the rows that each has brought.
        refused: The places of rows that the database cannot hold, with what it says of each.
        where: The database's readable name.
    """

    table: str
    attempts: Mapping[str, int]
    refused: Mapping[int, str]
    where: str

    def stage(self, contract: Table, database: Writer) -> Accepted:
        """Take the rows over into the staging table, and drop the one that they were brought to.

        Raises:
            TryAgainLaterError: Some are gone.
        """
        begin(contract, database)
        attempts = pa.array(sorted(self.attempts), pa.string())
        load_values(attempts, _ATTEMPT, "portfolio_attempts", database)
        names = Names(database).listed((PLACE, *contract.names))
        taken = database.run(
            f"INSERT INTO {STAGING} ({names}) SELECT {names}"
            f" FROM {database.quote_table(self.table)}"
            f" WHERE {ATTEMPT} IN (SELECT {ATTEMPT} FROM portfolio_attempts)"
        )
        if taken != sum(self.attempts.values()):
            raise TryAgainLaterError(
                "the rows that workers had brought are not all there any more",
                where=self.where,
                saw=f"{taken:,} of {sum(self.attempts.values()):,} in {self.table}",
                do="run again",
            )
        database.settle(STAGING, contract.key)
        database.run(f"DROP TABLE {database.quote_table(self.table)}")
        return Accepted(taken, dict(self.refused))


@contextmanager
def brought(delivery: Parts, contract: Table, *, url: str, base: Path) -> Iterator[Brought]:
    """The rows of a delivery, brought to the database by workers, for the length of a block.

    Args:
        delivery: The rows in parts.
        contract: The table that they are for, whose schema they come to.
        url: The database, which takes what several write at once.
        base: The folder that relative paths are relative to.

    Raises:
        ServiceUnavailableError: The database, or the workers, cannot do it.
    """
    schema, point, _ = contract.name.rpartition(".")
    table = f"{schema}{point}{PREFIX}{uuid.uuid4().hex[:16]}"
    columns = (_ATTEMPT, _PLACE, *contract.columns)
    lying = replace(contract, name=table, key=(), columns=columns)
    with _alive(_lock_of(table), url, base):
        try:
            with writing(url, base=base) as database:
                drop_left(table, database)
                database.create(lying)
            bringing = Bringing(url, base, table, delivery.contract, delivery.parts)
            told = [json.loads(text) for text in delivery.each(len(delivery.parts), bringing)]
            yield Brought(
                table=table,
                attempts={each["attempt"]: each["rows"] for each in told},
                refused={int(n): why for each in told for n, why in each["refused"].items()},
                where=redacted(url),
            )
        finally:
            with suppress(PortfolioError), writing(url, base=base) as database:
                database.run(f"DROP TABLE IF EXISTS {database.quote_table(table)}")


@contextmanager
def _alive(name: str, url: str, base: Path) -> Iterator[None]:
    """A connection that holds a lock, by which others see that this run lives.

    Where the server ends it early, nothing is lost but that; what was delivered is delivered.
    """
    with ExitStack() as held:
        held.enter_context(writing(url, base=base)).lock(name)
        ending = held.pop_all()
    try:
        yield
    finally:
        with suppress(PortfolioError):
            ending.close()


@dataclass(frozen=True, slots=True)
class Bringing:
    """Brings one part of a delivery to the database, in any process.

    Attributes:
        url: The database.
        base: The folder that relative paths are relative to.
        table: The table that the rows are brought to.
        contract: What the rows are.
        parts: The parts.
    """

    url: str
    base: Path
    table: str
    contract: Table
    parts: tuple[Part, ...]

    def __call__(self, number: int) -> str:
        """What a part's attempt has brought, as JSON, once it is committed."""
        part, attempt = self.parts[number], uuid.uuid4().hex
        place, written = part.first, 0
        refused: dict[int, str] = {}
        with writing(self.url, base=self.base) as database:
            for batch in part.batches(self.contract):
                rows = pa.Table.from_batches([batch])
                tags = pa.repeat(pa.scalar(attempt), rows.num_rows)
                places = pa.array(range(place, place + rows.num_rows))
                tagged = rows.add_column(0, PLACE, places).add_column(0, ATTEMPT, tags)
                found = loaded(tagged, self.table, database)
                written += found.written
                refused |= {place - 1 + n: why for n, why in found.refused.items()}
                place += rows.num_rows
        return json.dumps({"attempt": attempt, "rows": written, "refused": refused})


def drop_left(beside: str, database: Writer) -> None:
    """Drop the tables that runs which died have left beside a delivered one."""
    for name in database.tables(beside):
        is_ours = name.rpartition(".")[2].startswith(PREFIX)
        if is_ours and database.is_free(_lock_of(name)):
            database.run(f"DROP TABLE {database.quote_table(name)}")


def _lock_of(table: str) -> str:
    return f"portfolio-ml {table.rpartition('.')[2]}"
