"""Whether two feature files say the same: a comparison of different results is worth nothing."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

RELATIVE = 1e-5
ABSOLUTE = 1e-6  # where nothing is left of a difference but the last digit of what it is made of
KEYS = ("customer_id", "as_of")
EXPECTATIONS = (
    "p_alive",
    "p_no_purchase",
    "expected_purchase_days",
    "p_alive_bg_nbd",
    "expected_purchase_days_bg_nbd",
    "expected_ticket",
    "expected_spend",
)
"""The columns of the customer-base models, which only the package computes."""


def differences(ours: Path, theirs: Path) -> list[str]:
    """How the second file differs from the first, a line for each column; empty if it does not.

    A column is read at a time, so that two large files need little memory.
    """
    here, there = _names(ours), _names(theirs)
    if here != there:
        return [f"columns in only one of them: {', '.join(sorted(here ^ there))}"]
    order, other_order = _order(ours), _order(theirs)
    ids, other_ids = (
        _column(ours, "customer_id", order),
        _column(theirs, "customer_id", other_order),
    )
    if not ids.equals(other_ids):
        return [f"customers differ: {len(ids):,} and {len(other_ids):,}"]
    return [
        line
        for name in sorted(here)
        for line in _told(
            name,
            _floats(_column(ours, name, order)),
            _floats(_column(theirs, name, other_order)),
            ids,
        )
    ]


def _names(path: Path) -> set[str]:
    return {*pq.read_schema(path).names} - {*KEYS, *EXPECTATIONS}


def _order(path: Path) -> pa.Array:
    ids = pq.read_table(path, columns=["customer_id"])
    return pc.sort_indices(ids["customer_id"].cast(pa.large_string()))


def _column(path: Path, name: str, order: pa.Array) -> pa.Array:
    column = pq.read_table(path, columns=[name])[name]
    as_text = column.cast(pa.large_string()) if name == "customer_id" else column
    return as_text.take(order).combine_chunks()


def _floats(column: pa.Array) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _told(
    name: str, ours: NDArray[np.float64], theirs: NDArray[np.float64], ids: pa.Array
) -> Iterator[str]:
    differs = ~np.isclose(ours, theirs, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        yield (
            f"{name}: {differs.sum():,} of {differs.size:,} differ, "
            f"such as {ours[row]} and {theirs[row]} of {ids[row]}"
        )


def main() -> None:
    """Tell how two feature files differ; the exit code is 1 if they do."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("ours", type=Path)
    parser.add_argument("theirs", type=Path)
    given = parser.parse_args()
    found = differences(given.ours, given.theirs)
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
