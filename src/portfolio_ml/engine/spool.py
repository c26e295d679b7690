"""Rows that go to a file a batch at a time, and come back as a table that lies there."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa


def spooled(batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: Path) -> pa.Table:
    """The batches as one table, whose memory is the file's: the system may take it back.

    The file goes at once, by its name; what it takes of the disk goes with the table.

    Args:
        batches: Rows of the schema.
        schema: The table's.
        file: A name that nothing has yet.

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> schema = pa.schema([("spend", pa.int64())])
        >>> parts = (pa.record_batch([[n, n + 1]], schema=schema) for n in (1, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = spooled(parts, schema, Path(folder, "spend.arrow"))
        >>> table["spend"].to_pylist()
        [1, 2, 3, 4]
    """
    try:
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        with pa.memory_map(str(file)) as source:
            return pa.ipc.open_file(source).read_all()
    finally:
        file.unlink(missing_ok=True)
