"""Both supervised targets, trained on a made-up matrix: for the memory that it takes.

Run it as `python -m benchmarks.models_memory [--rows 2000000] [--features 90]`.
"""

import argparse

import numpy as np

from portfolio_ml.config import settings_from
from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.training import Recipe, fit_candidates

ROWS_PER_CUSTOMER = 8
NAN_SHARE = 0.1
TIER_EDGES = (30.0, 60.0, 90.0)


def made_up(rows: int, features: int, *, seed: int = 7) -> Snapshots:
    """Rows on eight days whose outcomes follow from a few of the features.

    Args:
        rows: How many.
        features: How many columns, under the catalogue's names as far as these go.
        seed: The same seed gives the same rows.
    """
    rng = np.random.default_rng(seed)
    known = catalogue().model_inputs
    # The customer-base expectations come last in the catalogue, and models need them.
    names = (*known[-features:], *(f"more_{k}" for k in range(features - len(known))))
    needed = {"p_no_purchase", "expected_spend", "spend", "net_spend", "ticket"} - {*names}
    names = (*needed, *names[len(needed) :])
    values = rng.random((rows, features), dtype=np.float32)
    for k, name in enumerate(names):
        if name.startswith("more_"):
            values[rng.random(rows) < NAN_SHARE, k] = np.nan
        elif not name.startswith("p_"):
            values[:, k] *= 100
    chance = values[:, names.index("p_no_purchase")]
    churned = rng.random(rows) < chance
    spend = np.where(churned, 0.0, rng.gamma(2.0, values[:, names.index("expected_spend")]))
    number = np.arange(rows)
    return Snapshots(
        names=names,
        features=values,
        customer=number // ROWS_PER_CUSTOMER,
        day=(10_000 + 30 * (number % ROWS_PER_CUSTOMER)).astype(np.int32),
        churned=churned,
        spend=spend,
        returned=np.zeros(rows),
        references={},
    )


def main() -> None:
    """Train on a made-up matrix."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=90)
    given = parser.parse_args()
    settings = settings_from({"name": "made-up", "data": {"transactions": {"source": "cdnow"}}})
    snapshots = made_up(given.rows, given.features)
    fit_candidates(snapshots, Recipe.of(settings), tier_edges=TIER_EDGES)


if __name__ == "__main__":
    main()
