"""BG/NBD on all of CDNOW: the package beside `lifetimes`, in one process.

Run it as `python -m benchmarks.models_peer OUT`; OUT is a JSON file with the seconds of each, and
the log-likelihood that it found.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
from lifetimes import BetaGeoFitter
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from portfolio_ml.customer_base import BetaGeo, fit_bg_nbd, group_purchases
from portfolio_ml.datasets import read_cdnow
from portfolio_ml.timeline import to_day

Floats = NDArray[np.float64]

REPEATS = 5
WEEK_DAYS = 7


def histories() -> tuple[Floats, Floats, Floats]:
    """x, t_x and T of every customer at the end of the data, in weeks."""
    table = read_cdnow()
    text = table["date"].to_pylist()  # such as 19970131
    number = np.array([to_day(date.fromisoformat(each)) for each in text])
    last = int(number.max())
    pairs = np.unique(
        np.stack([np.unique(table["customer_id"].to_numpy(), return_inverse=True)[1], number]),
        axis=1,
    )
    _, first, counts = np.unique(pairs[0], return_index=True, return_counts=True)
    begun, ended = pairs[1][first], pairs[1][first + counts - 1]
    x, t_x, age = np.stack(
        [counts - 1, (ended - begun) / WEEK_DAYS, (last - begun) / WEEK_DAYS], dtype=np.float64
    )
    return x, t_x, age


def least_seconds(fit: Callable[[], object]) -> float:
    """The shortest of several runs."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        fit()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def both_ways() -> dict[str, float]:
    """The seconds that each takes, and the log-likelihood of what it finds."""
    x, t_x, age = histories()
    grouped = group_purchases(x, t_x, age)
    rows = (grouped.frequency, grouped.recency, grouped.age)
    peer = BetaGeoFitter().fit(*rows, grouped.weight).params_
    models = {
        "package": fit_bg_nbd(grouped),
        "lifetimes": BetaGeo(*(float(peer[name]) for name in BetaGeo.parameter_names)),
    }
    fits: dict[str, Callable[[], object]] = {
        "package": lambda: fit_bg_nbd(group_purchases(x, t_x, age)),
        "lifetimes": lambda: BetaGeoFitter().fit(x, t_x, age),
        "lifetimes_grouped": lambda: BetaGeoFitter().fit(*rows, grouped.weight),
    }
    likelihood = {
        f"log_likelihood_{name}": float(grouped.weight @ model.row_log_likelihood(*rows))
        for name, model in models.items()
    }
    return {name: least_seconds(fit) for name, fit in fits.items()} | likelihood


def main() -> None:
    """Fit BG/NBD both ways."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # of lifetimes, on its way to the optimum
    with threadpool_limits(1):  # sums this short gain nothing from threads, which wait
        found = both_ways()
    given.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
