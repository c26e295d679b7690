"""Files as Spark's tasks read them, each through the same DuckDB that reads them elsewhere."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.engine.files import common_columns, is_parquet, layouts_of
from portfolio_ml.engine.frames import LINEAGE, Frame, Reading, Told, beside
from portfolio_ml.engine.pieces import Scan, rows_of
from portfolio_ml.engine.readings import quoted, read_as
from portfolio_ml.engine.spark_faults import computing

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_KINDS = {"text": "string", "number": "double", "day": "int", "minute": "smallint"}
_ARROW = {
    "string": pa.string(),
    "double": pa.float64(),
    "int": pa.int32(),
    "smallint": pa.int16(),
    "bigint": pa.int64(),
    "date": pa.date32(),
}
_LINEAGE_TYPES = {"_source": "string", "_row": "bigint", "_line": "string"}


class SparkFiles:
    """The files, and tables in files, that one session reads.

    Args:
        session: The session.
        reader: What looks at them in this process.
        folder: What tables pass through.
    """

    def __init__(self, session: "SparkSession", reader: DuckDBEngine, folder: Path) -> None:
        self._session = session
        self._reader = reader
        self._folder = folder
        self._scans: list[tuple[DataFrame, Scan, nw.Schema]] = []

    def scanned(self, files: Sequence[Path], written: CsvFormat, told: Told) -> Frame:
        """The rows of files of one kind, as `SparkEngine.scan` describes them."""
        if is_parquet(files[0]):
            found = self._reader.scan(files)
            types, schema = _types(nw.to_native(found)), found.collect_schema()
        else:
            names = common_columns(layouts_of(files, written))
            types = {name: "VARCHAR" for name in names if name.casefold() not in LINEAGE}
            schema = nw.Schema(dict.fromkeys(types, nw.String()))
        others = beside(told, types)
        types |= dict.fromkeys(others, "VARCHAR")
        schema = nw.Schema({**schema, **dict.fromkeys(others, nw.String())})
        return self._found(Scan(tuple(files), types, self._folder, written, others), schema)

    def listed(self, table: pa.Table, source: str, *, through: Path) -> Frame:
        """The rows of a table in memory, through a file, as `SparkEngine.listed` describes them."""
        theirs = [name for name in table.column_names if name.casefold() not in LINEAGE]
        rows = self._reader.from_arrow(table.select(theirs))
        self._reader.write(rows, through)
        scan = Scan((through,), _types(nw.to_native(rows)), self._folder, source=source)
        return self._found(scan, rows.collect_schema())

    def types(self, frame: Frame) -> nw.Schema:
        """The columns of what `scanned` or `listed` gave, with the types that the source has."""
        _, schema = self._scanned(frame)
        return schema

    def parsed(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat,
    ) -> Frame:
        """The lineage of what `scanned` or `listed` gave, and one column per reading."""
        scan, _ = self._scanned(frame)
        read = {
            r.name: (read_as(r, scan.types, timezone=timezone, written=written), _KINDS[r.kind])
            for r in readings
        }
        return framed(self._read(scan, read))

    def _scanned(self, frame: Frame) -> tuple[Scan, nw.Schema]:
        native = nw.to_native(frame)
        return next((scan, types) for found, scan, types in self._scans if found is native)

    def _found(self, scan: Scan, types: nw.Schema) -> Frame:
        """The rows of a scan as text, but for dates."""
        read = {
            name: (quoted(name), "date")
            if of == "DATE"
            else (f"CAST({quoted(name)} AS VARCHAR)", "string")
            for name, of in scan.types.items()
        }
        found = self._read(scan, read)
        self._scans.append((found, scan, types))
        return framed(found)

    def _read(self, scan: Scan, read: Mapping[str, tuple[str, str]]) -> "DataFrame":
        """Columns of a scan: by name, the SQL that reads one and Spark's type of it."""
        lineage = ("_source", "_row", "_line") if scan.is_text else ("_source", "_row")
        columns = {**{name: (name, _LINEAGE_TYPES[name]) for name in lineage}, **read}
        pieces = scan.pieces()
        function = partial(
            rows_of,
            scan=scan,
            pieces=pieces,
            columns={name: sql for name, (sql, _) in columns.items()},
            schema=pa.schema([(name, _ARROW[of]) for name, (_, of) in columns.items()]),
        )
        types = ", ".join(f"`{n.replace('`', '``')}` {of}" for n, (_, of) in columns.items())
        with computing():
            numbers = self._session.range(0, len(pieces), 1, len(pieces))
            return numbers.mapInArrow(function, types)


def _types(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    """The columns of a relation that are not lineage, with their types; names of values are text.

    The values that an ENUM may have are no use to a reader, and may be many.
    """
    types = zip(relation.columns, map(str, relation.types), strict=True)
    return {
        name: "VARCHAR" if of.startswith("ENUM") else of
        for name, of in types
        if name.casefold() not in LINEAGE
    }


def framed(frame: Any) -> Frame:  # noqa: ANN401 - of either of PySpark's two kinds
    """A dataframe of Spark's as one of ours."""
    found: Frame = nw.from_native(frame)
    return found
