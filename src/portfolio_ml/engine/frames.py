"""What the steps ask of an engine, and what it gives them."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import CsvFormat

Frame = nw.LazyFrame[Any]
Kind = Literal["text", "number", "day", "minute"]
Plan = Callable[..., Frame]
"""A query as a function of frames by name, and of whatever else it is told.

It follows from the columns of the frames alone, never from their rows, and asks no engine: so it
may be gone through once for all frames that have the same columns.
"""
Told = Mapping[str, Sequence[str | None]]
"""What the folders of files tell, such as `year=2024`: by name, a text for each of the files."""
PLAIN = CsvFormat()
LINEAGE = ("_source", "_row", "_line")
"""Columns of a scan that are not the file's own; `_line` is there for CSV files only."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A column to be read as `kind` under a new name.

    A `day` counts from 1970-01-01; a `minute` is that of the day, from 0 to 1439, and null where
    only a date is told.

    Blanks around a text are no part of it, and a text of blanks is null. A time that says its
    zone is an instant, and its day and minute are those in the portfolio's zone. With `times`, a
    number is the product of two columns, and a text shows both.
    """

    name: str
    column: str
    kind: Kind
    times: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, or the two whose product it is."""
        return (self.column,) if self.times is None else (self.column, self.times)


def beside(told: Told, names: Iterable[str]) -> Told:
    """What the folders tell beside the files' own columns, whatever letters those are in."""
    taken = {name.casefold() for name in (*names, *LINEAGE)}
    return {name: values for name, values in told.items() if name.casefold() not in taken}


def distinct(frame: Frame) -> Frame:
    """The frame's distinct rows, by grouping: `unique` numbers all rows, at thrice the cost."""
    return frame.group_by(frame.columns).agg(_rows=nw.len()).drop("_rows")


class Engine(Protocol):
    """What the steps ask of an engine that computes."""

    rows_at_once: int | None
    """How many rows of a wide result to compute at once; None where the engine parts them."""

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over an Arrow table."""

    def taken(self, frame: Frame) -> Frame:
        """A frame of the engine that reads, as one of this engine's."""

    def planned(self, plan: Plan, frames: Mapping[str, Frame], *told: Hashable) -> Frame:
        """`plan(frames, *told)`; for queries of many expressions that are asked many times."""

    def keep(self, frame: Frame) -> Frame:
        """The frame, computed once, for those who read it more than once."""

    def keep_each(self, frames: Iterable[Frame]) -> Frame:
        """The rows of frames with the same columns, one frame computed after the other."""

    def together(self, frame: Frame, column: str, *, size: int) -> Frame:
        """The frame, kept so that rows whose whole number lies in one range of `size` lie together.

        A filter for such a range then reads little else.
        """

    def scope(self) -> AbstractContextManager["Engine"]:
        """The same engine for a `with` block, at whose end goes what it kept in there.

        What was made of that can be read no more; tables of Arrow that it collected or spooled
        can. What the engine itself keeps ends with it.
        """

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows, held in this process: for aggregates and samples."""

    def with_digest(self, frame: Frame, column: str, *, salt: str) -> Frame:
        """The frame with `digest`: MD5 of the salt and a text, 32 hexadecimal digits.

        It is no secret and no proof, but the same number on every engine.
        """

    def spooled(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
        """The batches as a table that lies in a file of the engine's folder, not in memory."""

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, a batch at a time."""

    def stored(self, frame: Frame, schema: pa.Schema) -> pa.Table:
        """The frame's rows in order, in a file of this machine that the table maps: none is held.

        The table can be read as long as it is there, also after the engine is closed.
        """


class Reader(Engine, Protocol):
    """What the steps ask of the engine that reads files and validates their rows."""

    def numbered(self, ids: Frame) -> Frame:
        """Distinct `customer_id`s with their number `customer` in ascending order, from 0."""

    def scan(
        self, files: Sequence[Path], written: CsvFormat = PLAIN, told: Told | None = None
    ) -> Frame:
        """The rows of CSV or Parquet files, with `_source` and `_row` (from 1, per file).

        CSV files have `_line` too: the text of a line that is no row, whose columns are all null.
        What the folders tell is a column of text, unless the files have one of that name.
        """

    def listed(self, table: pa.Table, source: str) -> Frame:
        """The rows of a table in memory, likewise, `_source` being what it is called."""

    def types(self, frame: Frame) -> nw.Schema:
        """The columns of what `scan` or `listed` gave, with the types that the source has.

        The frame's own may be others: Spark's is text, whatever the file holds.
        """

    def parsed(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """One column per reading of what `scan` or `listed` gave, and its lineage.

        The unreadable is null.
        """

    def values(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """The distinct rows of what `parsed` gives, without their lineage."""
