"""Files and Arrow tables as frames: what is read, under which number, and what is refused."""

import errno
import gc
import random
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.config import CsvFormat, DuckDB
from portfolio_ml.engine import Frame, Reading, csv_files, opened
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit


@pytest.fixture
def scan(engine, tmp_path):
    """Writes CSV files from texts and scans them; gives the rows without source and line."""

    def scan(*texts: str | bytes) -> list[dict]:
        files = [tmp_path / f"{n}.csv" for n in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        rows = engine.collect(engine.scan(files)).to_pylist()
        return [{k: v for k, v in row.items() if k not in ("_source", "_line")} for row in rows]

    return scan


@pytest.fixture
def broken(engine, tmp_path):
    """Writes a CSV file and scans it; gives the number and text of each broken line."""

    def broken(text: str | bytes, written: CsvFormat | None = None) -> list[tuple[int, str]]:
        file = tmp_path / "a.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        rows = engine.collect(engine.scan([file], written or CsvFormat()).sort("_row")).to_pylist()
        assert [row["_row"] for row in rows] == [*range(1, len(rows) + 1)]
        return [(row["_row"], row["_line"]) for row in rows if row["_line"] is not None]

    return broken


def read(engine, table: pa.Table, kind: str, *, timezone: str = "UTC") -> list:
    """The table's column `x`, read as `kind`."""
    numbered = table.append_column("_row", pa.array(range(table.num_rows), pa.int64()))
    frame = engine.from_arrow(numbered.append_column("_source", pa.nulls(table.num_rows)))
    parsed = engine.parsed(frame, [Reading("y", "x", kind)], timezone=timezone)
    return engine.collect(parsed.sort("_row"))["y"].to_pylist()


def days(engine, values: list, kind: pa.DataType | None = None, *, timezone: str = "UTC") -> list:
    return read(engine, pa.table({"x": pa.array(values, kind)}), "day", timezone=timezone)


class TestCsv:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_is_parted_by_what_parts_its_header(self, scan, delimiter):
        text = "id,value\na,1\n".replace(",", delimiter)
        assert scan(text) == [{"id": "a", "value": "1", "_row": 1}]

    def test_may_have_delimiters_within_quoted_names(self, scan):
        assert scan('"a,b,c";d\n1;2\n') == [{"a,b,c": "1", "d": "2", "_row": 1}]

    def test_is_all_text_so_that_leading_zeros_stay(self, scan):
        assert scan("id,value\n007,1.50\n") == [{"id": "007", "value": "1.50", "_row": 1}]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_may_end_its_lines_in_any_way(self, scan, end):
        rows = scan(f"id,value{end}a,1{end}b,2{end}")
        assert [(row["id"], row["_row"]) for row in rows] == [("a", 1), ("b", 2)]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("within", ["\n", "\r\n"])
    def test_numbers_rows_and_not_lines(self, scan, end, within):
        rows = scan(f'id,value{end}"a{within}x",1{end}"b""{within}{within}",2{end}c,3{end}')
        assert [(row["id"], row["_row"]) for row in rows] == [
            (f"a{within}x", 1),
            (f'b"{within}{within}', 2),
            ("c", 3),
        ]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_may_have_a_header_that_runs_over_lines(self, scan, end):
        rows = scan(f'"the\nid",value{end}a,1{end}b,2{end}')
        assert [(row["the\nid"], row["_row"]) for row in rows] == [("a", 1), ("b", 2)]

    def test_may_begin_with_a_byte_order_mark(self, scan):
        assert scan(b"\xef\xbb\xbfid,value\na,1\n") == [{"id": "a", "value": "1", "_row": 1}]

    def test_may_have_any_column_names(self, scan):
        names = ["a b", "select", "it's", "é😀", "1", "%s", "filename", " x ", "a.b", "{}"]
        [row] = scan(",".join(names) + "\n" + ",".join("0123456789") + "\n")
        assert list(row) == [*names, "_row"]
        assert list(row.values()) == [*"0123456789", 1]

    def test_may_leave_a_column_without_a_name(self, scan):
        assert scan("id,value,\na,1,\n") == [
            {"id": "a", "value": "1", "column2": None, "_row": 1},
        ]

    def test_gives_way_where_a_column_has_the_name_of_ours(self, scan):
        assert scan("id,_row,_SOURCE\na,7,x\n") == [{"id": "a", "_row": 1}]

    def test_takes_nothing_for_a_comment_or_a_missing_value(self, scan):
        rows = scan("id,value\n#a,NULL\nNA,nan\n'b',\n")
        assert [(row["id"], row["value"]) for row in rows] == [
            ("#a", "NULL"),
            ("NA", "nan"),
            ("'b'", None),
        ]

    def test_takes_no_blank_line_for_a_row(self, scan):
        assert [row["_row"] for row in scan("id,value\na,1\n\n\nb,2\n")] == [1, 2]

    def test_may_have_a_header_only(self, scan):
        assert scan("id,value\n") == []
        assert scan("id,value") == []

    def test_keeps_the_rows_in_order_on_many_threads(self, tmp_path):
        file = tmp_path / "large.csv"
        file.write_text("id,n\n" + "".join(f'"{n}\n{"x" * 90}",{n}\n' for n in range(1, 150_001)))
        with opened(DuckDB(threads=4)) as engine:
            wrong = engine.scan([file]).filter(nw.col("n") != nw.col("_row").cast(nw.String))
            assert engine.collect(wrong).num_rows == 0


class TestSeveralCsvFiles:
    def test_number_their_rows_apart(self, engine, tmp_path):
        for name, rows in (("b.csv", "c\nd\ne\n"), ("a.csv", "a\nb\n")):
            (tmp_path / name).write_text(f"id\n{rows}")
        frame = engine.scan([tmp_path / "b.csv", tmp_path / "a.csv"])
        rows = engine.collect(frame.sort("_source", "_row")).to_pylist()
        assert [(row["id"], row["_source"][-5:], row["_row"]) for row in rows] == [
            ("a", "a.csv", 1),
            ("b", "a.csv", 2),
            ("c", "b.csv", 1),
            ("d", "b.csv", 2),
            ("e", "b.csv", 3),
        ]

    def test_may_order_their_columns_differently(self, scan):
        rows = scan("id,value\na,1\n", "value,id\n2,b\n")
        assert sorted((row["id"], row["value"], row["_row"]) for row in rows) == [
            ("a", "1", 1),
            ("b", "2", 1),
        ]

    def test_may_be_parted_and_ended_differently(self, scan):
        rows = scan("id,value\na,1\n", "id;value\r\nb;2\r\n", "id,value\nc,3\n")
        assert sorted((row["id"], row["value"], row["_row"]) for row in rows) == [
            ("a", "1", 1),
            ("b", "2", 1),
            ("c", "3", 1),
        ]

    def test_may_be_without_rows(self, scan):
        assert [row["id"] for row in scan("id\n", "id\na\n", "id\n")] == ["a"]

    @pytest.mark.parametrize("other", ["id\nb\n", "id,value,extra\nb,2,x\n", "id,Value\nb,2\n"])
    def test_must_have_the_same_columns(self, scan, other):
        with pytest.raises(DataError, match=r"columns are not those of .*0\.csv \(in .*1\.csv\)"):
            scan("id,value\na,1\n", other)


class TestABrokenLine:
    def test_is_a_row_without_values_that_shows_the_line(self, engine, tmp_path):
        (tmp_path / "a.csv").write_text("id,value\na,1\nb\nc,3\n")
        table = engine.collect(engine.scan([tmp_path / "a.csv"]).sort("_row"))
        assert table.drop(["_source"]).to_pylist() == [
            {"id": "a", "value": "1", "_row": 1, "_line": None},
            {"id": None, "value": None, "_row": 2, "_line": "b"},
            {"id": "c", "value": "3", "_row": 3, "_line": None},
        ]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize(
        "line", ["b", " ", "b,2,3", ",,3", "b,2, ", '"b"x,2', 'b,"2', '"b', '"b""', '"b\nx"', '"b"']
    )
    def test_holds_too_little_too_much_or_text_outside_quotes(self, broken, line, end):
        text = f"id,value\na,1\n{line}\nc,3\n".replace("\n", end)
        assert broken(text) == [(2, line.replace("\n", end))]

    @pytest.mark.parametrize(
        "line",
        [
            "b,2,",
            'b,2,,""',
            ",",
            '"b",2',
            ' "b" ,2',
            'b,5" pipe',
            '  "b,2',
            '"b,\n""c""",2',
            "b,2\n\n",
        ],
    )
    def test_is_none_where_the_engine_finds_the_values(self, broken, line):
        assert broken(f"id,value\n{line}\nc,3\n") == []
        assert [number for number, _ in broken(f"id,value\n{line}\nc,3\nbroken\n")] == [3]

    def test_is_numbered_among_rows_that_run_over_lines(self, broken):
        text = 'id,value\n"a\n\nx",1\n\nb\n"c\n",2\nd,e,f\n'
        assert broken(text) == [(2, "b"), (4, "d,e,f")]

    def test_with_quotes_that_stay_open_takes_no_other_line_with_it(self, broken):
        rows = "a,1\n" * 1_000
        text = f'id,value\n{rows}"b,2\n{rows}c,"3"x\n{rows}"d,4\n{rows}'
        assert broken(text) == [(1_001, '"b,2'), (2_002, 'c,"3"x'), (3_003, '"d,4')]

    def test_with_quotes_that_stay_open_for_megabytes_is_one_line(self, broken):
        rows = "abcdef,123456\n" * 400_000
        assert broken(f'id,value\n{rows}"b,2\n{rows}') == [(400_001, '"b,2')]

    def test_of_a_single_column_holds_more_than_one(self, broken):
        assert broken("id\na\n\nb,c\n") == [(3, "b,c")]

    def test_may_be_all_there_is(self, broken):
        assert broken("id,value\na;1\nb;2\n") == [(1, "a;1"), (2, "b;2")]

    def test_is_shown_in_200_characters(self, broken):
        [(_, line)] = broken("id,value\n" + "é" * 201 + "\n")
        assert line == "é" * 199 + "…"

    def test_is_shown_as_far_as_it_is_text(self, broken):
        assert broken("id\nÅsa,1\n") == [(1, "Åsa,1")]
        assert broken(b"id\na" + b"b" * 40_000 + b"\0,1\n") == [(1, "a" + "b" * 198 + "…")]

    def test_is_found_in_any_format(self, broken):
        written = CsvFormat(skip_lines=1, quote="'", delimiter=";", encoding="latin-1")
        text = "Umsätze\nid;wert\n'a;b';1\nä;2;3\n".encode("latin-1")
        assert broken(text, written) == [(2, "ä;2;3")]
        assert broken('id,value\n"a,b",1\n"a,1\n', CsvFormat(quote="")) == [(1, '"a,b",1')]

    def test_leaves_a_column_of_the_files_own_with_our_names_alone(self, broken):
        assert broken("id,_line,_row\na,x,7\nb\n") == [(2, "b")]

    def test_is_numbered_in_each_of_several_files(self, engine, tmp_path):
        texts = {"a": "id,v\na,1\nb\n", "b": "v,id\n1,c\n", "c": "id,v\nd\ne,1\n\nf,1,2\n"}
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text)
        files = [tmp_path / f"{name}.csv" for name in texts]
        rows = engine.collect(engine.scan(files).sort("_source", "_row")).to_pylist()
        assert [(row["_source"][-5], row["_row"], row["id"], row["_line"]) for row in rows] == [
            ("a", 1, "a", None),
            ("a", 2, None, "b"),
            ("b", 1, "c", None),
            ("c", 1, None, "d"),
            ("c", 2, "e", None),
            ("c", 3, None, "f,1,2"),
        ]

    @pytest.mark.parametrize("compute", ["keep", "collect", "batches"])
    def test_is_found_whatever_is_made_of_the_rows(self, engine, tmp_path, compute):
        for name in ("a", "b"):
            (tmp_path / f"{name}.csv").write_text("id,v\nx,1\nbroken\ny,2\n")
        left, right = (engine.scan([tmp_path / f"{name}.csv"]) for name in ("a", "b"))
        joined = left.join(right.select("_row", other="id"), on="_row").select("id", "other")
        given = getattr(engine, compute)(joined)
        if compute == "keep":
            given = engine.collect(given)
        elif compute == "batches":
            given = pa.Table.from_batches(given)
        pairs = [("x", "x"), ("y", "y"), (None, None)]
        found = zip(given["id"].to_pylist(), given["other"].to_pylist(), strict=True)
        assert sorted(found, key=str) == sorted(pairs, key=str)

    def test_leaves_no_copy_of_a_file_without_any(self, tmp_path):
        (tmp_path / "a.csv").write_text("id,v\na,1\n")
        (tmp_path / "b.csv").write_text("id,v\na\n")
        with opened() as engine:
            engine.collect(engine.scan([tmp_path / "a.csv", tmp_path / "b.csv"]))
            assert len([*engine._folder.glob("*.csv")]) == 1

    def test_that_finds_no_room_for_a_copy_is_a_service_error(self, engine, tmp_path, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        (tmp_path / "a.csv").write_text("id,v\na\n")
        monkeypatch.setattr(csv_files, "mend", full)
        with pytest.raises(ServiceUnavailableError, match=r"No space left.*temp_directory"):
            engine.collect(engine.scan([tmp_path / "a.csv"]))


class TestACsvFileThatCannotBeRead:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "no header .*saw an empty file"),
            (b"\xef\xbb\xbf", "no header .*saw an empty file"),
            ("\nid,value\na,1\n", "no header .*saw a blank first line"),
            ("id,id\na,1\n", "column 'id' is there twice"),
            ("id,ID\na,1\n", "column 'id' is there twice"),
            (b"id,value\n\xe9,1\n", "not UTF-8.*save it as UTF-8"),
            ("id,value\na,1\n".encode("utf-16"), "not UTF-8"),
            (b"id,value\n" + b"a,1\n" * 9_000 + b"\xe9,1\n", "Invalid unicode"),
        ],
    )
    def test_is_a_data_error_that_says_why(self, scan, text, said):
        with pytest.raises(DataError, match=f"(?is){said}") as caught:
            scan(text)
        assert "0.csv" in str(caught.value)

    def test_shows_none_of_its_lines(self, scan):
        with pytest.raises(DataError) as caught:
            scan(b"id,value\n" + b"a,1\n" * 9_000 + b"ann@example.org,\xe9\n")
        assert "example.org" not in str(caught.value)

    def test_is_named_by_its_own_name_and_line_after_a_broken_line(self, scan):
        with pytest.raises(DataError, match=r"0\.csv.*Line: 9002") as caught:
            scan(b"id,value\na\n" + b"a,1\n" * 8_999 + b"a,\xe9\n")
        assert "portfolio-ml-" not in str(caught.value)

    def test_may_not_be_there(self, engine, tmp_path):
        with pytest.raises(DataError, match="No such file"):
            engine.scan([tmp_path / "none.csv"])

    @pytest.mark.parametrize("name", ["a.csv", "sales[1].csv"])
    def test_that_goes_before_it_is_read_is_no_lack_of_memory(self, engine, tmp_path, name):
        file = tmp_path / name
        file.write_text("id,value\na,1\n")
        frame = engine.scan([file])
        file.unlink()
        with pytest.raises(TryAgainLaterError, match="A file that was there is there no longer"):
            engine.collect(frame)


