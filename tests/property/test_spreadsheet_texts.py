"""Whatever a text is: a spreadsheet cannot run it, and every reader gets it back."""

import csv
import re
import unicodedata
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.files.csv_rows import (
    read_for_machines,
    read_for_people,
    write_for_machines,
    write_for_people,
)
from portfolio_ml.sinks.files.formulas import original, protected

pytestmark = pytest.mark.property

SIGNS = "=+-@\t\r\n＝＋－＠"
CONTRACT = Table(
    name="scores",
    grain="one customer",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("note", pa.string(), "a note", null="none"),
        Column("ltv", pa.float64(), "value", null="none"),
        Column("tier", pa.int8(), "tier", null="none"),
        Column("is_active", pa.bool_(), "truth", null="none"),
        Column("due", pa.date32(), "a date", null="none"),
    ),
)

hostile = st.lists(
    st.sampled_from(
        [*SIGNS, *" '\";,|0123456789.eE:/%\0\ufeff\u00a0\u200b\u2028\x85", "ä", "😀", "cmd", "\r\n"]
    ),
    max_size=10,
).map("".join)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
texts = hostile | any_text
rows = st.lists(
    st.fixed_dictionaries(
        {
            "customer_id": texts,
            "note": st.none() | texts,
            "ltv": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "tier": st.none() | st.integers(-128, 127),
            "is_active": st.none() | st.booleans(),
            "due": st.none() | st.dates(),
        }
    ),
    max_size=6,
)

many = shown(250)
some = shown(100)


def arrow(values: list[dict[str, object]]) -> pa.Table:
    schema = pa.schema([(column.name, column.type) for column in CONTRACT.columns])
    return pa.Table.from_pylist(values, schema=schema)


def as_csv(values: list[dict[str, object]], write=write_for_machines) -> bytes:
    file = BytesIO()
    write(arrow(values), file)
    return file.getvalue()


def one(change, text: str) -> str:
    [changed] = change(pa.array([text])).to_pylist()
    return changed


def begins_a_formula(cell: str) -> bool:
    """Independent of the code: the first sign that is no blank, quote or control character."""
    for sign in cell:
        if sign in SIGNS:
            return True
        invisible = unicodedata.category(sign) in {"Zs", "Zl", "Zp", "Cc", "Cf"}
        if not invisible and sign != '"':
            return False
    return False


@many
@given(texts)
@example("'=1")
@example("''007")
@example(";'=1")
@example("a\n\n=1")
@example(";=;-;+")
@example("\n=cmd|' /C calc'!A0")
def test_a_protected_text_is_told_back(text):
    assert one(original, one(protected, text)) == text


@many
@given(texts)
def test_a_text_that_is_read_back_without_having_been_protected_is_itself_then(text):
    """A person's edit may look like anything; it must only not be an error."""
    one(original, text)


@many
@given(texts)
@example("x;\u200b=1")
@example('" \t=1')
def test_no_cell_begins_a_formula_whatever_a_spreadsheet_splits_at(text):
    shown_text = one(protected, text)
    assert not begins_a_formula(shown_text)
    for cell in re.split(r"[;|\t\r\n]", shown_text)[1:]:
        assert not cell or not begins_a_formula(cell)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("＝1", "'＝1"),
        ('  "=1', "'  \"=1"),
        ("a;=1", "a;'=1"),
        ("00123", "'00123"),
        ("1E5", "'1E5"),
        ("3-4", "'3-4"),
        ("1234567890123456", "'1234567890123456"),
        ("123456789012345", "123456789012345"),
        ("0", "0"),
        ("12 Main Street", "12 Main Street"),
        ("O'Neill", "O'Neill"),
        ("a-b=c", "a-b=c"),
        ("", ""),
    ],
)
def test_texts_are_protected_only_where_a_spreadsheet_would_change_them(text, cell):
    assert one(protected, text) == cell


@some
@given(rows)
def test_rows_come_back_as_they_were(values):
    for write, read in (
        (write_for_people, read_for_people),
        (write_for_machines, read_for_machines),
    ):
        with TemporaryDirectory() as folder:
            file = Path(folder) / "scores.csv"
            file.write_bytes(as_csv(values, write))
            found = read(file, CONTRACT)
        assert found.equals(arrow(values))


@some
@given(rows)
def test_pythons_own_reader_gets_the_values(values):
    text = as_csv(values).decode()
    assert text.count("\n") >= len(values) + 1
    header, *found = csv.reader(StringIO(text, newline=""), strict=True)
    assert header == [*CONTRACT.names]
    assert [row[0] for row in found] == [row["customer_id"] for row in values]
    assert [row[1] for row in found] == [row["note"] or "" for row in values]
    assert [float(row[2]) if row[2] else None for row in found] == [r["ltv"] for r in values]


@some
@given(rows)
def test_pandas_gets_the_values(values):
    """Of a number, all but the last bit: its own reading of decimals is not exact."""
    found = pd.read_csv(
        BytesIO(as_csv(values)), dtype={"customer_id": str, "note": str}, keep_default_na=False,
        na_values={"ltv": "", "tier": "", "is_active": "", "due": ""},
    )  # fmt: skip
    assert found["customer_id"].tolist() == [row["customer_id"] for row in values]
    assert found["note"].tolist() == [row["note"] or "" for row in values]
    read = [None if pd.isna(value) else float(value) for value in found["ltv"]]
    assert read == pytest.approx([row["ltv"] for row in values], rel=1e-15, abs=1e-300)


@some
@given(rows)
def test_polars_gets_the_values_and_tells_none_from_an_empty_text(values):
    found = pl.read_csv(BytesIO(as_csv(values)), schema_overrides=POLARS)
    assert found["customer_id"].to_list() == [row["customer_id"] for row in values]
    assert found["note"].to_list() == [row["note"] for row in values]
    assert found["ltv"].to_list() == [row["ltv"] for row in values]


POLARS = {"customer_id": pl.String, "note": pl.String, "ltv": pl.Float64}


@some
@given(rows)
def test_duckdb_gets_the_values_and_tells_none_from_an_empty_text(values):
    with TemporaryDirectory() as folder, duckdb.connect() as opened:
        file = Path(folder) / "scores.csv"
        file.write_bytes(as_csv(values))
        found = opened.execute(
            f"SELECT customer_id, note, ltv, due FROM read_csv('{file}', header = true,"
            " allow_quoted_nulls = false, auto_detect = false, delim = ',', quote = '\"',"
            " escape = '\"', new_line = '\\r\\n', columns = {customer_id: 'VARCHAR',"
            " note: 'VARCHAR', ltv: 'DOUBLE', tier: 'TINYINT', is_active: 'BOOLEAN', due: 'DATE'})"
        ).fetchall()
    names = ("customer_id", "note", "ltv", "due")
    assert found == [tuple(row[name] for name in names) for row in values]


def test_people_get_a_mark_for_utf8_lines_that_end_with_crlf_and_numbers_as_numbers():
    row = {
        "customer_id": "00123",
        "note": "Zoë, =1",
        "ltv": -12.5,
        "tier": -1,
        "is_active": True,
        "due": date(2024, 3, 1),
    }
    assert as_csv([row, {"customer_id": "7"}], write_for_people) == (
        b"\xef\xbb\xbfcustomer_id,note,ltv,tier,is_active,due\r\n"
        b'"\'00123","Zo\xc3\xab, =1",-12.5,-1,true,2024-03-01\r\n'
        b'"7",,,,,\r\n'
    )
