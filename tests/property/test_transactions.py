"""Whatever is in the rows: each is kept or quarantined, as a loop over them would decide."""

import csv
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import transactions
from portfolio_ml.config import settings_from
from portfolio_ml.engine import Reading
from portfolio_ml.errors import DataError
from portfolio_ml.freshness import default_as_of
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.timeline import to_day
from portfolio_ml.transactions import History

pytestmark = pytest.mark.property

TODAY = date(2024, 3, 10)
HEADER = ("customer_id", "timestamp", "amount")

examples = shown(12, HealthCheck.function_scoped_fixture)
few_examples = shown(6, HealthCheck.function_scoped_fixture)


class Row(NamedTuple):
    """A raw row, all text, as a CSV file has it."""

    customer_id: str
    timestamp: str
    amount: str


# What a text says: the day, or the rule that it breaks.
MOMENTS = {
    "2024-03-01": date(2024, 3, 1),
    "20240229": date(2024, 2, 29),
    " 2023-12-31 ": date(2023, 12, 31),
    "2023-12-31 23:59:59.999": date(2023, 12, 31),
    "2023-12-31T23:30:00Z": date(2024, 1, 1),  # in Berlin
    "2024-01-01 00:30:00+02:00": date(2023, 12, 31),
    "1900-01-01": date(1900, 1, 1),
    "2024-03-11": date(2024, 3, 11),
    "": "timestamp_missing",
    "\t ": "timestamp_missing",
    "yesterday": "timestamp_unreadable",
    "31.12.2023": "timestamp_unreadable",
    "2023-02-29": "timestamp_unreadable",
    "infinity": "timestamp_unreadable",
    "1899-12-31": "timestamp_before_1900",
    "0001-01-01": "timestamp_before_1900",
    "2024-03-12": "timestamp_in_the_future",
    "9999-12-31": "timestamp_in_the_future",
}
AMOUNTS = {
    "10": 100_000,
    "-0.00": 0,
    "19.99": 199_900,
    " -5.5 ": -55_000,
    "1e3": 10_000_000,
    "1000000000000": 10**16,
    "": "amount_missing",
    "\xa0": "amount_missing",
    "1,5": "amount_unreadable",
    "ten": "amount_unreadable",
    "nan": "amount_unreadable",
    "inf": "amount_out_of_range",
    "-Infinity": "amount_out_of_range",
    "1e999": "amount_out_of_range",
    "-1000000000001": "amount_out_of_range",
}

ids = st.one_of(
    st.sampled_from(("a", "007", "7", "", " ", "\n", "o'Brien; --", '"', "nan", "NULL", "#1")),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=5),
)
rows = st.builds(Row, ids, st.sampled_from(tuple(MOMENTS)), st.sampled_from(tuple(AMOUNTS)))
tables = st.lists(rows, min_size=1, max_size=40)


def judged(row: Row) -> str | tuple[str, int, int]:
    """The line that a row becomes, or the rule that it breaks."""
    customer = row.customer_id.strip()
    moment, amount = MOMENTS[row.timestamp], AMOUNTS[row.amount]
    if not customer:
        return "customer_id_missing"
    if isinstance(moment, str):
        return moment
    return amount if isinstance(amount, str) else (customer, to_day(moment), amount)


