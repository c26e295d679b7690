"""The package's features at eight as-of dates, 30 days apart, in one query.

Run it as `python -m benchmarks.eight_dates CONFIG OUT AS_OF`.
"""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from portfolio_ml.config import DuckDB, Settings, load_settings
from portfolio_ml.engine import opened
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import Horizons, computed
from portfolio_ml.timeline import to_day
from portfolio_ml.transactions import load

DATES = 8
STEP_DAYS = 30


def write_dates(settings: Settings, out: Path, as_of_days: Sequence[int], *, today: date) -> None:
    """Write the features of every customer at each of the as-of days, a batch at a time.

    Args:
        settings: The portfolio's settings.
        out: The Parquet file to write.
        as_of_days: Day numbers.
        today: The wall clock's date.
    """
    assert isinstance(settings.engine, DuckDB), "the benchmark's config says so"
    targets = settings.targets
    horizons = Horizons(targets.churn.horizon_days, targets.lifetime_value.horizon_days)
    with opened(settings.engine) as engine:
        inputs = inputs_of(load(settings, engine, today=today), engine)
        table = computed(inputs, as_of_days, horizons=horizons)
        with pq.ParquetWriter(out, table.schema) as writer:
            for batch in table.batches():
                writer.write_batch(batch)


def main() -> None:
    """Write the features of a config's portfolio at eight dates."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path, help="the Parquet file to write")
    parser.add_argument("as_of", type=date.fromisoformat, help="the last of the dates")
    given = parser.parse_args()
    last = to_day(given.as_of)
    days = [last - STEP_DAYS * n for n in range(DATES)]
    write_dates(load_settings(given.config), given.out, days, today=given.as_of)


if __name__ == "__main__":
    main()