class TestParquet:
    def test_keeps_its_types_and_numbers_its_rows(self, engine, tmp_path):
        pq.write_table(pa.table({"id": ["007", "8"], "value": [1.5, None]}), tmp_path / "a.parquet")
        rows = engine.collect(engine.scan([tmp_path / "a.parquet"])).to_pylist()
        assert [(row["id"], row["value"], row["_row"]) for row in rows] == [
            ("007", 1.5, 1),
            ("8", None, 2),
        ]

    def test_of_several_files_numbers_each_and_takes_columns_by_name(self, engine, tmp_path):
        pq.write_table(pa.table({"id": ["a"], "value": [1]}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"value": [2, 3], "id": ["b", "c"]}), tmp_path / "b.parquet")
        frame = engine.scan([tmp_path / "a.parquet", tmp_path / "b.parquet"])
        rows = engine.collect(frame.sort("value")).to_pylist()
        assert [(row["id"], row["_row"], row["_source"][-9:]) for row in rows] == [
            ("a", 1, "a.parquet"),
            ("b", 1, "b.parquet"),
            ("c", 2, "b.parquet"),
        ]

    def test_of_several_files_keeps_leading_zeros_where_one_has_numbers(self, engine, tmp_path):
        pq.write_table(pa.table({"id": [7]}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"id": ["007"]}), tmp_path / "b.parquet")
        frame = engine.scan([tmp_path / "a.parquet", tmp_path / "b.parquet"])
        assert sorted(engine.collect(frame)["id"].to_pylist()) == ["007", "7"]

    def test_may_have_a_column_called_filename(self, engine, tmp_path):
        pq.write_table(pa.table({"filename": ["x"]}), tmp_path / "a.parquet")
        [row] = engine.collect(engine.scan([tmp_path / "a.parquet"])).to_pylist()
        assert (row["filename"], row["_source"]) == ("x", str(tmp_path / "a.parquet"))

    def test_gives_way_where_a_column_has_the_name_of_ours(self, engine, tmp_path):
        pq.write_table(pa.table({"_row": [7], "id": ["a"]}), tmp_path / "a.parquet")
        [row] = engine.collect(engine.scan([tmp_path / "a.parquet"])).to_pylist()
        assert row["_row"] == 1

    def test_with_a_name_twice_is_refused(self, engine, tmp_path):
        table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
        pq.write_table(table, tmp_path / "a.parquet")
        with pytest.raises(DataError, match="Column 'id' is there twice"):
            engine.scan([tmp_path / "a.parquet"])

    @pytest.mark.parametrize("content", [b"", b"id,value\na,1\n", b"PAR1" + b"\0" * 50 + b"PAR1"])
    def test_that_is_none_is_a_data_error(self, engine, tmp_path, content):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(DataError, match="no readable Parquet file"):
            engine.scan([tmp_path / "a.parquet"])

    def test_may_not_be_there(self, engine, tmp_path):
        with pytest.raises(DataError, match=r"cannot be read.*No such file"):
            engine.scan([tmp_path / "none.parquet"])

    def test_that_may_not_be_opened_is_not_called_damaged(self, engine, tmp_path, monkeypatch):
        pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")

        def denied(file: Path, *_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(file))

        monkeypatch.setattr(Path, "open", denied)
        with pytest.raises(DataError, match="Permission denied") as caught:
            engine.scan([tmp_path / "a.parquet"])
        assert "xport it again" not in str(caught.value)

    def test_that_is_damaged_inside_is_a_data_error_when_it_is_read(self, engine, tmp_path):
        file = tmp_path / "a.parquet"
        noise = random.Random(1)
        pq.write_table(pa.table({"x": [str(noise.random()) for _ in range(20_000)]}), file)
        content = bytearray(file.read_bytes())
        content[9_000:9_100] = bytes(100)
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot be read \(in .*a\.parquet\)"):
            engine.keep(engine.scan([file]))


