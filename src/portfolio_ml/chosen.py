"""Some customers, named in a file."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.errors import ConfigError, missing_column, nearest_file

NAME = "customer_id"


def chosen_customers(path: Path) -> tuple[str, ...]:
    """The ids in a file, each once, in its order.

    A Parquet file, or a CSV file whose header names it, has them in the column `customer_id`;
    any other file has an id on each line.

    Raises:
        ConfigError: The file is not there, cannot be read, or names nobody.
    """
    if not path.is_file():
        guess = nearest_file(path, (".csv", ".txt", ".parquet"))
        raise ConfigError(
            "the file of customers is not there",
            where=str(path),
            do=f"did you mean {guess!r}?" if guess else "check --customers",
        )
    ids = _from_parquet(path) if path.suffix.lower() == ".parquet" else _from_text(path)
    found = tuple(dict.fromkeys(each for each in ids if each))
    if not found:
        raise ConfigError(
            "the file of customers names nobody", where=str(path), do="write an id on each line"
        )
    return found


def _from_parquet(path: Path) -> list[str]:
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if NAME not in names:
                fault = missing_column(NAME, names, where=str(path))
                raise ConfigError(fault.what, where=fault.where, saw=fault.saw, do=fault.do)
            column = file.read([NAME])[NAME]
        ids: list[str] = column.cast(pa.string()).drop_null().to_pylist()
    except (OSError, pa.ArrowException):
        raise ConfigError(
            "the file of customers is no Parquet file", where=str(path), do="write it again"
        ) from None
    return ids


def _from_text(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except OSError as error:
        raise ConfigError(
            "the file of customers cannot be read",
            where=str(path),
            saw=error.strerror or type(error).__name__,
            do="check that it may be read",
        ) from None
    except (UnicodeDecodeError, csv.Error):
        raise ConfigError(
            "the file of customers cannot be read as text",
            where=str(path),
            do="save it as UTF-8, with an id on each line",
        ) from None
    rows = [line for line in lines if any(line)]
    header = [name.strip().casefold() for name in rows[0]] if rows else []
    if NAME in header:
        place = header.index(NAME)
        return [line[place].strip() for line in rows[1:] if place < len(line)]
    if wide := next((line for line in rows if len(line) > 1), None):
        raise ConfigError(
            "the file of customers has several columns, and none is called customer_id",
            where=str(path),
            saw=", ".join(map(repr, wide[:4])),
            do="name the column customer_id, or write only ids, one a line",
        )
    return [line[0].strip() for line in rows]
