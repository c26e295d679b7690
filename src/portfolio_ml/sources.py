"""Where a table is kept -> its unread rows, each with its source and number.

A built-in data set, a file, a folder, a pattern, a table or query of a database, or a table in
memory. Folders and patterns give all their files in the order of their names; a folder such as
`year=2024` gives its files a text column `year`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import narwhals as nw
import pyarrow as pa
from narwhals.exceptions import NarwhalsError

from portfolio_ml.config import (
    CsvTarget,
    ParquetTarget,
    Settings,
    TableSource,
    history_beside,
)
from portfolio_ml.databases import read_query, read_table, redacted
from portfolio_ml.datasets import DATASETS
from portfolio_ml.engine import Frame, Reader
from portfolio_ml.engine.frames import LINEAGE, Told
from portfolio_ml.errors import ConfigError, DataError, missing_column, nearest, nearest_file
from portfolio_ml.schema import ATTRIBUTE, TRANSACTIONS, Table

IN_MEMORY = "a table in memory"
KINDS = (".csv", ".parquet")
_PACKED = {".gz", ".zip", ".zst", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".rar"}

_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FORMS = "name a file, a folder, or a pattern such as sales/*.csv"


@dataclass(frozen=True, slots=True)
class Unread:
    """Rows as they were found.

    Attributes:
        frame: The rows, with `_source` (the file or query) and `_row` (from 1, per source); those
            of CSV files have `_line` too, the text of a line that is no row.
        columns: Their columns, by our own names.
        label: What the source is called; never with a password.
    """

    frame: Frame
    columns: Mapping[str, str]
    label: str

    def factors(self, name: str) -> tuple[str, ...]:
        """The column that one of ours is read from, or the two whose product an amount is."""
        return _factors(name, self.columns[name], self.frame.collect_schema().names())


def unread(
    settings: Settings, engine: Reader, *, of: Table = TRANSACTIONS, table: object = None
) -> Unread:
    """One of the portfolio's tables, unread.

    Args:
        settings: Where the tables are and what their columns are called.
        engine: Where the rows are computed.
        of: Which table; its section of the config must be there.
        table: The rows themselves, in any form that Narwhals accepts (pandas, Polars, Arrow,
            ...); the configured source is not looked at then.

    Raises:
        ConfigError: The source or its mapping is wrong, or a built-in data set has no such table.
        DataError: A column is missing, or a file or the table cannot be read.
        ServiceUnavailableError: The database does not answer.
    """
    source: TableSource = getattr(settings.data, of.name)
    built_in = DATASETS.get(source.source) if table is None else None
    label = IN_MEMORY if table is not None else _label(source, of)
    if table is not None:
        frame = engine.listed(_in_memory(table), label)
    elif built_in is not None:
        frame = engine.listed(built_in.table(of.name), label)
    elif source.is_database:
        frame = engine.listed(_from_database(source, settings, engine), label)
    else:
        found = files_of(source.source, settings, of=of)
        frame = engine.scan(found, source.format, _told_by_folders(found))
    own_names = built_in.columns if built_in and of is TRANSACTIONS else None
    return Unread(frame, _columns(frame, source.columns or own_names, of, label), label)


def _label(source: TableSource, of: Table) -> str:
    if not source.is_database and source.source not in DATASETS:
        return source.source
    place = redacted(source.source) if source.is_database else source.source
    return place if of is TRANSACTIONS else f"{place} ({of.name})"


def _columns(
    frame: Frame, mapped: Mapping[str, str] | None, of: Table, label: str
) -> Mapping[str, str]:
    """What our columns are called there; by our own names where nothing is mapped."""
    present = [c for c in frame.collect_schema().names() if c not in LINEAGE]
    if mapped is None:
        mapped = {c.name: c.name for c in of.columns if c.required or c.name in present}
        if of.takes_attributes:
            mapped |= {name: name for name in present if ATTRIBUTE.fullmatch(name)}
    theirs = (f for name, column in mapped.items() for f in _factors(name, column, present))
    for column in theirs:
        if column not in present:
            under = "columns" if label == IN_MEMORY else f"data.{of.name}.columns"
            raise missing_column(column, present, where=label, mapped_under=under)
    if of.one_of and not any(name in mapped for name in of.one_of):
        under = f"data.{of.name}.columns, or {' or '.join(of.one_of[1:])}"
        raise missing_column(of.one_of[0], present, where=label, mapped_under=under)
    return mapped


def _factors(name: str, column: str, present: Sequence[str]) -> tuple[str, ...]:
    left, times, right = column.partition(" * ")
    is_product = name == "amount" and times and column not in present
    return (left, right) if is_product else (column,)


def _in_memory(table: Any) -> pa.Table:  # noqa: ANN401 - whatever Narwhals accepts
    try:
        frame = nw.from_native(table)
        return (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_arrow()
    except (TypeError, ValueError, NarwhalsError, pa.ArrowException) as error:
        raise DataError(
            "the table cannot be read",
            where=IN_MEMORY,
            saw=f"{type(table).__module__}.{type(table).__qualname__}: "
            + str(error).strip().partition("\n")[0].rstrip("."),
            do="give a pandas, Polars or Arrow table whose columns have one type each",
        ) from error


def _from_database(source: TableSource, settings: Settings, engine: Reader) -> pa.Table:
    url, base = source.source, settings.base
    if source.table is not None:
        return read_table(url, source.table, base=base, on_disk=engine.spooled)
    return read_query(url, source.query or "", base=base, on_disk=engine.spooled)


def files_of(source: str, settings: Settings, *, of: Table = TRANSACTIONS) -> Sequence[Path]:
    """The files that the source of a table names, in order, without those that our runs write.

    Raises:
        ConfigError: There are none, or they are of no kind or of several kinds.
    """
    path = settings.resolve(Path(source))
    if not source.strip():
        raise _nothing_to_read(of, f"data.{of.name}.source", saw="an empty name")
    if path == Path(path.anchor):
        raise _nothing_to_read(of, str(path), saw="the root of the disk")
    try:
        written = {settings.resolve(p).resolve() for p in _written(settings)}
        matching = _matching(path)
        found = [f for f in matching if f == path or written.isdisjoint(_up(f.resolve()))]
    except (ValueError, NotImplementedError, OSError) as error:
        raise ConfigError("the path cannot be followed", where=source, saw=str(error)) from None
    if not found and matching:
        raise _nothing_to_read(of, str(path), saw="only files that runs write themselves")
    if not found:
        raise _no_file(of, source, path)
    kinds = {f.suffix.lower() for f in found}
    if len(kinds) > 1 or not kinds <= {*KINDS}:
        raise ConfigError(
            f"{of.name} must be .csv or .parquet files, all of one kind",
            where=str(path),
            saw=", ".join(sorted(kind or "no suffix" for kind in kinds)),
            do="name those of one kind by a pattern, such as sales/**/*.csv"
            if kinds <= {*KINDS}
            else "export them as .csv or .parquet"
            + (", or unpack them" if kinds & _PACKED else ""),
        )
    return found


def _no_file(of: Table, source: str, path: Path) -> ConfigError:
    if path.exists() and not path.is_dir():
        return _nothing_to_read(of, str(path), saw="no plain file", do="write it to one first")
    is_pattern = any(sign in source for sign in "*?[")
    missing = "no file that matches" if is_pattern else "no such file"
    file = None if is_pattern or path.is_dir() else nearest_file(path, KINDS)
    built_in = nearest(source, _built_in(of))
    guess = f"the built-in data set {built_in!r}" if built_in else None
    if file is not None:
        guess = str(Path(source).with_name(file))
    return _nothing_to_read(
        of,
        str(path),
        saw="a folder without .csv and .parquet files" if path.is_dir() else missing,
        do=f"did you mean {guess}?" if guess else None,
    )


def _nothing_to_read(of: Table, where: str, *, saw: str, do: str | None = None) -> ConfigError:
    forms = f"{_FORMS}, or one of {', '.join(_built_in(of))}" if _built_in(of) else _FORMS
    return ConfigError(f"there are no {of.name} to read", where=where, saw=saw, do=do or forms)


def _built_in(of: Table) -> Sequence[str]:
    """The built-in data sets that have such a table."""
    return [name for name, d in DATASETS.items() if of is TRANSACTIONS or of.name in d.tables]


def _written(settings: Settings) -> Iterable[Path]:
    yield settings.data.quarantine
    for target in settings.delivery:
        if isinstance(target, ParquetTarget | CsvTarget):
            yield target.path
            yield history_beside(target.path)


def _up(file: Path) -> Iterable[Path]:
    """The file and the folders that it is in."""
    return file, *file.parents


def _matching(path: Path) -> Sequence[Path]:
    """The file of that name, a folder's files below it, or else what matches as a pattern.

    As in a shell, a pattern means what begins with `.` only where it says so: copies that editors
    and notebooks keep would count twice.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(f for f in path.rglob("*") if _is_data(f.relative_to(path)) and f.is_file())
    folder = next(parent for parent in path.parents if parent.is_dir())
    pattern = str(path.relative_to(folder))
    everything_below = path.name == "**"  # which alone would match folders only
    found = folder.glob(f"{pattern}/*" if everything_below else pattern)
    told = ((f, f.relative_to(folder)) for f in found if f.is_file())
    if everything_below:
        return sorted(f for f, below in told if _is_data(below))
    return sorted(f for f, below in told if _is_hidden(Path(pattern)) or not _is_hidden(below))


def _is_data(file: Path) -> bool:
    """Whether a file below a folder is one of its data: what begins with `.` or `_` is not."""
    return file.suffix.lower() in KINDS and not any(p.startswith((".", "_")) for p in file.parts)


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") and part != ".." for part in file.parts)


def _told_by_folders(files: Sequence[Path]) -> Told:
    """What the folders of all files tell, such as `year=2024`, as text."""
    told = [_partitions(file) for file in files]
    in_all = (key for key in told[0] if all(key in keys for keys in told))
    return {key: [keys[key] for keys in told] for key in in_all}


def _partitions(file: Path) -> dict[str, str | None]:
    pairs = (folder.partition("=") for folder in file.parent.parts)
    told = {key: unquote(value) for key, is_told, value in pairs if is_told and key.isidentifier()}
    return {key: None if value == _NO_PARTITION else value for key, value in told.items()}
