"""Load -> validated rows + quarantined rows, counted.

read = kept + quarantined, always. A row is quarantined under the first rule that it breaks.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Settings, TransactionsSource
from portfolio_ml.databases import read_query, read_table, redacted
from portfolio_ml.datasets import DATASETS
from portfolio_ml.engine import Engine, Frame, Reading
from portfolio_ml.errors import ConfigError, DataError, missing_column, nearest
from portfolio_ml.schema import MONEY_SCALE, QUARANTINE, TRANSACTIONS
from portfolio_ml.timeline import Span, in_history, to_date, to_day

EARLIEST = date(1900, 1, 1)
LARGEST_AMOUNT = 1e12
CLOCK_SLACK_DAYS = 1
_REQUIRED = tuple(column.name for column in TRANSACTIONS.columns if column.required)

_FORMS = "name a file, a pattern such as sales/*.csv, or one of " + ", ".join(DATASETS)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a row must not be: `broken` is true for a row that breaks it."""

    name: str
    column: str
    broken: nw.Expr


@dataclass(frozen=True, slots=True)
class History:
    """The validated lines of a portfolio and what became of the others.

    Attributes:
        lines: One row per kept line, as in `schema.HISTORY`; computed once.
        days: One row per day with lines: day, lines, customers, amount (1/10,000 unit).
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        has_orders: Whether lines carry an order id; otherwise each line is an order.
    """

    lines: Frame
    days: pa.Table
    quarantine: pa.Table
    has_orders: bool

    @property
    def span(self) -> Span:
        """First and last day with a line."""
        return Span(self.days["day"][0].as_py(), self.days["day"][-1].as_py())

    @property
    def kept(self) -> int:
        """Rows kept."""
        lines: int = pc.sum(self.days["lines"], min_count=0).as_py()
        return lines

    @property
    def quarantined(self) -> int:
        """Rows refused."""
        refused: int = self.quarantine.num_rows
        return refused

    @property
    def digest(self) -> str:
        """SHA-256 of the totals per day."""
        rows = "\n".join(",".join(map(str, day.values())) for day in self.days.to_pylist())
        return hashlib.sha256(rows.encode()).hexdigest()

    def until(self, as_of: date) -> "History":
        """The history as it was known on `as_of`: later lines are not there.

        Raises:
            DataError: `as_of` lies before the first or after the last line.
        """
        day, span = to_day(as_of), self.span
        if not span.first_day <= day <= span.last_day:
            raise DataError(
                f"{as_of} lies outside the history",
                saw=f"lines from {to_date(span.first_day)} to {to_date(span.last_day)}",
                do="choose an --as-of within it",
            )
        known = self.days.filter(pc.less_equal(self.days["day"], day))
        return replace(self, lines=self.lines.filter(in_history(nw.col("day"), day)), days=known)


def load(settings: Settings, engine: Engine, *, today: date) -> History:
    """The portfolio's history, validated row by row.

    Args:
        settings: Where the transactions are and what their columns are called.
        engine: Where the rows are kept.
        today: The wall clock's date; rows dated later than tomorrow are refused.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    raw = _raw(settings, engine)
    columns = _columns(settings.data.transactions, raw)
    kinds = {"customer_id": "text", "timestamp": "day", "amount": "number", "order_id": "text"}
    readings = [
        Reading(f"_{name}", columns[name], kind)  # type: ignore[arg-type]  # kinds are literals
        for name, kind in kinds.items()
        if name in columns
    ]
    readings += [Reading(f"_text_{n}", columns[n], "text") for n in _REQUIRED]
    parsed = engine.parsed(raw, readings, timezone=settings.timezone)
    judged = engine.keep(parsed.with_columns(_rule=_first_broken(rules(today))))
    return _split(judged, engine, settings, has_orders="order_id" in columns)


def rules(today: date) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    Example:
        >>> [rule.name for rule in rules(date(2024, 3, 1)) if rule.column == "customer_id"]
        ['customer_id_missing']
    """
    latest = to_day(today) + CLOCK_SLACK_DAYS
    day, amount = nw.col("_timestamp"), nw.col("_amount")
    return (
        Rule("customer_id_missing", "customer_id", nw.col("_customer_id").is_null()),
        Rule("timestamp_missing", "timestamp", nw.col("_text_timestamp").is_null()),
        Rule("timestamp_unreadable", "timestamp", day.is_null()),
        Rule("timestamp_before_1900", "timestamp", day < to_day(EARLIEST)),
        Rule("timestamp_in_the_future", "timestamp", day > latest),
        Rule("amount_missing", "amount", nw.col("_text_amount").is_null()),
        Rule("amount_unreadable", "amount", amount.is_null() | amount.is_nan()),
        Rule("amount_out_of_range", "amount", amount.abs() > LARGEST_AMOUNT),
    )


def _raw(settings: Settings, engine: Engine) -> Frame:
    """The unread rows, with `_source` and `_row`."""
    source = settings.data.transactions
    if source.source in DATASETS:
        return _numbered(DATASETS[source.source].read(), source, engine)
    if source.is_database:
        return _numbered(_from_database(source, settings), source, engine)
    return engine.scan(_files(settings.resolve(Path(source.source)), source.source))


def _columns(source: TransactionsSource, raw: Frame) -> Mapping[str, str]:
    """What our columns are called there; by our own names where nothing is mapped."""
    present = [c for c in raw.collect_schema().names() if c not in ("_source", "_row")]
    own_names = {n: n for n in TRANSACTIONS.names if n in _REQUIRED or n in present}
    built_in = DATASETS.get(source.source)
    columns = source.columns or (built_in.columns if built_in else own_names)
    for column in columns.values():
        if column not in present:
            raise missing_column(
                column,
                present,
                where=_shown(source),
                mapped_under="data.transactions.columns",
            )
    return columns


