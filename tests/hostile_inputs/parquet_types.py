"""Parquet files of odd types, of several kinds, and broken ones."""

import io
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.hostile_inputs.case import GOOD, read, told
from tests.laid_out import HEADER, csv

DAY = date(2024, 3, 5)
MOMENT = datetime(2024, 3, 5, 12, tzinfo=UTC).replace(tzinfo=None)
FOLDER = {"data.transactions.source": "d"}


def table(**columns: Any) -> pa.Table:
    """One good row, some of whose columns are others."""
    good = {"customer_id": ["a"], "timestamp": ["2024-03-05"], "amount": [10.0]}
    given = {name: columns.get(name, values) for name, values in good.items()} | columns
    most = max(len(values) for values in given.values())
    return pa.table({n: v if len(v) == most else v * most for n, v in given.items()})


def _of(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)


def _bytes(rows: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, **options)
    return buffer.getvalue()


def _written(rows: pa.Table, **options: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(rows, path, **options)


def _named_twice(path: Path) -> None:
    rows = pa.table([[1], ["2024-03-05"], [1.0], [2.0]], names=[*HEADER.split(","), "amount"])
    pq.write_table(rows, path)


def _with_wrong_statistics() -> bytes:
    """The only id is empty, where the footer says that all lie between `a` and `a`."""
    return _bytes(table(), compression="none").replace(b"\1\0\0\0a", b"\0\0\0\0a", 1)


WHOLE = _bytes(table())
FOOTER = struct.unpack("<I", WHOLE[-8:-4])[0]

BROKEN = [
    told("Parquet without its end", 65, "no readable Parquet file", parquet=WHOLE[:-1]),
    told("Parquet cut in the middle", 65, "no readable Parquet file",
         parquet=WHOLE[: len(WHOLE) // 2]),
    read("Parquet with another beginning", 1, parquet=b"PAR9" + WHOLE[4:]),
    told("Parquet with a footer of 4 GB", 65, "no readable Parquet file",
         parquet=WHOLE[:-8] + struct.pack("<I", 2**32 - 1) + b"PAR1"),
    told("Parquet with a footer of nothing", 65, "no readable Parquet file",
         parquet=WHOLE[:-8] + struct.pack("<I", 0) + b"PAR1"),
    told("Parquet with a footer of noise", 65, "no readable Parquet file",
         parquet=WHOLE[: -8 - FOOTER] + bytes(range(256)) * (FOOTER // 256 + 1) + WHOLE[-8:]),
    told("Parquet with pages of noise", 65, "cannot be read",
         parquet=WHOLE[:4] + b"\xff" * 90 + WHOLE[94:]),
    told("Parquet with statistics of other values", 65, "tells wrongly", "contradict",
         parquet=_with_wrong_statistics()),
    told("Parquet with a name that is no UTF-8", 65, "no readable Parquet file",
         parquet=WHOLE.replace(b"amount", b"amoun\xff")),
    told("Parquet that is encrypted", 65, "no readable Parquet file",
         parquet=b"PARE" + WHOLE[4:-4] + b"PARE"),
    told("Parquet of no columns", 65, "the file has no columns",
         parquet=pa.table({})),
    told("Parquet of no rows", 65, "not a single row", parquet=table().slice(0, 0)),
    told("an Arrow file called .parquet", 65, "no readable Parquet file",
         parquet=b"ARROW1\0\0" + bytes(99)),
    told("Parquet of one name twice", 65, "'amount' is there twice", parquet=_named_twice),
]  # fmt: skip

TYPES = [
    told("ids that are lists", 65, "column 'customer_id'", "list",
         parquet=table(customer_id=[["a", "b"]])),
    told("ids that are structs", 65, "column 'customer_id'", "struct",
         parquet=table(customer_id=[{"id": "a"}])),
    told("ids that are maps", 65, "column 'customer_id'", "map",
         parquet=table(customer_id=_of([[("id", "a")]], pa.map_("string", "string")))),
    told("amounts that are lists", 65, "column 'amount'", "list", parquet=table(amount=[[1.0]])),
    told("amounts that are structs", 65, "column 'amount'", "struct",
         parquet=table(amount=[{"value": 1.0, "currency": "EUR"}])),
    told("dates that are structs", 65, "column 'timestamp'", "struct",
         parquet=table(timestamp=[{"year": 2024}])),
    read("nested columns that nobody asks for", 1,
         parquet=table(tags=[["x"]], address=[{"city": "x"}],
                       more=_of([[("a", 1)]], pa.map_("string", "int64")))),
    read("ids of large strings", 1, customers=("a",),
         parquet=table(customer_id=_of(["a"], pa.large_string()))),
    read("ids of a dictionary", 1, customers=("a",),
         parquet=table(customer_id=pa.array(["a"]).dictionary_encode())),
    read("ids of bytes that are text", 1, customers=("a",),
         parquet=table(customer_id=_of([b"a"], pa.binary()))),
    read("ids of bytes that are no text", 1, customers=(r"\xFF\x00",),
         parquet=table(customer_id=_of([b"\xff\x00"], pa.binary()))),
    read("ids of a fixed number of bytes", 1, customers=("abcd",),
         parquet=table(customer_id=_of([b"abcd"], pa.binary(4)))),
    read("ids of 64 bits", 2, customers=("-1", "18446744073709551615"),
         files={"d/a.parquet": table(customer_id=_of([2**64 - 1], pa.uint64())),
                "d/b.parquet": table(customer_id=_of([-1], pa.int64()))}, config=FOLDER),
    read("ids of fractions", 2, {"customer_id_missing": 1}, customers=("1", "1.5"),
         parquet=table(customer_id=[1.0, 1.5, float("nan")])),
    read("ids beyond what a double holds", 2,
         parquet=table(customer_id=[float(2**53), float(2**53 + 2)])),
    read("ids of half precision", 1, customers=("7",),
         parquet=table(customer_id=_of([np.float16(7)], pa.float16()))),
    read("ids that are true and false", 2, customers=("false", "true"),
         parquet=table(customer_id=[True, False])),
    read("ids that are days", 1, customers=("2024-03-05",), parquet=table(customer_id=[DAY])),
    read("ids of decimals", 1, customers=("7",), parquet=table(customer_id=[Decimal(7)])),
    told("ids of the type of nothing", 65, "customer_id_missing",
         parquet=table(customer_id=_of([None], pa.null()))),
    told("amounts of the type of nothing", 65, "amount_missing",
         parquet=table(amount=_of([None], pa.null()))),
    told("dates of the type of nothing", 65, "timestamp_missing",
         parquet=table(timestamp=_of([None], pa.null()))),
    read("amounts of decimals", 1, total=1.2346,
         parquet=table(amount=[Decimal("1.23456")])),
    read("amounts of decimals of 38 digits", 1, {"amount_out_of_range": 1},
         parquet=table(amount=_of([Decimal(10) ** 27, Decimal(1)], pa.decimal128(38, 10)))),
    read("amounts of decimals of 76 digits", 1, total=1.0,
         parquet=table(amount=_of([Decimal(1)], pa.decimal256(76, 2)))),
    read("decimals of 76 digits that nobody asks for", 1,
         parquet=table(other=_of([Decimal(1)], pa.decimal256(76, 2)))),
    read("amounts of whole numbers", 1, {"amount_out_of_range": 1},
         parquet=table(amount=_of([2**64 - 1, 5], pa.uint64())), total=5.0),
    read("amounts of half precision", 1, total=1.5,
         parquet=table(amount=_of([np.float16(1.5)], pa.float16()))),
    read("amounts that are no numbers", 1,
         {"amount_missing": 1, "amount_out_of_range": 2},
         parquet=table(amount=[float("nan"), float("inf"), float("-inf"), 1.0])),
    read("amounts that are text", 1, {"amount_unreadable": 1}, total=2.5,
         parquet=table(amount=["2.5", "2,5"])),
    told("amounts that are true and false", 65, "column 'amount'", "bool",
         parquet=table(amount=[True])),
    told("amounts that are days", 65, "column 'amount'", "date", parquet=table(amount=[DAY])),
    told("amounts that are bytes", 65, "column 'amount'", "b",
         parquet=table(amount=_of([b"\x01"], pa.binary()))),
    *(
        read(f"moments in {unit}{zone and ' of a zone'}", 1, days=("2024-03-05", "2024-03-05"),
             parquet=table(timestamp=_of([MOMENT], pa.timestamp(unit, zone or None))))
        for unit in ("s", "ms", "us", "ns")
        for zone in ("", "Asia/Tokyo")
    ),
    read("moments of the oldest kind", 1, days=("2024-03-05", "2024-03-05"),
         parquet=_written(table(timestamp=[MOMENT]), use_deprecated_int96_timestamps=True)),
    read("moments in a zone that nobody knows", 1,
         parquet=table(timestamp=_of([MOMENT], pa.timestamp("us", "+14:00")))),
    read("days in 64 bits", 1, parquet=table(timestamp=_of([DAY], pa.date64()))),
    told("times of day as dates", 65, "column 'timestamp'", "time",
         parquet=table(timestamp=_of([1_000], pa.time64("us")))),
    told("milliseconds of a day as dates", 65, "column 'timestamp'", "time",
         parquet=table(timestamp=_of([1_000], pa.time32("ms")))),
    told("durations as dates", 65, "timestamp_unreadable", "'86400000000'",
         parquet=table(timestamp=_of([timedelta(1)], pa.duration("us")))),
    told("whole numbers as dates", 65, "timestamp_unreadable", "'1709640000'",
         parquet=table(timestamp=[1_709_640_000])),
    read("days written as numbers", 1, days=("2024-03-05", "2024-03-05"),
         parquet=table(timestamp=[20240305])),
    told("fractions as dates", 65, "timestamp_unreadable", parquet=table(timestamp=[45352.5])),
    read("the first and the last moment of 64 bits", 1,
         {"timestamp_before_1900": 1, "timestamp_in_the_future": 1},
         parquet=table(timestamp=_of([-(2**62), 2**62, 1_709_640_000_000_000],
                                     pa.timestamp("us")))),
    read("nanoseconds of the first and the last day", 1,
         {"timestamp_before_1900": 1, "timestamp_in_the_future": 1},
         parquet=table(timestamp=_of([-(2**63) + 2, 2**63 - 2, 1_709_640_000 * 10**9],
                                     pa.timestamp("ns")))),
    read("days of the first and the last year", 1,
         {"timestamp_before_1900": 1, "timestamp_in_the_future": 1},
         parquet=table(timestamp=[date(1, 1, 1), date(9999, 12, 31), DAY])),
]  # fmt: skip

SEVERAL = [
    read("ids of numbers in one file, of text in another", 3, customers=("007", "7"), config=FOLDER,
         files={"d/a.parquet": table(customer_id=[7]),
                "d/b.parquet": table(customer_id=["007", "7"])}),
    read("ids of fractions in one file, of whole numbers in another", 2, customers=("7",),
         files={"d/a.parquet": table(customer_id=[7.0]), "d/b.parquet": table(customer_id=[7])},
         config=FOLDER),
    read("ids of fractions in one file, of text in another", 2, customers=("7",), config=FOLDER,
         files={"d/a.parquet": table(customer_id=[7.0]), "d/b.parquet": table(customer_id=["7"])}),
    read("large ids of numbers in one file, of fractions in another", 2,
         customers=("9007199254740993",), config=FOLDER,
         files={"d/a.parquet": table(customer_id=[2**53 + 1]),
                "d/b.parquet": table(customer_id=[2**53 + 1, None])},
         rules={"customer_id_missing": 1}),
    read("dates of text in one file, moments in another", 2, days=("2024-03-05", "2024-03-05"),
         files={"d/a.parquet": table(), "d/b.parquet": table(timestamp=[MOMENT])}, config=FOLDER),
    read("days in one file, moments of a zone in another", 2, days=("2024-03-05", "2024-03-05"),
         files={"d/a.parquet": table(timestamp=[DAY]),
                "d/b.parquet": table(timestamp=_of([MOMENT], pa.timestamp("us", "UTC")))},
         config=FOLDER),
    read("amounts of text in one file, numbers in another", 2, total=12.5,
         files={"d/a.parquet": table(amount=["2.5"]), "d/b.parquet": table()}, config=FOLDER),
    read("amounts of decimals in one file, of doubles in another", 2, total=11.0,
         files={"d/a.parquet": table(amount=[Decimal("1.00")]), "d/b.parquet": table()},
         config=FOLDER),
    told("amounts that are lists in one file", 65, "amount",
         files={"d/a.parquet": table(), "d/b.parquet": table(amount=[[1.0]])}, config=FOLDER),
    told("a column more in one file", 65, "the columns are not those of", "'note'",
         files={"d/a.parquet": table(), "d/b.parquet": table(note=["x"])}, config=FOLDER),
    told("CSV and Parquet in one folder", 2, "all of one kind",
         files={"d/a.parquet": table(), "d/b.csv": csv(GOOD)}, config=FOLDER),
    read("an empty file among others of Parquet", 1,
         files={"d/a.parquet": table(), "d/b.parquet": table().slice(0, 0)}, config=FOLDER),
    *(
        read(f"Parquet compressed by {codec}", 1, parquet=_written(table(), compression=codec))
        for codec in ("none", "gzip", "brotli", "zstd", "lz4")
    ),
    read("Parquet in the oldest version", 1, parquet=_written(table(), version="1.0")),
    read("Parquet of pages of the second version", 1,
         parquet=_written(table(), data_page_version="2.0")),
    told("a name that numbers rows", 65, "'file_row_number' has a name that is ours",
         parquet=table(file_row_number=[5])),
    read("names that the engine uses itself", 1,
         parquet=table(filename=["x"], _row=[1], _source=["x"], _line=["x"])),
    told("a name that stands for the file, in Parquet", 65, "has a name that is ours",
         parquet=table(**{"portfolio_ml: file": ["x"]})),
    read("names with quotes and semicolons", 1, parquet=table(**{'x"; DROP TABLE t; --': [1]})),
    read("text with NULs", 1, customers=("a\0b",), parquet=table(customer_id=["a\0b"])),
    read("100,000 nulls", 1, {"customer_id_missing": 100_000},
         parquet=pa.concat_tables([
             table(),
             table().set_column(0, "customer_id", _of([None], pa.string())).take([0] * 100_000)])),
]  # fmt: skip

CASES = [*BROKEN, *TYPES, *SEVERAL]
