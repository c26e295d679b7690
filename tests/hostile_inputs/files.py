"""Files that are not what their names say, are not there, or lie where nobody looks."""

import gzip
import io
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.hostile_inputs.case import GOOD, read, told
from tests.laid_out import HEADER, csv

SALES = csv(GOOD)


def _source(name: str) -> dict[str, Any]:
    return {"config": {"data.transactions.source": name}}


def _link_to(target: str) -> Any:
    return lambda path: path.symlink_to(target)


def _zip(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, SALES)
    return buffer.getvalue()


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"customer_id": ["a"]}), buffer)
    return buffer.getvalue()


def _sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sales (customer_id)")
        connection.commit()


def _loop(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.csv").write_text(SALES)
    (folder / "again").symlink_to(folder)


CASES = [
    told("a gzip file called .csv", 65, "no CSV file", "gzip", csv=gzip.compress(SALES.encode())),
    told("a gzip file, cut off", 65, "no CSV file", "gzip",
         csv=gzip.compress(SALES.encode() * 99)[:40]),
    told("a zip file called .csv", 65, "no CSV file", "zip", csv=_zip("sales.csv")),
    told("an Excel workbook called .csv", 65, "no CSV file", "zip", "workbook",
         csv=_zip("xl/workbook.xml")),
    told("an old Excel workbook called .csv", 65, "no CSV file", "workbook",
         csv=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    told("a Parquet file called .csv", 65, "no CSV file", "Parquet", csv=_parquet()),
    told("a PDF called .csv", 65, "no CSV file", "PDF", csv=b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    told("a database called .csv", 65, "no CSV file", "SQLite", csv=_sqlite),
    told("a zstd file called .csv", 65, "no CSV file", "zstd", csv=b"\x28\xb5\x2f\xfd\x04\x00"),
    told("a bzip2 file called .csv", 65, "no CSV file", "bzip2", csv=b"BZh91AY&SY" + bytes(9)),
    told("an xz file called .csv", 65, "no CSV file", "xz", csv=b"\xfd7zXZ\x00" + bytes(9)),
    told("a gzip file by its name", 2, "saw .gz", "unpack",
         files={"sales.csv.gz": gzip.compress(SALES.encode())}, **_source("sales.csv.gz")),
    told("a login page called .csv", 65, "column 'customer_id' is missing", "<!DOCTYPE html>",
         csv="<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"),
    told("JSON called .csv", 65, "column 'customer_id' is missing",
         csv='[{"customer_id": "a",\n "timestamp": "2024-03-01"}]'),
    told("a CSV file called .parquet", 65, "no readable Parquet file", parquet=SALES),
    told("an empty file called .parquet", 65, "no readable Parquet file", "an empty file",
         parquet=b""),
    told("one byte", 65, "column 'customer_id' is missing", csv="x"),
    told("nothing but a byte-order mark", 65, "there is no header", csv=b"\xef\xbb\xbf"),
    told("nothing but line ends", 65, "there is no header", "blank first line", csv="\n" * 5_000),
    told("nothing but NULs", 65, "NUL", csv=bytes(5_000)),
    told("a header of 2 MB", 65, "longer than 1,000,000", csv="x" * 2_000_000 + "\na"),
    told("a header of 3 MB in quotes", 65, "header", csv='"' + "x\n" * 1_500_000),
    told("a header without an end", 65, "not a single row", csv=HEADER),
    read("no line end at the end", 2, csv=f"{HEADER}\n{GOOD}\n{GOOD}"),
    told("a link to itself", 2, "no such file", files={"sales.csv": _link_to("sales.csv")}),
    told("a link to nothing", 2, "no such file", files={"sales.csv": _link_to("nowhere")}),
    told("a link to a device", 2, "no plain file", files={"sales.csv": _link_to("/dev/zero")}),
    told("a pipe", 2, "no plain file", files={"sales.csv": os.mkfifo}),
    read("a folder that leads back to itself", 1, files={"d": _loop}, **_source("d")),
    told("a folder of a pipe", 2, "folder without .csv", files={"d/a.csv": os.mkfifo},
         **_source("d")),
    told("a folder of what is hidden", 2, "folder without .csv",
         files={"d/.a.csv": SALES, "d/_b.csv": SALES, "d/.git/c.csv": SALES}, **_source("d")),
    read("a folder called .csv", 1, files={"sales.csv/a.csv": SALES}),
    read("a suffix in capitals", 1, files={"SALES.CSV": SALES}, **_source("SALES.CSV")),
    read("a name with a pattern's signs", 1, files={"s[1]*.csv": SALES}, **_source("s[1]*.csv")),
    read("a name with quotes", 1, files={"o'br\"ien.csv": SALES}, **_source("o'br\"ien.csv")),
    read("a name with a line end", 1, files={"a\nb.csv": SALES}, **_source("a\nb.csv")),
    read("a name of emoji and blanks", 1, files={"ümsatz 📈 .csv": SALES},
         **_source("ümsatz 📈 .csv")),
    read("a broken file whose name has quotes", 1, {"line_unreadable": 1},
         files={"o'b.csv": csv(GOOD, "b" * 3_000_000 + ",2024-03-01,10")}, **_source("o'b.csv")),
    told("a text of another encoding in a name with quotes", 65, "not UTF-8",
         files={"o'b.csv": csv(*[GOOD] * 3_000, "M\xfc,2024-03-01,10").encode("cp1252")},
         **_source("o'b.csv")),
    told("a name of 300 characters", 2, "File name too long", **_source("x" * 300 + ".csv")),
    told("a name with a NUL", 2, "a NUL", **_source("a\0b.csv")),
    told("a pattern that climbs out", 2, "no file that matches", **_source("../*/no-such-*.csv")),
    told("a pattern of stars", 2, "the path cannot be followed", **_source("a**b/*.csv")),
    told("a home directory", 2, "no such file", **_source("~/sales.csv")),
    told("an address on the web", 2, "database", **_source("https://example.com/sales.csv")),
    told("a place in the cloud", 2, "database", **_source("s3://bucket/sales.csv")),
    read("one file under two names", 2, files={"d/a.csv": SALES, "d/b.csv": _link_to("a.csv")},
         **_source("d")),
    read("a header in one file, rows in another", 1,
         files={"d/a.csv": HEADER, "d/b.csv": SALES}, **_source("d")),
    told("an empty file among others", 65, "there is no header", "b.csv",
         files={"d/a.csv": SALES, "d/b.csv": ""}, **_source("d")),
    read("columns in another order in another file", 2, days=("2024-03-05", "2024-03-05"),
         files={"d/a.csv": SALES, "d/b.csv": "amount,customer_id,timestamp\n5,b,2024-03-05\n"},
         total=15.0, customers=("b", "good"), **_source("d")),
    read("another delimiter in another file", 2,
         files={"d/a.csv": SALES, "d/b.csv": SALES.replace(",", ";")}, **_source("d")),
    read("folders that tell a column in capitals", 1,
         files={"d/Year=2024/a.csv": SALES}, **_source("d")),
]  # fmt: skip
