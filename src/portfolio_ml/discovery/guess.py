"""A first look at files, and the guess that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw

from portfolio_ml.config import CsvFormat, Settings
from portfolio_ml.discovery.amounts import checked, currency_of
from portfolio_ml.discovery.dialect import sniffed
from portfolio_ml.discovery.marks import Decided, date_form, number_form
from portfolio_ml.discovery.profiles import NATIVE, NUMBERS, Profile, profiles_of
from portfolio_ml.discovery.roles import REQUIRED, Finding, assigned
from portfolio_ml.engine import Frame, Reader, Reading
from portfolio_ml.errors import DataError
from portfolio_ml.schema import TRANSACTIONS, Table
from portfolio_ml.sources import files_of


@dataclass(frozen=True, slots=True)
class Sighting:
    """Files as they were found.

    Attributes:
        source: What the user called them.
        files: The files.
        written: How their text is parted and encoded.
        frame: Their rows.
        profiles: What is in each column.
        doubts: What is unsure about the way they are written.
    """

    source: str
    files: tuple[Path, ...]
    written: CsvFormat
    frame: Frame
    profiles: tuple[Profile, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """What the columns are and how they are written.

    Attributes:
        findings: The columns by role, those that the config maps.
        written: The format of the files.
        doubts: What a person should look at, beside the findings' own doubts.
        currency: What the amounts are in; empty where the file does not tell.
    """

    findings: Mapping[str, Finding]
    written: CsvFormat
    doubts: tuple[str, ...]
    currency: str = ""

    @property
    def columns(self) -> dict[str, str]:
        """The mapping that the config takes."""
        return {role: finding.column for role, finding in self.findings.items()}


def look(source: str, engine: Reader, *, base: Path, of: Table = TRANSACTIONS) -> Sighting:
    """Look at the files of a table that a path or a pattern names.

    Raises:
        ConfigError: There are none.
        DataError: They cannot be read as tables.
    """
    values = {"name": "look", "data": {"transactions": {"source": source}}}
    files = tuple(files_of(source, Settings.model_validate(values).located(base), of=of))
    written = CsvFormat()
    doubts: tuple[str, ...] = ()
    if files[0].suffix.lower() != ".parquet":
        written, doubts = sniffed(files[0])
    frame = engine.scan(files, written)
    profiles = profiles_of(frame, engine)
    if not profiles or not profiles[0].rows:
        raise DataError("there is not a single row", where=source, do="export it again")
    return Sighting(source, files, written, frame, profiles, doubts)


def guess(seen: Sighting, engine: Reader, *, chosen: Mapping[str, str] | None = None) -> Guess:
    """What the columns are, as far as names and values tell.

    Args:
        seen: The files.
        engine: Where they are read.
        chosen: What a person has decided: columns by role, and `date_format`.

    Raises:
        DataError: There is no column for a role that is needed; the message lists those there are.
    """
    by_hand = {role: c for role, c in (chosen or {}).items() if role != "date_format"}
    found = assigned(seen.profiles, by_hand)
    for role in REQUIRED:
        if role not in found:
            names = ", ".join(repr(p.name) for p in seen.profiles)
            raise DataError(
                f"no column looks like the {role}",
                where=seen.source,
                saw=f"columns {names}",
                do="name the column so, or write the config by hand",
            )
    by_name = {p.name: p for p in seen.profiles}
    is_european = _is_european(seen, by_name[found["timestamp"].column])
    number_roles = [found[r].column for r in ("amount", "price", "quantity") if r in found]
    numeric = [by_name[c] for n in number_roles for c in n.split(" * ") if c in by_name]
    numbers = number_form(numeric, is_european=is_european)
    dates = date_form(by_name[found["timestamp"].column], is_european=is_european)
    if (chosen or {}).get("date_format"):
        dates = Decided((chosen or {})["date_format"])
    elif dates.doubt:
        dates = _on_all_rows(seen, by_name[found["timestamp"].column], dates, engine)
    if numbers.doubt and "amount" not in by_hand:
        found["amount"] = found["amount"].doubted(numbers.doubt)
    if dates.doubt:
        found["timestamp"] = found["timestamp"].doubted(dates.doubt)
    written = seen.written.model_copy(
        update={
            "decimal": NUMBERS[numbers.form].decimal,
            "thousands": NUMBERS[numbers.form].thousands,
            "date_format": None if dates.form == NATIVE else dates.form,
        }
    )
    if "amount" not in by_hand:
        found["amount"] = checked(found, seen.frame, written, engine)
    currency, doubts = currency_of(found, by_name)
    kept = {r: f for r, f in found.items() if r != "price" and (r != "currency" or currency)}
    return Guess(kept, written, (*seen.doubts, *doubts), currency)


def _is_european(seen: Sighting, timestamp: Profile) -> bool:
    accents = any(ord(c) > 127 for p in seen.profiles for c in p.name)
    return seen.written.delimiter == ";" or accents or "." in timestamp.values[0][:6]


def _on_all_rows(seen: Sighting, column: Profile, dates: Decided, engine: Reader) -> Decided:
    """What all rows say about the order of day and month, where a sample leaves it open."""
    best = column.date_share
    fitting = [form for form, share in column.dates.items() if share >= best - 1e-9]
    if len(fitting) < 2 or NATIVE in fitting or column.rows <= len(column.values):
        return dates
    read = []
    for form in fitting:
        parsed = engine.parsed(
            seen.frame,
            [Reading("x", column.name, "day")],
            timezone="UTC",
            written=CsvFormat(date_format=form),
        )
        read.append(engine.collect(parsed.select(nw.col("x").count()))["x"][0].as_py())
    if len(set(read)) == 1:
        return dates
    return Decided(fitting[read.index(max(read))])