@pytest.mark.parametrize("name", ["sales[1].csv", "it's.csv", "a b.csv", "sälés.csv", "{1}.csv"])
def test_a_files_name_is_taken_literally(engine, tmp_path, name):
    (tmp_path / name).write_text("id\nright\n")
    (tmp_path / "sales1.csv").write_text("id\nwrong\n")
    table = engine.collect(engine.scan([tmp_path / name]))
    assert table["id"].to_pylist() == ["right"]
    assert table["_source"].to_pylist() == [str(tmp_path / name)]


class TestADay:
    @pytest.mark.parametrize(
        "text",
        [
            "2024-03-01",
            "2024/03/01",
            "2024-3-1",
            "20240301",
            " 2024-03-01\t",
            "2024-03-01 23:59:59",
            "2024-03-01T00:00",
            "2024-03-01T12:30:00.123456",
            "2024-03-01T12:30:00Z",
            "2024-03-01 12:30:00 +0100",
            "2024-03-01 12:30:00 Europe/Berlin",
        ],
    )
    def test_is_read_from_text(self, engine, text):
        assert days(engine, [text]) == [to_day(date(2024, 3, 1))]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "soon",
            "01.03.2024",
            "2024-02-30",
            "20240230",
            "2024-03-01 25:00",
            "2024-03-01 12:00 garbage",
            "2024-03-01 12:00:00 Europe/Nowhere",
            "1709251200",
            "45352",
            "infinity",
            "-infinity",
            "epoch",
            "today",
        ],
    )
    def test_is_null_where_the_text_is_none(self, engine, text):
        assert days(engine, [text]) == [None]

    @pytest.mark.parametrize(
        ("timezone", "day"),
        [("UTC", 1), ("Europe/Berlin", 2), ("America/New_York", 1), ("Pacific/Auckland", 2)],
    )
    @pytest.mark.parametrize("form", ["2024-03-01T23:30:00Z", "2024-03-02 00:30:00 +0100"])
    def test_of_a_text_with_a_zone_is_the_day_in_the_portfolios(self, engine, form, timezone, day):
        assert days(engine, [form], timezone=timezone) == [to_day(date(2024, 3, day))]

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize(("timezone", "day"), [("UTC", 1), ("Europe/Berlin", 2)])
    def test_of_an_instant_is_the_day_in_the_portfolios_zone(self, engine, unit, timezone, day):
        instant = datetime.fromisoformat("2024-03-01T23:30:00+00:00")
        kind = pa.timestamp(unit, tz="Asia/Tokyo")
        assert days(engine, [instant], kind, timezone=timezone) == [to_day(date(2024, 3, day))]

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_of_a_local_time_is_its_own_in_every_zone(self, engine, unit):
        local = datetime.fromisoformat("2024-03-01T23:30:00")
        shown = days(engine, [local], pa.timestamp(unit), timezone="Pacific/Auckland")
        assert shown == [to_day(date(2024, 3, 1))]

    def test_follows_the_clock_change(self, engine):
        instants = ["2024-03-30T23:30:00Z", "2024-03-31T22:30:00Z"]  # from +1 to +2 hours between
        assert days(engine, instants, timezone="Europe/Berlin") == [
            to_day(date(2024, 3, 31)),
            to_day(date(2024, 4, 1)),
        ]

    def test_is_read_from_dates_and_numbers_that_look_like_them(self, engine):
        assert days(engine, [date(2024, 3, 1)]) == [to_day(date(2024, 3, 1))]
        assert days(engine, [20240301]) == [to_day(date(2024, 3, 1))]

    def test_at_the_end_of_time_is_null(self, engine):
        kind = pa.timestamp("us", tz="UTC")
        assert days(engine, [2**63 - 2], kind, timezone="Pacific/Auckland") == [None]

    def test_is_null_in_a_column_without_values(self, engine):
        assert days(engine, [None, None], pa.null()) == [None, None]


