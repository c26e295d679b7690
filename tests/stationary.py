"""A portfolio under constant laws, and the same after something happened to it.

Customers come evenly until the end, buy at a pace and for a ticket of their own, leave at a moment
of their own, and buy in one of three categories. What happens, happens on the day after training.
"""

from datetime import timedelta

import numpy as np
import pyarrow as pa
from tests.histories import START
from tests.true_portfolios import HISTORY_DAYS, HORIZON_DAYS, World, simulated

from portfolio_ml.config import settings_from
from portfolio_ml.features.table import Horizons, at
from portfolio_ml.monitoring.distribution import Distribution
from portfolio_ml.monitoring.drift import drifts
from portfolio_ml.monitoring.mix import mixes
from portfolio_ml.monitoring.profile import (
    Profile,
    behaviour_of,
    still_filling,
    ticket_change,
)
from portfolio_ml.monitoring.verdict import Verdict, verdict
from portfolio_ml.opening import Opened, opened
from portfolio_ml.snapshots import matrix
from portfolio_ml.timeline import to_day

TRAINED = START + timedelta(HISTORY_DAYS - 1)
AFTER_DAYS = 60
NAMES = ("food", "toys", "books")
SHARES = (0.6, 0.3, 0.1)


def _evenly(rng: np.random.Generator, customers: int) -> np.ndarray:
    return rng.uniform(0, HISTORY_DAYS + HORIZON_DAYS - 1e-9, customers)


def half_the_rate(customers: int, seed: int) -> pa.Table:
    """Everybody buys half as often."""

    def pace(time: np.ndarray) -> np.ndarray:
        return np.where(time < HISTORY_DAYS, 1.0, 0.5)

    return _with_categories(World(customers, arrivals=_evenly, season=pace), seed)


def stationary(customers: int, seed: int) -> pa.Table:
    """Nothing happens."""
    return _with_categories(World(customers, arrivals=_evenly), seed)


def a_third_spends_more(customers: int, seed: int) -> pa.Table:
    """A third of the customers spends half as much again."""
    table = stationary(customers, seed)
    number = table["customer_id"].to_numpy(zero_copy_only=False).astype(int)
    amount = table["amount"].to_numpy()
    more = np.where(_is_later(table) & (number % 3 == 0), 1.5 * amount, amount)
    return table.set_column(2, "amount", pa.array(np.round(more, 2)))


def a_category_vanishes(customers: int, seed: int) -> pa.Table:
    """Nobody buys books any more: what was books is food."""
    table = stationary(customers, seed)
    category = table["category"].to_numpy(zero_copy_only=False)
    left = np.where(_is_later(table) & (category == "books"), "food", category)
    return table.set_column(3, "category", pa.array(left.astype(str)))


def monitored(table: pa.Table, *, snapshots: int = 8, after_days: int = AFTER_DAYS) -> Verdict:
    """The verdict on features and purchases alone, some days after a training without models."""
    settings = settings_from(
        {
            "name": "stationary",
            "data": {"transactions": {"source": "table"}},
            "training": {"snapshots": snapshots},
        }
    )
    until, today = TRAINED + timedelta(after_days), START + timedelta(2_000)
    with opened(settings, today=today, as_of=until, say=lambda _: None, table=table) as portfolio:
        return _verdict(portfolio)


def _verdict(portfolio: Opened) -> Verdict:
    inputs, trained, now = portfolio.inputs, to_day(TRAINED), portfolio.as_of_day
    past = portfolio.recipe.snapshot_days(portfolio.span.first_day, trained)
    days = [*past, trained]
    seen = at(inputs, [*days, now], horizons=Horizons(HORIZON_DAYS, HORIZON_DAYS))
    names = inputs.catalogue.model_inputs
    features, day = matrix(seen.rows, names), seen.rows["as_of"].to_numpy()
    learnt, today = features[day < now], features[day == now]
    bought = mixes(inputs, [*days, now])
    profile = Profile(
        days=tuple(days),
        features={
            n: Distribution.of_numbers(learnt[:, k], day[day < now]) for k, n in enumerate(names)
        },
        scores={},
        behaviour=behaviour_of(names, learnt, day[day < now]),
        mix={n: Distribution.of_labels(counts[:-1]) for n, counts in bought.items()},
        filling=still_filling(
            inputs.catalogue.features, history_days=days[0] - inputs.span.first_day + 1
        ),
    )
    change = ticket_change(names, today)
    found = drifts(
        profile,
        {
            "features": {n: profile.features[n].of(today[:, k]) for k, n in enumerate(names)},
            "behaviour": {n: d.of(change[~np.isnan(change)]) for n, d in profile.behaviour.items()},
            "mix": {n: d.of_counts(bought[n][-1]) for n, d in profile.mix.items()},
        },
        as_of_day=now,
    )
    return verdict(found, (), versions={})


def _with_categories(world: World, seed: int) -> pa.Table:
    table, _ = simulated(world, seed)
    rng = np.random.default_rng([seed, 1])
    category = rng.choice(NAMES, size=table.num_rows, p=SHARES)
    return table.append_column("category", pa.array(category.astype(str)))


def _is_later(table: pa.Table) -> np.ndarray:
    return table["timestamp"].to_numpy() > np.datetime64(TRAINED)
