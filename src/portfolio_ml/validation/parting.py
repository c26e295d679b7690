"""Rows kept and quarantined, each by the first rule it breaks; read = kept + quarantined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import Settings
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.errors import DataError, TryAgainLaterError
from portfolio_ml.schema import MONEY_SCALE, QUARANTINE, Table
from portfolio_ml.validation.reading import shown
from portfolio_ml.validation.rules import Rule
from portfolio_ml.wording import counted

_RULE = "_rule"
_MOST_PARTS = 2**62
"""What a column in whole parts may come to, so that 64-bit integers hold any sum of it."""
_LINE_UNREADABLE = Rule(
    "line_unreadable",
    "line",
    ~nw.col("_line").is_null(),
    advice="write each row on a line, with one value for each column, quoted where need be",
)


@dataclass(frozen=True, slots=True)
class Validated:
    """The rows of a table, validated.

    Attributes:
        kept: The rows that break no rule; computed once.
        quarantine: The others, as in `schema.QUARANTINE`, by source and row number; in a file
            that the table maps, so that many of them take no memory.
        read: How many there were together.
    """

    kept: Frame
    quarantine: pa.Table
    read: int

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return self.read - int(self.quarantine.num_rows)


class Refusing:
    """A loaded table, which tells how many rows were refused.

    Attributes:
        quarantine: Those rows, as in `schema.QUARANTINE`.
    """

    __slots__ = ()
    quarantine: pa.Table

    @property
    def quarantined(self) -> int:
        """Rows refused."""
        refused: int = self.quarantine.num_rows
        return refused


class TooManyRefusedError(DataError):
    """More rows break a rule than the config allows; `quarantine` holds them."""

    def __init__(self, what: str, *, quarantine: pa.Table, **more: str) -> None:
        super().__init__(what, **more)
        self.quarantine = quarantine

    def with_rows_in(self, place: str) -> "TooManyRefusedError":
        """The same error, which also says where the refused rows are."""
        do = f"look at the refused rows in {place}" + (f"; {self.do}" if self.do else "")
        return self._again(self.quarantine, do=do)

    def after(self, others: pa.Table) -> "TooManyRefusedError":
        """The same error, whose quarantine holds the refused rows of other tables before it."""
        return self._again(pa.concat_tables([others, self.quarantine]), do=self.do)

    def _again(self, quarantine: pa.Table, *, do: str | None) -> "TooManyRefusedError":
        more = {"where": self.where, "saw": self.saw, "do": do}
        given = {name: text for name, text in more.items() if text is not None}
        return TooManyRefusedError(self.what, quarantine=quarantine, **given)


def validated(
    rows: Frame,
    rules: Sequence[Rule],
    columns: Mapping[str, nw.Expr],
    engine: Engine,
    *,
    of: Table,
    settings: Settings,
    where: str,
) -> Validated:
    """The rows, kept or quarantined.

    Args:
        rows: What `parsed` gave.
        rules: What a row must not be, in the order in which the rules are tried.
        columns: What is kept of a row, by name.
        engine: Where the kept rows are held, once; the refused ones are read a second time.
        of: Which table it is.
        settings: The share of rows that may be refused.
        where: What the source is called.

    Raises:
        DataError: There is not a single row, and the table may not be empty.
        TooManyRefusedError: More rows than allowed break a rule.
        TryAgainLaterError: The rows changed between the first reading and the second.
    """
    if "_line" in rows.collect_schema().names():
        rules = (_LINE_UNREADABLE, *rules)
    judged = rows.with_columns(_first_broken(rules).alias(_RULE))
    held = engine.keep(judged.select(_RULE, **columns))
    counts = {"read": nw.len(), "refused": nw.col(_RULE).count()}
    counted_rows = {name: count.cast(nw.Int64) for name, count in counts.items()}
    [sums] = engine.collect(held.select(**counted_rows, **_totals(held))).to_pylist()
    read, refused = sums.pop("read"), sums.pop("refused")
    quarantine = QUARANTINE.arrow.empty_table()
    if refused:
        quarantine = _quarantine(judged, rules, engine)
        _demand_same(quarantine, refused, where=where)
        held = held.filter(nw.col(_RULE).is_null())
    split = Validated(held.select(*columns), quarantine, read)
    _check_share(split, rules, of=of, settings=settings, where=where)
    _demand_countable(sums, where=where)
    return split


def _totals(held: Frame) -> dict[str, nw.Expr]:
    """What each column in whole parts, the only 64-bit integers, comes to, signs aside."""
    schema = held.collect_schema()
    parts = [name for name, dtype in schema.items() if name != _RULE and dtype == nw.Int64]
    size = {name: nw.col(name).cast(nw.Float64).abs() for name in parts}
    return {name: nw.when(nw.col(_RULE).is_null()).then(size[name]).sum() for name in parts}


def _demand_countable(totals: Mapping[str, float | None], *, where: str) -> None:
    """Refuse numbers of which 64-bit integers could not hold a sum."""
    for name, total in totals.items():
        if total is not None and total > _MOST_PARTS:
            raise DataError(
                f"the column {name} comes to more than can be added up exactly",
                where=where,
                saw=f"{total / MONEY_SCALE:,.0f} in all, where at most "
                f"{_MOST_PARTS / MONEY_SCALE:,.0f} can be",
                do="give it in a larger unit, such as thousands",
            )


def _first_broken(rules: Sequence[Rule]) -> nw.Expr:
    """The number of the first rule that a row breaks; null where there is none."""
    number = nw.lit(None, dtype=nw.Int8)
    for n in reversed(range(len(rules))):
        number = nw.when(rules[n].broken).then(nw.lit(n, dtype=nw.Int8)).otherwise(number)
    return number


def _quarantine(judged: Frame, rules: Sequence[Rule], engine: Engine) -> pa.Table:
    name, column, text = (nw.lit(None, dtype=nw.String) for _ in range(3))
    for n, rule in enumerate(rules):
        breaks = nw.col(_RULE) == n
        name = nw.when(breaks).then(nw.lit(rule.name)).otherwise(name)
        column = nw.when(breaks).then(nw.lit(rule.column)).otherwise(column)
        text = nw.when(breaks).then(shown(rule.column)).otherwise(text)
    refused = judged.filter(~nw.col(_RULE).is_null()).select(
        nw.col("_source").alias("source"),
        nw.col("_row").alias("row_number"),
        name.alias("rule"),
        column.alias("column"),
        text.alias("value"),
    )
    return engine.stored(refused.sort("source", "row_number"), QUARANTINE.arrow)


def _demand_same(quarantine: pa.Table, refused: int, *, where: str) -> None:
    """Refuse what changed while it was read: read = kept + quarantined, always."""
    if quarantine.num_rows != refused:
        raise TryAgainLaterError(
            "the rows changed while they were read",
            where=where,
            saw=f"{quarantine.num_rows:,} refused rows where there were {refused:,} before",
            do="run it again once nothing writes there",
        )


def _check_share(
    split: Validated, rules: Sequence[Rule], *, of: Table, settings: Settings, where: str
) -> None:
    quarantine, read = split.quarantine, split.read
    refused, allowed = quarantine.num_rows, settings.data.max_quarantined_share
    if read == 0 and of.may_be_empty:
        return
    if read == 0:
        raise DataError(
            "there is not a single row",
            where=where,
            saw="a header only" if where.casefold().endswith(".csv") else "columns without rows",
            do="check the export, or the query behind it",
        )
    if refused < read and refused / read <= allowed:
        return
    counts = quarantine["rule"].value_counts().to_pylist()
    worst = max(counts, key=lambda count: count["counts"])
    advice = next(rule.advice for rule in rules if rule.name == worst["values"])
    row = quarantine.slice(quarantine["rule"].index(worst["values"]).as_py(), 1).to_pylist()[0]
    told = "no value" if row["value"] is None else repr(row["value"])
    such = f"such as row {row['row_number']} of {row['source']}"  # a whole line is no message
    is_some_left = refused < read
    share = "more than the allowed share" if is_some_left else "so none is left"
    raise TooManyRefusedError(
        f"{refused:,} of {counted(read, 'row')} broke a rule, {share}",
        where=where,
        saw=f"{worst['counts']:,} x {worst['values']}, {such}"
        + ("" if row["column"] == "line" else f" with {told}"),
        do=(advice or f"check data.{of.name}.columns")
        + (f", or allow it with data.max_quarantined_share (now {allowed})" * is_some_left),
        quarantine=quarantine,
    )