class TestANumber:
    @pytest.mark.parametrize(
        ("value", "number"),
        [
            ("1.5", 1.5),
            (" -2\xa0", -2.0),
            ("1e3", 1000.0),
            ("1,5", None),
            ("$1", None),
            ("", None),
            ("1e999", float("inf")),
            (Decimal("1.25"), 1.25),
            (7, 7.0),
            (None, None),
        ],
    )
    def test_is_read_or_null(self, engine, value, number):
        assert read(engine, pa.table({"x": [value]}), "number") == [number]


class TestANumberAsPeopleWriteIt:
    COMMA = CsvFormat(decimal=",")
    GROUPED = CsvFormat(thousands=",")

    def numbers(self, engine, text: str, written: CsvFormat) -> float | None:
        table = pa.table({"x": [text], "_row": [1], "_source": ["t"]})
        readings = [Reading("y", "x", "number")]
        frame = engine.from_arrow(table)
        parsed = engine.parsed(frame, readings, timezone="UTC", written=written)
        return engine.collect(parsed)["y"][0].as_py()

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1.234,56", 1234.56),
            ("1 234,56 €", 1234.56),
            ("1\u202f234\xa0EUR", 1234.0),
            ("R$ 1.234.567,8", 1234567.8),
            ("-€5,00", -5.0),
            ("5,00-", -5.0),
            ("(5,00)", -5.0),
            ("\u22125", -5.0),
            ("12,50 zł", 12.5),
            ("1'234,5", 1234.5),
            (",5", 0.5),
            ("1,5E+3", 1500.0),
            ("1.50", None),
            ("1.2.3", None),
            ("1,2,3", None),
            ("EUR", None),
            ("x12", None),
            ("-", None),
        ],
    )
    def test_with_a_decimal_comma(self, engine, text, number):
        assert self.numbers(engine, text, self.COMMA) == number

    @pytest.mark.parametrize(
        ("text", "number"),
        [("$1,234.56", 1234.56), ("12,34,567.5", 1234567.5), ("1234.5", 1234.5), ("1,23", None)],
    )
    def test_with_commas_between_thousands(self, engine, text, number):
        assert self.numbers(engine, text, self.GROUPED) == number


