"""Connections to SQL databases, for reading and writing: the only door to SQLAlchemy and drivers.

A URL names the database: `sqlite:///FILE` (relative to the config's folder; four slashes make it
absolute; `?timeout=SECONDS` says how long to wait for a lock) or
`postgresql://USER:PASSWORD@HOST/NAME`, or `mariadb://` and `mysql://` alike. Those are written to;
any other that SQLAlchemy has a dialect for can be read from. The password is in no message.
"""

from portfolio_ml.databases.connections import has_schemas, redacted, takes_many_writers
from portfolio_ml.databases.faults import RowRefusedError
from portfolio_ml.databases.read import (
    read_batches,
    read_query,
    read_table,
    there_are,
    written_table,
)
from portfolio_ml.databases.write import rehearsing, writing
from portfolio_ml.databases.writer import SqlColumn, Writer, expected_columns

__all__ = [
    "RowRefusedError",
    "SqlColumn",
    "Writer",
    "expected_columns",
    "has_schemas",
    "read_batches",
    "read_query",
    "read_table",
    "redacted",
    "rehearsing",
    "takes_many_writers",
    "there_are",
    "writing",
    "written_table",
]
