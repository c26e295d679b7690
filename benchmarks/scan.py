"""The bare scan: what it costs to read the amounts and to sum them by customer.

Run it as `python -m benchmarks.scan SOURCE`.
"""

import argparse

import duckdb

SCAN = """
CREATE TEMP TABLE totals AS
SELECT customer_id, count(amount), sum(amount), min(amount), max(amount)
FROM read_parquet('{source}')
GROUP BY customer_id
"""


def scan(source: str) -> None:
    """Count, sum, smallest and largest amount of each customer."""
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute(SCAN.format(source=source))


def main() -> None:
    """Scan a file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", help="the lines, a Parquet file")
    scan(parser.parse_args().source)


if __name__ == "__main__":
    main()
