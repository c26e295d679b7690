"""Whatever stands in a CSV file: every row is read, under its number, or shown as a broken line."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import transactions
from portfolio_ml.config import CsvFormat, settings_from
from portfolio_ml.engine import opened
from portfolio_ml.timeline import to_date

pytestmark = pytest.mark.property

examples = shown(40, HealthCheck.function_scoped_fixture)

COLUMNS = ("customer_id", "timestamp", "amount")
ENDS = st.sampled_from(["\n", "\r\n"])
VALUES = st.text(st.sampled_from("ab \"',;é€\n"), max_size=6)
ROWS = st.tuples(VALUES, VALUES, VALUES)
TOO_SHORT = st.lists(VALUES.filter(bool), min_size=1, max_size=2)
TOO_LONG = st.lists(VALUES.filter(bool), min_size=4, max_size=6)
OUTSIDE_QUOTES = st.sampled_from(['"a"b,1,2', 'a,"b" c,3', 'a,b,"c"d', '1,2,""x'])
NEVER_CLOSED = st.sampled_from(['"', 'a,"b', 'a,b,"c', '"a,b,c'])


def written(values, end: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end).writerow(values)
    return text.getvalue()


@st.composite
def files(draw) -> tuple[bytes, list[tuple | str]]:
    """A file and what should be read: the values of a row, or the text of a broken line."""
    end = draw(ENDS)
    parts = st.one_of(ROWS, TOO_SHORT, TOO_LONG, OUTSIDE_QUOTES, st.just(None))
    text, expected = ",".join(COLUMNS) + end, []
    for part in draw(st.lists(parts, max_size=12)):
        line = (part or "") + end if isinstance(part, str | None) else written(part, end)
        text += line
        if isinstance(part, tuple):
            expected.append(part)
        elif part is not None:
            expected.append(line.removesuffix(end))
    if draw(st.booleans()):
        expected.append(last := draw(NEVER_CLOSED))
        text += last
    return text.encode(), expected


@examples
@given(several=st.lists(files(), min_size=1, max_size=3))
def test_every_row_is_read_or_shown_as_a_broken_line_under_its_number(engine, several):
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{n}.csv" for n in range(len(several))]
        for path, (content, _) in zip(paths, several, strict=True):
            path.write_bytes(content)
        rows = engine.collect(engine.scan(paths).sort("_source", "_row")).to_pylist()
    expected = [
        (str(path), number, *row)
        for path, (_, all_rows) in zip(paths, several, strict=True)
        for number, row in enumerate(map(_as_read, all_rows), start=1)
    ]
    assert [(r["_source"], r["_row"], *(r[c] for c in (*COLUMNS, "_line"))) for r in rows] == (
        expected
    )


def _as_read(row: tuple | str) -> tuple:
    if isinstance(row, str):
        return (None, None, None, row)
    return (*(value or None for value in row), None)


@examples
@given(
    kinds=st.lists(st.sampled_from(["good", "broken", "refused"]), min_size=1, max_size=30),
    parts=st.integers(1, 3),
)
def test_a_history_has_every_row_kept_or_quarantined_under_its_number(engine, kinds, parts):
    lines = {
        "good": '"a\nb",2024-03-0{day},1\n',
        "broken": "a,2024-03-01\n",
        "refused": '"a","so\non",1\n',
    }
    rows = [*kinds, "good"]
    with TemporaryDirectory() as folder:
        for part in range(parts):
            text = "".join(lines[kind].replace("{day}", str(part + 1)) for kind in rows)
            (Path(folder) / f"{part}.csv").write_text(",".join(COLUMNS) + "\n" + text)
        source = {"transactions": {"source": folder}, "max_quarantined_share": 1.0}
        shop = settings_from({"name": "shop", "data": source})
        history = transactions.load(shop, engine, today=to_date(20_000))
    refused = [
        (f"{part}.csv", number, rule)
        for part in range(parts)
        for number, kind in enumerate(rows, start=1)
        if (rule := {"broken": "line_unreadable", "refused": "timestamp_unreadable"}.get(kind))
    ]
    found = history.quarantine.to_pylist()
    assert [(r["source"][-5:], r["row_number"], r["rule"]) for r in found] == refused
    assert history.kept + history.quarantined == len(rows) * parts


@examples
@given(
    text=st.lists(st.sampled_from(["a", ",", ",", "\n", '"', '""', " ", "é"]), max_size=25).map(
        "".join
    ),
    width=st.integers(1, 3),
)
def test_a_broken_line_more_changes_no_other_row(text, width, tmp_path):
    columns = ("x", "y", "z")[:width]
    file = tmp_path / "a.csv"
    file.write_text(",".join(columns) + "\n" + text + "\n", newline="")
    try:
        by_engine = _read_by_duckdb(file, columns)
    except duckdb.InvalidInputException:
        return
    file.write_text(",".join(columns) + "\n" + text + "\n1,2,3,4\n", newline="")
    with opened() as engine:
        rows = engine.collect(engine.scan([file], CsvFormat(delimiter=","))).to_pylist()
    assert [tuple(row[c] for c in columns) for row in rows[:-1]] == by_engine
    assert [row["_line"] for row in rows] == [None] * len(by_engine) + ["1,2,3,4"]


def _read_by_duckdb(file: Path, columns: tuple[str, ...]) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.read_csv(
            str(file),
            columns=dict.fromkeys(columns, "VARCHAR"),
            header=True,
            auto_detect=False,
            sep=",",
            quotechar='"',
            escapechar='"',
            lineterminator=duckdb.CSVLineTerminator.LINE_FEED,
        ).fetchall()
