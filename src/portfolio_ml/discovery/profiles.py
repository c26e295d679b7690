"""What is in each column: how full it is, how often values repeat, what they can be read as."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
    columns = []
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
        columns.append(column)
    return tuple(_read(columns, sample, engine))


def _type(kind: pa.DataType) -> Kind:
    if pa.types.is_temporal(kind):
        return "day"
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "number" if is_number else "text"


def _read(columns: Sequence[Profile], sample: pa.Table, engine: Reader) -> Iterator[Profile]:
    """The profiles with what the values of a sample can be read as, by the engine itself."""
    frame = engine.from_arrow(sample)
    texts = _as(frame, [column.name for column in columns], "text", engine)
    unique = {name: tuple(dict.fromkeys(map(str, values))) for name, values in texts.items()}
    open_ones = [c.name for c in columns if c.type != "day" and unique[c.name]]
    numbers = {
        form: _as(frame, open_ones, "number", engine, written) for form, written in NUMBERS.items()
    }
    forms = {name: tuple(_forms(unique[name])) for name in open_ones}
    days = {
        form: _as(
            frame,
            [name for name in open_ones if form in forms[name]],
            "day",
            engine,
            CsvFormat(date_format=form or None),
        )
        for form in dict.fromkeys(form for allowed in forms.values() for form in allowed)
    }
    for column in columns:
        name = column.name
        if not unique[name]:
            yield column
        elif column.type == "day":
            yield replace(column, values=unique[name], dates={NATIVE: 1.0})
        else:
            filled = sample.num_rows - sample[name].null_count
            told = replace(
                column,
                values=unique[name],
                dates={form: len(days[form][name]) / filled for form in forms[name]},
            )
            read = {form: [*map(float, values[name])] for form, values in numbers.items()}
            yield _numbered(told, read, filled)


def _numbered(column: Profile, read: Mapping[str, Sequence[float]], filled: int) -> Profile:
    """The profile with the numbers that a sample's values are, by how they are written."""
    most = max(read.values(), key=len)
    return replace(
        column,
        numbers={form: len(values) / filled for form, values in read.items()},
        has_fraction=any(value % 1 for values in read.values() for value in values),
        smallest=min(most, default=0.0),
        largest=max(most, default=0.0),
    )


def _as(
    frame: Frame,
    names: Sequence[str],
    kind: Kind,
    engine: Reader,
    written: CsvFormat = NUMBERS["plain"],
) -> dict[str, list[Any]]:
    """Per column the values that can be read so, in one query for all of them."""
    if not names:
        return {}
    readings = [Reading(f"x{number}", name, kind) for number, name in enumerate(names)]
    parsed = engine.collect(engine.parsed(frame, readings, timezone="UTC", written=written))
    return {reading.column: parsed[reading.name].drop_null().to_pylist() for reading in readings}


def _forms(values: Sequence[str]) -> Iterator[str]:
    """The date formats that the shape of the values allows."""
    found = dict.fromkeys(
        form
        for pattern, forms in _FORMS
        if sum(bool(re.fullmatch(pattern, v)) for v in values) >= _LEAST_SHARE * len(values)
        for form in forms
    )
    yield from found