class TestADayAsPeopleWriteIt:
    @pytest.mark.parametrize(
        ("text", "date_format"),
        [
            ("01.03.2024", "%d.%m.%Y"),
            ("1.3.2024", "%d.%m.%Y"),
            ("01.03.24 23:59", "%d.%m.%y"),
            ("3/1/2024, 11:59:59 PM", "%m/%d/%Y"),
            ("1. März 2024", "%d. %b %Y"),
            ("1 mrt. 2024", "%d %B %Y"),
            ("1-MAR-2024", "%d-%b-%Y"),
            ("20240301235959", "%Y%m%d%H%M%S"),
        ],
    )
    def test_is_read_by_its_format(self, engine, text, date_format):
        written = CsvFormat(date_format=date_format)
        table = pa.table({"x": [text, "soon", "31.31.2024"], "_row": [1, 2, 3]})
        frame = engine.from_arrow(table.append_column("_source", pa.nulls(3)))
        readings = [Reading("y", "x", "day")]
        parsed = engine.parsed(frame, readings, timezone="UTC", written=written)
        read = engine.collect(parsed.sort("_row"))["y"].to_pylist()
        assert read == [to_day(date(2024, 3, 1)), None, None]


class TestACsvFileInAnotherEncoding:
    @pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "windows-1252", "windows-1250"])
    def test_is_read_under_its_own_name(self, engine, tmp_path, encoding):
        file = tmp_path / "a.csv"
        file.write_bytes("größe\nJürgen\n".encode(encoding))
        rows = engine.collect(engine.scan([file], CsvFormat(encoding=encoding))).to_pylist()
        assert rows == [{"größe": "Jürgen", "_source": str(file), "_row": 1, "_line": None}]

    def test_shows_its_own_name_beside_lines_that_are_too_long(self, engine, tmp_path):
        file = tmp_path / "a.csv"
        file.write_bytes(("id\n1\n" + "2" * 3_000_000 + "\n").encode("utf-16"))
        rows = engine.collect(engine.scan([file], CsvFormat(encoding="utf-16"))).to_pylist()
        assert [(row["id"], row["_source"]) for row in rows] == [
            ("1", str(file)),
            (None, str(file)),
        ]
        assert rows[1]["_line"].startswith("222")

    def test_may_have_lines_that_end_in_several_ways(self, engine, tmp_path):
        (tmp_path / "a.csv").write_bytes(b"id,x\na,1\nb,2\r\nc,3\rd,4")
        rows = engine.collect(engine.scan([tmp_path / "a.csv"])).to_pylist()
        assert [(row["id"], row["x"], row["_row"]) for row in rows] == [
            ("a", "1", 1),
            ("b", "2", 2),
            ("c", "3", 3),
            ("d", "4", 4),
        ]

    def test_that_is_not_what_it_was_called_is_a_data_error(self, engine, tmp_path):
        file = tmp_path / "a.csv"
        file.write_bytes(b"id\n" + b"a\n" * 9_000 + b"\x81\n")
        with pytest.raises(DataError, match="not windows-1252"):
            engine.scan([file], CsvFormat(encoding="windows-1252"))

    def test_may_have_lines_before_its_header_and_other_quotes(self, engine, tmp_path):
        (tmp_path / "a.csv").write_text("Sales\n\nid;x\n'a;b';1\n")
        written = CsvFormat(skip_lines=2, quote="'", delimiter=";")
        [row] = engine.collect(engine.scan([tmp_path / "a.csv"], written)).to_pylist()
        assert (row["id"], row["x"], row["_row"]) == ("a;b", "1", 1)

    @pytest.mark.parametrize("title", ['"Sales\n', '"S;a";"b"\n', "Sales\r\n", "Sales\r"])
    @pytest.mark.parametrize("broken", ["", "b\n"])
    def test_keeps_its_rows_below_a_title_that_ends_otherwise_or_not_in_its_quotes(
        self, engine, tmp_path, title, broken
    ):
        file = tmp_path / "a.csv"
        file.write_text(f"{title}id,x\na,1\n{broken}c,2\n", newline="")
        (tmp_path / "b.csv").write_text("Sales\nid,x\nd,3\n", newline="")
        scan = engine.scan([file, tmp_path / "b.csv"], CsvFormat(skip_lines=1))
        rows = engine.collect(scan.sort("_source", "_row"))
        assert [i for i in rows["id"].to_pylist() if i] == ["a", "c", "d"]
        assert rows["_line"].null_count == 3
        assert {*rows["_source"].to_pylist()} == {str(file), str(tmp_path / "b.csv")}

    @pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
    def test_with_a_broken_line_keeps_its_rows_below_what_stands_before_its_header(
        self, engine, tmp_path, end
    ):
        lines = ["Sales", "id,x", "a,1", "b", "c,2", ""]
        (tmp_path / "a.csv").write_text(end.join(lines), newline="")
        rows = engine.collect(engine.scan([tmp_path / "a.csv"], CsvFormat(skip_lines=1)))
        assert rows["id"].to_pylist() == ["a", None, "c"]
        assert rows["_line"].to_pylist() == [None, "b", None]


