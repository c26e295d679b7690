"""Load -> which customers turned out to be one, and which id survives.

A merge is no outcome but knowledge of who is who: it holds for the whole history, also before the
day on which it was made. Only a run as of an earlier date does not know it yet, so that a date that
is filled later comes out as it was then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import Settings
from portfolio_ml.engine import Engine, Frame, Kind, Reader, distinct
from portfolio_ml.errors import DataError
from portfolio_ml.schema import CUSTOMER_MERGES
from portfolio_ml.sources import unread
from portfolio_ml.timeline import in_history, to_day
from portfolio_ml.validation import (
    EARLIEST,
    Refusing,
    Rule,
    before_1900,
    parsed,
    unreadable_date,
    validated,
    value,
)
from portfolio_ml.wording import counted

_KINDS: dict[str, Kind] = {"old_id": "text", "new_id": "text", "merged_at": "day"}


@dataclass(frozen=True, slots=True)
class Merges(Refusing):
    """The validated merges, and what became of the other rows.

    Attributes:
        frame: One row per merged id: old_id, new_id (which may be merged on), known_day (the day
            number of the merge; null where it always holds), source and row_number. No id leads
            back to itself. Computed once.
        kept: Rows kept.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        source: What the rows' source is called, for people.
    """

    frame: Frame
    kept: int
    quarantine: pa.Table
    source: str

    def known_on(self, as_of: date, engine: Engine) -> Frame:
        """Every id that was merged by a date: old_id, the new_id that survives, and how far it is.

        The survivor itself has not been merged by then; `steps` is the number of merges up to it.
        """
        day = nw.col("known_day")
        known = self.frame.filter(day.is_null() | in_history(day, to_day(as_of)))
        return _followed(known, engine, most=self.kept)

    def change_between(self, earlier: date, later: date, engine: Engine) -> bool:
        """Whether a merge is known on the later date that was not on the earlier one."""
        day = nw.col("known_day")
        is_new = in_history(day, to_day(later)) & ~in_history(day, to_day(earlier))
        return bool(_count(self.frame.filter(is_new), engine))


def load(settings: Settings, engine: Reader) -> Merges:
    """The portfolio's merges, validated row by row, none of which leads back to where it began.

    Args:
        settings: Where the merges are and what their columns are called; the section is there.
        engine: Where the rows are kept.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, too many rows break a rule, or ids are merged in a circle.
    """
    raw = unread(settings, engine, of=CUSTOMER_MERGES)
    is_dated = "merged_at" in raw.columns
    rows = parsed(raw, _KINDS, engine, of=CUSTOMER_MERGES, settings=settings)
    split = validated(
        _numbered(rows, is_dated=is_dated),
        rules(is_dated=is_dated),
        {
            "old_id": value("old_id"),
            "new_id": value("new_id"),
            "known_day": value("merged_at") if is_dated else nw.lit(None, dtype=nw.Int32),
            "source": nw.col("_source"),
            "row_number": nw.col("_row"),
        },
        engine,
        of=CUSTOMER_MERGES,
        settings=settings,
        where=raw.label,
    )
    kept = split.rows
    _demand_survivors(split.kept, engine, kept=kept, where=raw.label)
    return Merges(frame=split.kept, kept=kept, quarantine=split.quarantine, source=raw.label)


def rules(*, is_dated: bool) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    An id that was merged is gone and cannot be merged once more: of several rows for it the
    earliest counts, the first of the source where none is earlier, and the others are refused.

    Example:
        >>> [rule.name for rule in rules(is_dated=False)]
        ['old_id_missing', 'new_id_missing', 'merged_into_itself', 'duplicate_key']
    """
    repeated = Rule(
        "duplicate_key",
        "old_id",
        nw.col("_nth") > 1,
        advice="keep one row for each old_id: the merge that holds",
    )
    return (*_own_rules(is_dated=is_dated), repeated)


