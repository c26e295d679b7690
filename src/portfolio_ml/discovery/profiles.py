"""What is in each column: how full it is, how often values repeat, what they can be read as."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine import Frame, Kind, Reader, Reading
from portfolio_ml.engine.frames import LINEAGE

SAMPLE_ROWS = 4_000
NATIVE = ""
"""The date format of a column whose dates are read without one."""

NUMBERS: Mapping[str, CsvFormat] = {
    "plain": CsvFormat(),
    "comma": CsvFormat(decimal=","),
    "grouped": CsvFormat(decimal=".", thousands=","),
    "apostrophe": CsvFormat(decimal=".", thousands="'"),
}
"""The ways numbers are written, by name."""

_MONTH = r"[^\W\d_]{3,12}\.?"
_TIME = r"([T ,]+\d{1,2}:\d{2}.*)?"
_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ].*)?", (NATIVE,)),
    (r"(18|19|20|21)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])", (NATIVE,)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}" + _TIME, ("%Y.%m.%d",)),
    *(
        (rf"\d{{1,2}}{re.escape(s)}\d{{1,2}}{re.escape(s)}\d{{{n}}}" + _TIME, forms)
        for s in "./-"
        for n, y in ((4, "%Y"), (2, "%y"))
        for forms in [(f"%d{s}%m{s}{y}", f"%m{s}%d{s}{y}")]
    ),
    (r"\d{4}(19|20)\d\d", ("%d%m%Y", "%m%d%Y")),
    (r"(19|20)\d{12}", ("%Y%m%d%H%M%S",)),
    *(
        (
            rf"\d{{1,2}}{re.escape(s)}{_MONTH}{re.escape(s[-1])}\d{{{n}}}" + _TIME,
            (f"%d{s}%b{s[-1]}{y}",),
        )
        for s in ("-", " ", ". ", "/")
        for n, y in ((4, "%Y"), (2, "%y"))
    ),
    (rf"{_MONTH} \d{{1,2}}, \d{{4}}" + _TIME, ("%b %d, %Y",)),
    (rf"{_MONTH} \d{{1,2}} \d{{4}}" + _TIME, ("%b %d %Y",)),
)  # fmt: skip
_LEAST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Profile:
    """What is in a column.

    Attributes:
        name: The column.
        type: What the file says it holds; all of a CSV file is text.
        rows: The rows of the table.
        filled: How many of them have a value.
        distinct: How many values are different.
        values: The different values of a sample, as text.
        numbers: The share of the sample's values that are numbers, by how they are written.
        dates: The share that are dates, by format.
        has_fraction: Whether a number among them is not whole.
        smallest: The smallest number among them, read in the way that reads most; 0 without any.
        largest: The largest one, likewise.
    """

    name: str
    type: Kind
    rows: int
    filled: int
    distinct: int
    values: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)
    dates: Mapping[str, float] = field(default_factory=dict)
    has_fraction: bool = False
    smallest: float = 0.0
    largest: float = 0.0

    @property
    def repeats(self) -> float:
        """The share of values that were there before."""
        return 1 - self.distinct / self.filled if self.filled else 0.0

    @property
    def number_share(self) -> float:
        """The share that are numbers, in the way that reads most."""
        return max(self.numbers.values(), default=0.0)

    @property
    def date_share(self) -> float:
        """The share that are dates, in the format that reads most."""
        return max(self.dates.values(), default=0.0)


def profiles_of(frame: Frame, engine: Reader) -> tuple[Profile, ...]:
    """A profile of every column of a scanned frame; two passes over the files."""
    names = [n for n in frame.collect_schema().names() if n not in LINEAGE]
    counted = engine.collect(
        frame.select(
            nw.len().cast(nw.Int64).alias("rows"),
            *(nw.col(n).count().cast(nw.Int64).alias(f"filled {i}") for i, n in enumerate(names)),
            *(nw.col(n).n_unique().cast(nw.Int64).alias(f"d {i}") for i, n in enumerate(names)),
        )
    ).to_pylist()[0]
    step = max(1, counted["rows"] // SAMPLE_ROWS)
    sample = engine.collect(frame.filter(nw.col("_row") % step == 0).sort("_source", "_row"))
    profiles = []
    for i, name in enumerate(names):
        filled, distinct = counted[f"filled {i}"], counted[f"d {i}"]
        has_gap = filled < counted["rows"]  # a missing value counts as one that is different
        column = Profile(
            name=name,
            type=_type(sample.schema.field(name).type),
            rows=counted["rows"],
            filled=filled,
            distinct=(distinct or 0) - has_gap,
            values=(),
        )
        profiles.append(_read(column, sample, engine))
    return tuple(profiles)


def _type(kind: pa.DataType) -> Kind:
    if pa.types.is_temporal(kind):
        return "day"
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "number" if is_number else "text"


def _read(column: Profile, sample: pa.Table, engine: Reader) -> Profile:
    """The profile with what the values of a sample can be read as, by the engine itself."""
    table = sample.select(["_source", "_row", column.name])
    frame = engine.from_arrow(table.filter(table[column.name].is_valid()))
    texts = [str(v) for v in _as(frame, column.name, "text", engine) if v is not None]
    unique = tuple(dict.fromkeys(texts))
    numbers, dates, has_fraction = {}, {}, False
    found: list[float] = []
    if not texts:
        return column
    if column.type == "day":
        dates = {NATIVE: 1.0}
    else:
        for name, written in NUMBERS.items():
            read = _as(frame, column.name, "number", engine, written)
            values = [float(v) for v in read if v is not None]
            numbers[name] = len(values) / len(read)
            has_fraction |= any(value % 1 for value in values)
            found = max(found, values, key=len)
        for form in _forms(unique):
            written = CsvFormat(date_format=form or None)
            read = _as(frame, column.name, "day", engine, written)
            dates[form] = sum(v is not None for v in read) / len(read)
    return Profile(
        column.name, column.type, column.rows, column.filled, column.distinct, unique,
        numbers, dates, has_fraction, min(found, default=0.0), max(found, default=0.0),
    )  # fmt: skip


def _as(
    frame: Frame, name: str, kind: Kind, engine: Reader, written: CsvFormat = NUMBERS["plain"]
) -> list[str | float | int | None]:
    parsed = engine.parsed(frame, [Reading("x", name, kind)], timezone="UTC", written=written)
    values: list[str | float | int | None] = engine.collect(parsed)["x"].to_pylist()
    return values


def _forms(values: Sequence[str]) -> Iterator[str]:
    """The date formats that the shape of the values allows."""
    found = dict.fromkeys(
        form
        for pattern, forms in _FORMS
        if sum(bool(re.fullmatch(pattern, v)) for v in values) >= _LEAST_SHARE * len(values)
        for form in forms
    )
    yield from found