def test_a_product_of_two_columns_is_read_and_shown(engine):
    table = pa.table({"p": ["2.5", None], "q": ["-2", "1"], "_row": [1, 2], "_source": ["t", "t"]})
    readings = [Reading("n", "p", "number", times="q"), Reading("t", "p", "text", times="q")]
    parsed = engine.parsed(engine.from_arrow(table), readings, timezone="UTC")
    rows = engine.collect(parsed.sort("_row"))
    assert rows["n"].to_pylist() == [-5.0, None]
    assert rows["t"].to_pylist() == ["2.5 * -2", None]


class TestAText:
    @pytest.mark.parametrize(
        "blank", ["", " ", "\t", "\n", "\r\n", "\xa0", "\u3000", " \t\x0b\x1f"]
    )
    def test_of_blanks_is_null(self, engine, blank):
        assert read(engine, pa.table({"x": [blank]}), "text") == [None]

    @pytest.mark.parametrize("blank", [" ", "\t\n", "\xa0", "\u2028"])
    def test_has_no_blanks_around_it_and_keeps_those_within(self, engine, blank):
        shown = read(engine, pa.table({"x": [f"{blank}a{blank}b{blank}"]}), "text")
        assert shown == [f"a{blank}b"]

    def test_of_a_number_is_how_it_is_written(self, engine):
        assert read(engine, pa.table({"x": [7, -1]}), "text") == ["7", "-1"]

    def test_of_no_number_is_null(self, engine):
        assert read(engine, pa.table({"x": [7.5, float("nan")]}), "text") == ["7.5", None]

    def test_keeps_quotes_and_what_looks_like_sql(self, engine):
        assert read(engine, pa.table({"x": ["o'Brien; --"]}), "text") == ["o'Brien; --"]