@pytest.fixture
def load(engine, tmp_path):
    """Loads rows through a file of the given kind."""

    def load(table: list[Row], kind: str = "csv", *, parts: int = 1) -> History:
        for old in tmp_path.glob(f"*.{kind}"):
            old.unlink()
        size = -(-len(table) // parts)
        for n in range(parts):
            write(table[n * size : (n + 1) * size], tmp_path / f"{n}.{kind}")
        values = {
            "name": "shop",
            "timezone": "Europe/Berlin",
            "data": {"transactions": {"source": f"*.{kind}"}, "max_quarantined_share": 1},
        }
        return transactions.load(settings_from(values, base=tmp_path), engine, today=TODAY)

    return load


def write(table: list[Row], file) -> None:
    """Writes rows as CSV or Parquet, by the file's suffix."""
    if file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows([HEADER, *table])
    else:
        columns = list(zip(*table, strict=True)) or [()] * 3
        arrays = [pa.array(column, pa.string()) for column in columns]
        pq.write_table(pa.table(dict(zip(HEADER, arrays, strict=True))), file)


def lines(history: History, engine) -> Counter:
    """How often each line is there."""
    return Counter(
        (row["customer_id"], row["day"], row["amount"])
        for row in engine.collect(history.lines).to_pylist()
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@examples
@given(table=tables, parts=st.integers(1, 3))
def test_every_row_is_kept_or_quarantined_under_the_rule_that_it_breaks(
    load, engine, kind, table, parts
):
    verdicts = [judged(row) for row in table]
    kept = [verdict for verdict in verdicts if isinstance(verdict, tuple)]
    if not kept:
        with pytest.raises(DataError, match="none is left"):
            load(table, kind, parts=parts)
        return
    history = load(table, kind, parts=parts)
    assert history.kept + history.quarantined == len(table)
    assert lines(history, engine) == Counter(kept)
    size = -(-len(table) // parts)
    assert [
        (int(row["source"].split("/")[-1][0]), row["row_number"], row["rule"])
        for row in history.quarantine.to_pylist()
    ] == [
        (n // size, n % size + 1, verdict)
        for n, verdict in enumerate(verdicts)
        if isinstance(verdict, str)
    ]


@few_examples
@given(table=tables)
def test_csv_and_parquet_give_the_same_history(load, engine, table):
    assume(any(isinstance(judged(row), tuple) for row in table))
    text, typed = load(table, "csv"), load(table, "parquet")
    assert lines(text, engine) == lines(typed, engine)
    assert text.digest == typed.digest
    shown = ("row_number", "rule", "column", "value")
    assert text.quarantine.select(shown) == typed.quarantine.select(shown)


good_rows = st.builds(
    lambda customer, age, amount: Row(customer, str(TODAY - timedelta(age)), str(amount)),
    st.sampled_from("abc"),
    st.integers(0, 30),
    st.integers(-100, 100),
)


@few_examples
@given(table=st.lists(good_rows, min_size=1, max_size=20), age=st.integers(0, 30))
def test_rows_after_the_as_of_day_change_nothing(load, engine, table, age):
    as_of = TODAY - timedelta(age)
    known = [row for row in table if row.timestamp <= str(as_of)]
    assume(known and any(row.timestamp >= str(as_of) for row in table))
    until, alone = load(table).until(as_of, engine), load(known)
    assert lines(until, engine) == lines(alone, engine)
    assert (until.days, until.digest, until.span) == (alone.days, alone.digest, alone.span)


@few_examples
@given(
    table=st.lists(good_rows, min_size=1, max_size=10),
    ahead=st.lists(st.integers(1, 1_000), min_size=1, max_size=3),
)
def test_rows_from_the_future_do_not_move_the_default_as_of(load, table, ahead):
    assume(any(row.timestamp < str(TODAY) for row in table))
    future = [Row("z", str(TODAY + timedelta(days)), "1") for days in ahead]
    as_of = default_as_of(load(table), today=TODAY)
    assert default_as_of(load(table + future), today=TODAY) == as_of
    assert as_of < TODAY


@few_examples
@given(st.lists(st.decimals(-(10**9), 10**9, places=6), min_size=1, max_size=40))
def test_money_is_off_by_half_a_ten_thousandth_at_most(load, engine, amounts):
    table = [Row(str(n), "2024-03-01", f"{amount:f}") for n, amount in enumerate(amounts)]
    held = {customer: amount for customer, _, amount in lines(load(table), engine)}
    for n, amount in enumerate(amounts):
        off = abs(Fraction(held[str(n)]) - Fraction(amount) * MONEY_SCALE)
        assert off <= Fraction(1, 2) + Fraction(1, 1_000)


@examples
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1))
def test_ids_lose_the_blanks_around_them_and_nothing_else(engine, texts):
    count = len(texts)
    table = pa.table({"x": texts, "_row": range(count), "_source": [""] * count})
    parsed = engine.parsed(engine.from_arrow(table), [Reading("y", "x", "text")], timezone="UTC")
    read = engine.collect(parsed.sort("_row"))["y"].to_pylist()
    assert read == [text.strip() or None for text in texts]
