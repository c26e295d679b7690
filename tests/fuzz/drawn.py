"""Parquet files of odd types and values, drawn from bytes: those whose footer is always whole."""

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

Chosen = TypeVar("Chosen")

MOST_ROWS = 6
_UNITS = ("s", "ms", "us", "ns")
_ZONES = (None, "UTC", "Europe/Berlin", "+14:00", "Asia/Kolkata")
_DAY = 19_787  # 2024-03-05
_SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TEXTS = (
    *("a", "", " ", "a\0b", "\u00a0b", "7", "7.0", "007", "é", "😀", "x" * 300),
    *("2024-03-05", "2024-03-05T23:59:59.999Z", "0001-01-01", "9999-12-31", "20240305", "infinity"),
    *("1", "-1e308", "1e999", "NaN", "0x10", "1_000", "1.234,56", "€5", "5-", "--5", "١٢"),
)
_FLOATS = (0.0, -0.0, 1.5, 7.0, 2.0**53, 1e12, 1e308, 5e-324, *map(float, ("nan", "inf", "-inf")))
_BYTES = (b"a", b"", b"\xff\x00", b"\0", b"2024-03-05", b"\xc3", b"7")


class Draws:
    """What bytes choose; zeros once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 0

    def byte(self) -> int:
        """The next one."""
        self._next += 1
        return self._data[self._next - 1] if self._next <= len(self._data) else 0

    def of(self, choices: Sequence[Chosen]) -> Chosen:
        """One of up to 256."""
        return choices[self.byte() % len(choices)]

    def whole(self, bits: int, *, signed: bool) -> int:
        """A number of so many bits: an edge, a small one, or any."""
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        kind = self.byte()
        if kind < 160:
            return (0, 1, low, high, min(_DAY, high), low + 1, high - 1)[kind % 7]
        found = int.from_bytes(bytes(self.byte() for _ in range(bits // 8)), "little")
        return found + low if signed else found


def parquet_of(data: bytes) -> tuple[bytes, int] | None:
    """A file and its rows; None where Parquet has no such type or value."""
    draws = Draws(data)
    rows = draws.byte() % (MOST_ROWS + 1)
    names = ["customer_id", "timestamp", "amount", *draws.of(_MORE)]
    try:
        table = pa.table({name: _column(draws, name, rows) for name in names})
        file = io.BytesIO()
        pq.write_table(
            table,
            file,
            row_group_size=draws.of((1, 2, 1_000)),
            compression=draws.of(("none", "snappy", "zstd", "gzip", "brotli", "lz4")),
            use_dictionary=draws.of((True, False)),
            write_statistics=draws.of((True, False)),
            data_page_version=draws.of(("1.0", "2.0")),
            version=draws.of(("2.6", "1.0", "2.4")),
            use_byte_stream_split=False,
            store_schema=draws.of((True, False)),
            use_deprecated_int96_timestamps=draws.of((False, True)),
        )
    except (pa.ArrowException, OSError):
        return None
    return file.getvalue(), rows


_MORE = (
    *((), ("order_id",), ("quantity", "cost"), ("discount",), ("recorded_at",)),
    *(("product_id", "category", "channel"), ("currency",), ("note",), ("x" * 300,), ("_row",)),
)
_USUAL = {"timestamp": "day", "recorded_at": "day", "amount": "number", "quantity": "number"}


def _column(draws: Draws, name: str, rows: int) -> pa.Array:
    """Values of one type, some of them null; half of all columns are of a type that fits."""
    usual = {"day": (_date, _moment, _text), "number": (_whole, _float, _decimal)}
    fitting = usual.get(_USUAL.get(name, ""), (_text, _whole, _float))
    make = draws.of(fitting if draws.byte() % 2 else _ANY)
    values = make(draws, rows)
    if draws.byte() % 3:
        return values
    places = [None if draws.byte() % 2 else n for n in range(rows)]
    return values.take(pa.array(places, pa.int64()))


def _bits(draws: Draws, rows: int, bits: int) -> pa.Array:
    return pa.array([draws.whole(bits, signed=True) for _ in range(rows)], f"int{bits}")


def _text(draws: Draws, rows: int) -> pa.Array:
    values = [draws.of(_TEXTS) for _ in range(rows)]
    kind = draws.of((pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())))
    return pa.array(values, pa.string()).cast(kind)


def _bytes(draws: Draws, rows: int) -> pa.Array:
    return pa.array(
        [draws.of(_BYTES) for _ in range(rows)], draws.of((pa.binary(), pa.large_binary()))
    )


def _fixed(draws: Draws, rows: int) -> pa.Array:
    size = draws.of((1, 4, 16))
    return pa.array([bytes([draws.byte()]) * size for _ in range(rows)], pa.binary(size))


def _whole(draws: Draws, rows: int) -> pa.Array:
    bits, signed = draws.of((64, 32, 16, 8)), draws.of((True, False))
    values = [draws.whole(bits, signed=signed) for _ in range(rows)]
    return pa.array(values, f"{'' if signed else 'u'}int{bits}")


def _float(draws: Draws, rows: int) -> pa.Array:
    kind = draws.of((pa.float64(), pa.float32(), pa.float16()))
    return pa.array([draws.of(_FLOATS) for _ in range(rows)], pa.float64()).cast(kind, safe=False)


def _decimal(draws: Draws, rows: int) -> pa.Array:
    digits, scale = draws.of(((9, 2), (18, 0), (38, 10), (38, 38), (76, 2), (76, 76), (5, -3)))
    most = Decimal(10 ** min(digits, 30) - 1).scaleb(-scale)
    values = [draws.of((Decimal(0), most, -most)) for _ in range(rows)]
    return pa.array(values, (pa.decimal128 if digits <= 38 else pa.decimal256)(digits, scale))


def _bool(draws: Draws, rows: int) -> pa.Array:
    return pa.array([draws.byte() % 2 == 1 for _ in range(rows)], pa.bool_())


def _date(draws: Draws, rows: int) -> pa.Array:
    if draws.byte() % 2:
        return _bits(draws, rows, 32).view(pa.date32())
    return _bits(draws, rows, 64).view(pa.date64())


def _moment(draws: Draws, rows: int) -> pa.Array:
    unit, zone = draws.of(_UNITS), draws.of(_ZONES)
    usual = _DAY * 86_400 * _SECONDS[unit]
    values = [usual if draws.byte() % 2 else draws.whole(64, signed=True) for _ in range(rows)]
    return pa.array(values, pa.int64()).view(pa.timestamp(unit, zone))


def _time(draws: Draws, rows: int) -> pa.Array:
    if draws.byte() % 2:
        return _bits(draws, rows, 64).view(pa.time64(draws.of(("us", "ns"))))
    return _bits(draws, rows, 32).view(pa.time32(draws.of(("s", "ms"))))


def _duration(draws: Draws, rows: int) -> pa.Array:
    return _bits(draws, rows, 64).view(pa.duration(draws.of(_UNITS)))


def _nothing(_: Draws, rows: int) -> pa.Array:
    return pa.nulls(rows)


def _list(draws: Draws, rows: int) -> pa.Array:
    values = _plain(draws, rows)
    return pa.array([[v] for v in values.to_pylist()], pa.list_(values.type))


def _struct(draws: Draws, rows: int) -> pa.Array:
    return pa.StructArray.from_arrays([_plain(draws, rows)], ["value"])


def _map(draws: Draws, rows: int) -> pa.Array:
    values = _plain(draws, rows)
    entries: list[Any] = [[("k", v)] for v in values.to_pylist()]
    return pa.array(entries, pa.map_(pa.string(), values.type))


def _plain(draws: Draws, rows: int) -> pa.Array:
    return draws.of((_text, _whole, _float, _bool))(draws, rows)


_ANY = (
    *(_text, _bytes, _fixed, _whole, _float, _decimal, _bool, _date, _moment, _time, _duration),
    *(_nothing, _list, _struct, _map),
)