def _shown(source: TransactionsSource) -> str:
    return redacted(source.source) if source.is_database else source.source


def _numbered(table: pa.Table, source: TransactionsSource, engine: Engine) -> Frame:
    theirs = [name for name in table.column_names if name.casefold() not in ("_source", "_row")]
    rows = pa.array(range(1, table.num_rows + 1), pa.int64())
    sources = pa.repeat(pa.scalar(_shown(source)), table.num_rows)
    lineage = table.select(theirs).append_column("_row", rows).append_column("_source", sources)
    return engine.from_arrow(lineage)


def _from_database(source: TransactionsSource, settings: Settings) -> pa.Table:
    if source.table is not None:
        return read_table(source.source, source.table, base=settings.base)
    return read_query(source.source, source.query or "", base=settings.base)


def _files(path: Path, source: str) -> Sequence[Path]:
    try:
        files = [f for f in _matching(path) if f.is_file()]
    except (ValueError, NotImplementedError, OSError) as error:
        raise ConfigError("the path cannot be followed", where=source, saw=str(error)) from None
    if not files:
        guess = nearest(source, DATASETS)
        raise ConfigError(
            "there are no transactions to read",
            where=str(path),
            saw="a folder" if path.is_dir() else "no such file",
            do=f"did you mean the built-in data set {guess!r}?" if guess else _FORMS,
        )
    kinds = {f.suffix.lower() for f in files}
    if len(kinds) > 1 or not kinds <= {".csv", ".parquet"}:
        raise ConfigError(
            "transactions must be .csv or .parquet files, all of one kind",
            where=str(path),
            saw=", ".join(sorted(kind or "no suffix" for kind in kinds)),
        )
    return files


def _matching(path: Path) -> Sequence[Path]:
    """What the path names, or else what it matches as a pattern, in order."""
    if path.is_file() or path.is_dir():
        return [path]
    folder = next(parent for parent in path.parents if parent.is_dir())
    return sorted(folder.glob(str(path.relative_to(folder))))


def _first_broken(all_rules: Sequence[Rule]) -> nw.Expr:
    named = nw.lit(None, dtype=nw.String)
    for rule in reversed(all_rules):
        named = nw.when(rule.broken).then(nw.lit(rule.name)).otherwise(named)
    return named


def _split(judged: Frame, engine: Engine, settings: Settings, *, has_orders: bool) -> History:
    quarantine = _quarantine(judged, engine)
    order_id = nw.col("_order_id") if has_orders else nw.lit(None, dtype=nw.String)
    lines = engine.keep(
        judged.filter(nw.col("_rule").is_null()).select(
            nw.col("_customer_id").alias("customer_id"),
            nw.col("_timestamp").alias("day"),
            (nw.col("_amount") * MONEY_SCALE).round().cast(nw.Int64).alias("amount"),
            order_id.alias("order_id"),
        )
    )
    days = engine.collect(
        lines.group_by("day")
        .agg(
            lines=nw.len(),
            customers=nw.col("customer_id").n_unique(),
            amount=nw.col("amount").sum().cast(nw.Float64),
        )
        .sort("day")
    )
    history = History(lines=lines, days=days, quarantine=quarantine, has_orders=has_orders)
    _check_share(history, settings)
    return history


def _quarantine(judged: Frame, engine: Engine) -> pa.Table:
    column, value = nw.lit(None, dtype=nw.String), nw.lit(None, dtype=nw.String)
    for rule in rules(EARLIEST):
        breaks = nw.col("_rule") == rule.name
        column = nw.when(breaks).then(nw.lit(rule.column)).otherwise(column)
        value = nw.when(breaks).then(nw.col(f"_text_{rule.column}")).otherwise(value)
    refused = judged.filter(~nw.col("_rule").is_null()).select(
        nw.col("_source").alias("source"),
        nw.col("_row").alias("row_number"),
        nw.col("_rule").alias("rule"),
        column.alias("column"),
        value.alias("value"),
    )
    return engine.collect(refused.sort("source", "row_number")).cast(QUARANTINE.arrow)


def _check_share(history: History, settings: Settings) -> None:
    quarantine, read = history.quarantine, history.kept + history.quarantined
    allowed, where = settings.data.max_quarantined_share, _shown(settings.data.transactions)
    if read == 0:
        raise DataError("there is not a single row", where=where)
    if history.kept == 0 or quarantine.num_rows / read > allowed:
        counts = quarantine["rule"].value_counts().to_pylist()
        worst = max(counts, key=lambda count: count["counts"])
        row = quarantine.slice(quarantine["rule"].index(worst["values"]).as_py(), 1).to_pylist()[0]
        value = "no value" if row["value"] is None else repr(row["value"])
        share = "more than the allowed share" if history.kept else "so none is left"
        raise DataError(
            f"{quarantine.num_rows:,} of {read:,} rows break a rule, {share}",
            where=where,
            saw=f"{worst['counts']:,} x {worst['values']}, such as row {row['row_number']} "
            f"of {row['source']} with {value}",
            do="check data.transactions.columns, or allow it with data.max_quarantined_share "
            f"(now {allowed})",
        )


def default_as_of(history: History, *, today: date) -> date:
    """The last complete day: the last day with a line, but not today, which is not over.

    Lines dated after today, as a fast clock makes them, do not count.

    Raises:
        DataError: There is no line before today.
    """
    now, first = to_day(today), history.span.first_day
    if first >= now:
        raise DataError(
            "no day of the history is over yet",
            saw=f"the first line on {to_date(first)}",
            do="give an --as-of, or run it again tomorrow",
        )
    last = max(day for day in history.days["day"].to_pylist() if day <= now)
    return to_date(min(last, now - 1))