def test_a_columns_name_may_hold_quotes(engine):
    table = pa.table({'the "id"': ["a"], "_row": [1], "_source": ["t"]})
    parsed = engine.parsed(
        engine.from_arrow(table), [Reading('my "id"', 'the "id"', "text")], timezone="UTC"
    )
    assert engine.collect(parsed)['my "id"'].to_pylist() == ["a"]


class TestFrames:
    def test_come_back_as_they_went_in(self, engine):
        table = pa.table({"a": [1, 2], "b": ["x", None]})
        assert engine.collect(engine.from_arrow(table)).equals(table)

    def test_that_are_kept_are_computed_once(self, engine):
        kept = engine.keep(engine.from_arrow(pa.table({"a": [1, 2]})))
        assert engine.collect(kept.filter(nw.col("a") > 1))["a"].to_pylist() == [2]

    def test_are_streamed_whole(self, engine):
        frame = engine.from_arrow(pa.table({"a": range(250_000)}))
        batches = list(engine.batches(frame))
        assert len(batches) > 1
        assert sum(batch.num_rows for batch in batches) == 250_000


class TestTheConnection:
    def setting(self, name: str, **settings) -> str:
        with opened(DuckDB(**settings)) as engine:
            query = "SELECT value FROM duckdb_settings() WHERE name = ?"
            [[value]] = engine._connection.execute(query, [name]).fetchall()
        return value

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("autoinstall_known_extensions", "false"),
            ("autoload_known_extensions", "false"),
            ("preserve_insertion_order", "true"),
            ("TimeZone", "UTC"),
        ],
    )
    def test_fetches_nothing_and_depends_on_no_machine(self, name, value):
        assert self.setting(name) == value

    def test_takes_the_configured_limits(self, tmp_path):
        assert self.setting("threads", threads=3) == "3"
        assert self.setting("memory_limit", memory_limit="1GB") == "953.6 MiB"
        spill = tmp_path / "spill"
        assert Path(self.setting("temp_directory", temp_directory=spill)).parents[1] == spill
        assert [*spill.iterdir()] == []

    @pytest.mark.parametrize("limit", ["200%", "99999999999TB"])
    def test_with_impossible_limits_is_a_config_error(self, limit):
        with (
            pytest.raises(ConfigError, match="does not start"),
            opened(DuckDB(memory_limit=limit)),
        ):
            pass

    def test_cannot_read_from_the_network(self, engine):
        with pytest.raises(duckdb.Error, match="httpfs"):
            engine._connection.read_csv("http://127.0.0.1:9/a.csv")

    def test_is_closed_at_the_end_of_the_block(self):
        with opened() as engine:
            frame = engine.from_arrow(pa.table({"a": [1]}))
        with pytest.raises(duckdb.Error):
            engine.collect(frame)

    def test_that_runs_out_of_memory_and_disk_says_what_to_do(self, tmp_path):
        spill = tmp_path / "spill"
        spill.write_text("a file where a folder should be")
        with opened(DuckDB(threads=1, memory_limit="20MB", temp_directory=spill)) as engine:
            frame = engine.from_arrow(pa.table({"a": range(200_000)})).with_columns(
                b=nw.concat_str(nw.col("a").cast(nw.String), nw.lit("x" * 500))
            )
            with pytest.raises(ServiceUnavailableError, match=r"engine\.memory_limit"):
                engine.keep(frame)

    def test_leaves_nothing_to_be_said_when_the_interpreter_ends(self, tmp_path):
        (tmp_path / "a.csv").write_text("id,value\na,1\n")
        script = f"""
from pathlib import Path
from portfolio_ml.engine import Frame, Reading, csv_files, opened
with opened() as engine:
    frame = engine.scan([Path({str(tmp_path / "a.csv")!r})])
    parsed = engine.parsed(frame, [Reading("v", "value", "number")], timezone="UTC")
    kept = engine.keep(parsed)
    print(engine.collect(kept)["v"].to_pylist(), len(list(engine.batches(kept))))
"""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-X", "dev", "-c", script],
            capture_output=True,
            check=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == ("[1.0] 1\n", "")


