"""A file of transactions of any bytes, loaded: each of its rows is kept or quarantined.

The engine and the settings are made once, since they take longer than a small file. Of a load, only
what depends on the file is done for each of them: it is found, parted, read and judged row by row.
One in eight, chosen by its bytes, goes through the whole of `transactions.load`.
"""

import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
from tests.laid_out import TODAY

from portfolio_ml import transactions
from portfolio_ml.config import Settings, settings_from
from portfolio_ml.engine import opened
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.schema import TRANSACTIONS
from portfolio_ml.sources import unread
from portfolio_ml.transactions import _KINDS, _held, rules
from portfolio_ml.validation import TooManyRefusedError, parsed, validated, value

FORMATS: tuple[Mapping[str, Any], ...] = (
    {},
    {"skip_lines": 1},
    {"encoding": "utf-16"},
    {"decimal": ",", "thousands": "."},
    {"quote": ""},
    {"quote": "'", "delimiter": ";"},
    {"date_format": "%d. %B %Y"},
    {"encoding": "windows-1250", "skip_lines": 2},
)
ONE_IN = 8


def csv(data: bytes, written: Mapping[str, Any]) -> None:
    """The bytes as a CSV file that is said to be written like this."""
    rows = None
    if written.get("encoding", "utf-8") == "utf-8":
        rows = _rows_of(data, written.get("quote", '"'), written.get("skip_lines", 0))
    _loaded("sales.csv", data, rows=rows, **written)


def parquet(data: bytes, *, rows: int | None = None) -> None:
    """The bytes as a Parquet file; its rows are those of its footer where they are not told."""
    with suppress(pa.ArrowException, OSError, UnicodeDecodeError):
        footer = pq.read_metadata(pa.BufferReader(data))
        groups = range(footer.num_row_groups)
        rows = sum(footer.row_group(n).num_rows for n in groups) if rows is None else rows
    _loaded("sales.parquet", data, rows=rows)


def _loaded(name: str, data: bytes, *, rows: int | None, **written: Any) -> None:
    settings = _settings(name, **written)
    (settings.base / name).write_bytes(data)
    with _engine() as engine:
        try:
            is_whole = zlib.crc32(data) % ONE_IN == 0
            counted = (_kept_by_load if is_whole else _kept)(settings, engine)
        except TooManyRefusedError as refused:
            counted = refused.quarantine.num_rows
    assert rows in (None, counted), f"{counted} rows of {rows}"


def _kept_by_load(settings: Settings, engine: DuckDBEngine) -> int:
    history = transactions.load(settings, engine, today=TODAY)
    return history.kept + history.quarantined


def _kept(settings: Settings, engine: DuckDBEngine) -> int:
    """The rows that are kept or quarantined, without customers, currencies and days."""
    raw = unread(settings, engine)
    how = {"of": TRANSACTIONS, "settings": settings}
    rows = parsed(raw, _KINDS, engine, **how)
    rows = rows.with_columns(customer=value("customer_id"))
    split = validated(rows, rules(TODAY), _held(rows), engine, **how, where=raw.label)
    kept = engine.collect(split.kept.select(rows=nw.len()))["rows"][0].as_py()
    return kept + split.quarantine.num_rows


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="portfolio-ml-fuzz-"))


def _settings(name: str, **written: Any) -> Settings:
    return _known_settings(name, tuple(written.items()))


@cache
def _known_settings(name: str, written: tuple[tuple[str, Any], ...]) -> Settings:
    source = {"source": name} | ({"format": dict(written)} if written else {})
    data = {"transactions": source, "max_quarantined_share": 1}
    given = {"name": "shop", "data": data, "engine": {"threads": 1}}
    return settings_from(given, base=_folder())


_open = ExitStack()


@cache
def _first() -> DuckDBEngine:
    """The engine whose connection and folder serve all files; it closes with the process."""
    return _open.enter_context(opened(_settings("sales.csv").engine))


@contextmanager
def _engine() -> Iterator[DuckDBEngine]:
    """An engine that knows of nothing before, and leaves nothing behind."""
    first = _first()
    try:
        yield DuckDBEngine(first._connection, first._folder)
    finally:
        _tidy(first)


def _tidy(first: DuckDBEngine) -> None:
    """Forget what a file was; a database that it broke is given up, and the next has another."""
    try:
        made = "SELECT table_name, table_type FROM information_schema.tables"
        for name, kind in first._connection.execute(made).fetchall():
            first._connection.execute(f'DROP {"VIEW" if kind == "VIEW" else "TABLE"} "{name}"')
    except duckdb.FatalException:
        _first.cache_clear()
    for file in first._folder.iterdir():
        file.unlink()


def _rows_of(data: bytes, quote: str, skipped: int) -> int | None:
    """How many rows a file has, where that is plain: without quotes, a line that is not blank."""
    if quote and quote.encode() in data:
        return None
    with suppress(UnicodeDecodeError):
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        return sum(line != "" for line in text.split("\n")[1 + skipped :])
    return None
