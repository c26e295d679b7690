"""Files as DuckDB reads them, mended where their lines are broken, and what its errors mean."""

import functools
import glob
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine import faults
from portfolio_ml.engine.csv_files import CsvScan, csv_rows, csv_scan, mended
from portfolio_ml.engine.files import FILE, Layout, common_columns, is_parquet, layouts_of
from portfolio_ml.engine.frames import LINEAGE
from portfolio_ml.engine.readings import literal, quoted, text_of_float
from portfolio_ml.errors import DataError, PortfolioError


class Files:
    """The files that one connection reads.

    Args:
        connection: What reads them.
        folder: Where copies lie, of files that cannot be read as they are.
        names: Names that nothing else has.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Path, names: Iterator[str]
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._names = names
        self._scans: dict[str, CsvScan] = {}
        self._parquet_files: list[Path] = []

    def scanned(self, files: Sequence[Path], written: CsvFormat) -> duckdb.DuckDBPyRelation:
        """The rows of files of one kind, as `DuckDBEngine.scan` describes them."""
        layouts = layouts_of(files, written)
        names = [n for n in common_columns(layouts) if n.casefold() not in LINEAGE]
        try:
            if is_parquet(files[0]):
                self._parquet_files.extend(files)
                return self._parquet(layouts, names)
            scan = csv_scan(layouts, names, written, self._new_file)
            return self._shown(next(self._names), scan)
        except duckdb.Error as error:
            where = ", ".join(map(str, files))
            raise DataError(
                "the file cannot be read", where=where, saw=faults.told(error)
            ) from None

    def written(self, files: Sequence[Path]) -> duckdb.DuckDBPyRelation:
        """The rows of Parquet files of our own, in order, as they were written."""
        self._parquet_files.extend(files)
        names = ", ".join(literal(glob.escape(str(file))) for file in files)
        own = "union_by_name = true, hive_partitioning = false"
        return self._connection.sql(f"SELECT * FROM read_parquet([{names}], {own})")  # noqa: S608 - quoted by us

    def mend(self, error: duckdb.Error) -> bool:
        """Read copies that mark the broken lines; gives whether such lines were the error."""
        if not faults.are_lines_broken(error):
            return False
        for view, scan in self._scans.items():
            if not scan.is_mended and faults.file_at_fault(error, scan.names_by_read):
                self._shown(view, mended(scan, self._new_file))
                return True
        return False

    def meaning(self, error: Exception) -> PortfolioError | None:
        """What an error says of the files, memory or disk; None where it is none of theirs."""
        names = {k: v for scan in self._scans.values() for k, v in scan.names_by_read.items()}
        read = faults.file_at_fault(error, names)
        of_parquet = None if read else faults.of_parquet(error, self._parquet_files)
        return of_parquet or faults.meaning(error, read, name=names.get(read or ""))

    def _parquet(
        self, layouts: Mapping[Path, Layout], names: Sequence[str]
    ) -> duckdb.DuckDBPyRelation:
        """The rows of Parquet files.

        An id that is 7 in one file is not 7.0 because another file holds it as text.
        """
        texts = frozenset[str]().union(*(layout.texts for layout in layouts.values()))
        kinds = dict.fromkeys(layout.floats & texts for layout in layouts.values())
        alike = (
            self._parquet_alike(
                [f for f, of in layouts.items() if of.floats & texts == k], names, k
            )
            for k in kinds
        )
        return functools.reduce(duckdb.DuckDBPyRelation.union, alike)

    def _parquet_alike(
        self, files: Sequence[Path], names: Sequence[str], as_text: Container[str]
    ) -> duckdb.DuckDBPyRelation:
        columns = (
            f"{text_of_float(name)} AS {quoted(name)}" if name in as_text else quoted(name)
            for name in names
        )
        lineage = f"{quoted(FILE)} AS _source, file_row_number + 1 AS _row"
        files_listed = ", ".join(literal(glob.escape(str(file))) for file in files)
        return self._connection.sql(
            f"SELECT {', '.join([*columns, lineage])} "  # noqa: S608 - quoted by us
            f"FROM read_parquet([{files_listed}], filename = {literal(FILE)}, "
            "file_row_number = true, union_by_name = true, hive_partitioning = false)"
        )

    def _shown(self, view: str, scan: CsvScan) -> duckdb.DuckDBPyRelation:
        """The scan's rows behind a view: what is made of it reads other files once they change."""
        csv_rows(self._connection, scan).create_view(view, replace=True)
        self._scans[view] = scan
        return self._connection.view(view)

    def _new_file(self) -> Path:
        return self._folder / f"{next(self._names)}.csv"