def numbered(ids: Frame, merged: Frame | None, engine: Reader) -> tuple[Frame, Frame]:
    """The number of each id's customer, and the customers: `customer_id` and `customer`.

    An id that was merged has the number of the one who survives, be that one among the ids or not.

    Args:
        ids: Distinct `customer_id`s.
        merged: What `Merges.known_on` gives; None where nobody is merged.
        engine: Where they are.
    """
    if merged is None:
        customers = engine.keep(engine.numbered(ids))
        return customers, customers
    named = engine.keep(with_survivor(ids, merged))
    survivors = distinct(named.select(customer_id="_survivor"))
    customers = engine.keep(engine.numbered(survivors))
    numbers = named.join(customers, left_on="_survivor", right_on="customer_id", how="inner")
    return engine.keep(numbers.select("customer_id", "customer")), customers


def with_survivor(frame: Frame, merged: Frame, column: str = "customer_id") -> Frame:
    """The frame with `_survivor`: who survives the id in a column, itself if not merged."""
    ids = merged.select(_old="old_id", _new="new_id")
    found = frame.join(ids, left_on=column, right_on="_old", how="left")
    return found.select(*frame.columns, _survivor=nw.coalesce("_new", column))


def _own_rules(*, is_dated: bool) -> Sequence[Rule]:
    """The rules that look at nothing but the row itself."""
    dated = (unreadable_date("merged_at", CUSTOMER_MERGES), before_1900("merged_at"))
    return (
        Rule("old_id_missing", "old_id", value("old_id").is_null()),
        Rule("new_id_missing", "new_id", value("new_id").is_null()),
        Rule(
            "merged_into_itself",
            "new_id",
            value("old_id") == value("new_id"),
            advice="leave out customers who were not merged, or check data.customer_merges.columns",
        ),
        *(dated if is_dated else ()),
    )


def _numbered(rows: Frame, *, is_dated: bool) -> Frame:
    """The rows with `_nth`: which of an id's merges they are, from 1, those refused apart."""
    broken = (rule.broken for rule in _own_rules(is_dated=is_dated))
    since = value("merged_at") if is_dated else nw.lit(None, dtype=nw.Int32)
    told = rows.with_columns(
        _is_broken=nw.any_horizontal(*broken, ignore_nulls=True),
        _since=since.fill_null(to_day(EARLIEST) - 1),
    )
    order = ["_since", "_source", "_row"]
    nth = nw.col("_row").cum_count().over("_old_id", "_is_broken", order_by=order)
    return told.with_columns(_nth=nth)


def _followed(merges: Frame, engine: Engine, *, most: int) -> Frame:
    """The merges with the last id that each leads to, and `steps` to it.

    Each round doubles the steps, so that as many rounds as the number of rows has bits are enough.

    Args:
        merges: One row per old_id.
        engine: Where they are followed.
        most: No fewer than there are.
    """
    rows = engine.keep(merges.select("old_id", "new_id", steps=nw.lit(1, dtype=nw.Int64)))
    for _ in range(most.bit_length()):
        if not _count(_unfinished(rows), engine):
            break
        on = rows.select(new_id="old_id", _last="new_id", _more="steps")
        rows = engine.keep(
            rows.join(on, on="new_id", how="left").select(
                "old_id",
                new_id=nw.coalesce("_last", "new_id"),
                steps=nw.col("steps") + nw.col("_more").fill_null(0),
            )
        )
    return rows


def _unfinished(rows: Frame) -> Frame:
    """Those that lead to an id that is itself merged."""
    return rows.join(rows.select(new_id="old_id"), on="new_id", how="semi")


def _demand_survivors(merges: Frame, engine: Engine, *, kept: int, where: str) -> None:
    """Refuse ids that are merged in a circle; all merges count, whenever they were made."""
    endless = _unfinished(_followed(merges, engine, most=kept))
    # What is followed for so long ends on the circle itself, not on the way to it.
    circle = distinct(endless.select(old_id="new_id"))
    rows = merges.join(circle, on="old_id", how="semi")
    if not (count := _count(rows, engine)):
        return
    first = rows.sort("source", "row_number").select("source", "row_number").head(1)
    [row] = engine.collect(first).to_pylist()
    raise DataError(
        f"{counted(count, 'customer')} were merged in a circle, so none of them survives",
        where=where,
        saw=f"such as row {row['row_number']:,} of {row['source']}, whose new_id leads back to its "
        "old_id",
        do="take one merge out of each circle",
    )


def _count(rows: Frame, engine: Engine) -> int:
    return int(engine.collect(rows.select(count=nw.len()))["count"][0].as_py())
