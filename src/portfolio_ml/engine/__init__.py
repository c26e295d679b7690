"""Where tables are computed: DuckDB, in this process and out of core; or Spark.

Steps speak Narwhals; this is the only package that knows the engines behind it.

Example:
    >>> import narwhals as nw
    >>> import pyarrow as pa
    >>> with opened() as engine:
    ...     frame = engine.from_arrow(pa.table({"amount": [1, 2]}))
    ...     engine.collect(frame.filter(nw.col("amount") > 1))["amount"].to_pylist()
    [2]
"""

from portfolio_ml.engine.computing import computing, reading, workers_of
from portfolio_ml.engine.duckdb import DuckDBEngine, opened
from portfolio_ml.engine.frames import Engine, Frame, Kind, Reader, Reading, distinct
from portfolio_ml.engine.moved import Moved, moved
from portfolio_ml.engine.spark import SparkEngine

__all__ = [
    "DuckDBEngine",
    "Engine",
    "Frame",
    "Kind",
    "Moved",
    "Reader",
    "Reading",
    "SparkEngine",
    "computing",
    "distinct",
    "moved",
    "opened",
    "reading",
    "workers_of",
]
