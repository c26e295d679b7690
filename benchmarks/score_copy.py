"""What was delivered, and what it costs to COPY the same rows into a plain table.

Run it as `python -m benchmarks.score_copy URL OUT`; it writes JSON.
"""

import argparse
import json
import time
from pathlib import Path

import psycopg

RECEIPTS = "SELECT rows, sent, unchanged, rejected FROM portfolio_runs ORDER BY finished_at"
ROWS_OUT = "COPY (SELECT * FROM customer_scores ORDER BY customer_id) TO STDOUT (FORMAT csv)"
ROWS_IN = "COPY bare FROM STDIN (FORMAT csv)"
MEGABYTE = 1_000_000


def bare_copy(url: str) -> float:
    """The seconds to COPY the delivered rows into a table without a key, committed.

    The rows are at hand as CSV, so it is the server's time.
    """
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy(ROWS_OUT) as copy:
            rows = b"".join(copy)
        connection.rollback()
        begun = time.perf_counter()
        cursor.execute("CREATE TABLE bare AS TABLE customer_scores WITH NO DATA")
        with cursor.copy(ROWS_IN) as copy:
            for first in range(0, len(rows), MEGABYTE):
                copy.write(rows[first : first + MEGABYTE])
        connection.commit()
        return time.perf_counter() - begun


def receipts(url: str) -> list[dict[str, int]]:
    """The counts of every delivery, oldest first."""
    names = ("rows", "sent", "unchanged", "rejected")
    with psycopg.connect(url) as connection:
        return [dict(zip(names, row, strict=True)) for row in connection.execute(RECEIPTS)]


def main() -> None:
    """Measure a bare COPY and read the receipts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    found = {"receipts": receipts(given.url), "copy_seconds": bare_copy(given.url)}
    given.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