def test_a_date_beyond_what_times_reach_has_no_minute(engine):
    farthest = pa.table({"when": pa.array([0, 2**31 - 2], pa.date32())})
    readings = [Reading("minute", "when", "minute"), Reading("day", "when", "day")]
    read = engine.parsed(engine.listed(farthest, "dates"), readings, timezone="UTC")
    found = engine.collect(read.sort("_row"))
    assert found["minute"].to_pylist() == [None, None]
    assert found["day"].to_pylist() == [0, 2**31 - 2]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_quote_that_is_never_closed_loses_no_line_among_however_many_files(tmp_path, count):
    """DuckDB alone says nothing of it among more files than twice its threads."""
    files = [tmp_path / f"{n}.csv" for n in range(count)]
    for file in files:
        file.write_text("customer_id,amount\na,1\nb,2\n")
    files[count // 2].write_text('customer_id,amount\na,1\n"b,2\nc,3\n')
    with opened(DuckDB(threads=1)) as engine:
        rows = engine.collect(engine.scan(files).sort("_source", "_row")).to_pylist()
    broken = [row["_line"] for row in rows if row["_source"] == str(files[count // 2])]
    assert broken == [None, '"b,2', None]
    assert len(rows) == 2 * count + 1


def test_a_broken_page_of_parquet_is_told_each_time(tmp_path):
    """DuckDB notices this one by chance where it reads with more threads than one."""
    file = tmp_path / "sales.parquet"
    values = pa.array([7.0]).cast(pa.float16())
    pq.write_table(pa.table({"customer_id": values, "amount": [10.0]}), file)
    whole = file.read_bytes()
    page = whole.index(b"\x02\x00\x00\x00\x02\x01\x01\x02\x00")
    file.write_bytes(whole[: page + 7] + b"\x82" + whole[page + 8 :])
    for _ in range(5):
        with (
            opened(DuckDB(threads=1)) as engine,
            pytest.raises(DataError, match=r"(?s)cannot be read.*Corrupted file"),
        ):
            engine.keep(engine.scan([file]))


@pytest.mark.parametrize(("unit", "value"), [("ms", -(2**63) // 1000 + 1), ("us", -(2**63) + 5)])
def test_a_time_beyond_all_calendars_is_told_in_a_sentence(tmp_path, unit, value):
    far = pa.table({"when": pa.array([value], pa.int64()).cast(pa.timestamp(unit))})
    pq.write_table(far, tmp_path / "far.parquet")
    with opened(DuckDB(threads=1)) as engine:
        rows = engine.scan([tmp_path / "far.parquet"])
        read = engine.parsed(rows, [Reading("when", "when", "text")], timezone="UTC")
        with pytest.raises(DataError, match="beyond all calendars"):
            engine.collect(read)


def test_a_plan_is_gone_through_once_for_all_frames_with_the_same_columns(engine):
    gone_through = []

    def multiplied(frames: Mapping[str, Frame], times: int) -> Frame:
        gone_through.append((frames["amounts"].columns, times))
        return frames["amounts"].with_columns(nw.col("amount") * times)

    def of(times: int, table: pa.Table) -> list[dict]:
        planned = engine.planned(multiplied, {"amounts": engine.from_arrow(table)}, times)
        return engine.collect(planned.sort("amount")).to_pylist()

    assert of(2, pa.table({"amount": [1, 2]})) == [{"amount": 2}, {"amount": 4}]
    assert of(2, pa.table({"amount": [8]})) == [{"amount": 16}]
    assert of(3, pa.table({"amount": [8]})) == [{"amount": 24}]
    assert of(2, pa.table({"amount": [1.5]})) == [{"amount": 3.0}]
    assert of(2, pa.table({"amount": [1], 'a "b"': ["x"]})) == [{"amount": 2, 'a "b"': "x"}]
    plain, odd = ["amount"], ["amount", 'a "b"']
    assert gone_through == [(plain, 2), (plain, 3), (plain, 2), (odd, 2)]


def test_what_a_plan_reads_lives_as_long_as_what_is_made_of_it(engine):
    def itself(frames: Mapping[str, Frame]) -> Frame:
        return frames["amounts"]

    amounts = engine.from_arrow(pa.table({"amount": [1]}))
    narrowed = engine.planned(itself, {"amounts": amounts}).filter(nw.col("amount") > 0)
    del amounts
    gc.collect()
    assert engine.collect(narrowed).to_pylist() == [{"amount": 1}]
