"""Simulated portfolios whose every chance is known, walked as real ones are.

Customers come over two years, buy at a pace of their own (Gamma), leave at a moment of their own
(exponential, at a Gamma rate) and spend a ticket of their own (Gamma-Gamma): the assumptions of
Pareto/NBD and Gamma-Gamma, on which a world may lay seasons, prices, growth and odd customers.
What is predicted can so be held against what was true of a customer, not only what came of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tests.histories import START

from portfolio_ml.config import settings_from
from portfolio_ml.customer_base import GammaGamma, ParetoNBD
from portfolio_ml.features.reference import FACTS, Reference
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.seasonality import seasonality_of
from portfolio_ml.pipeline import features, opened
from portfolio_ml.season import seasons
from portfolio_ml.snapshots import labelled, matrix
from portfolio_ml.timeline import to_day
from portfolio_ml.training import Candidates, fit_candidates

Floats = NDArray[np.float64]

HISTORY_DAYS = 730
HORIZON_DAYS = 90
AS_OF = START + timedelta(HISTORY_DAYS - 1)
COVERAGE = 0.8

PURCHASES = ParetoNBD(r=0.8, alpha=40.0, s=0.9, beta=300.0)
SPEND = GammaGamma(p=6.0, q=4.0, v=20.0)


def _always(time: Floats) -> Floats:
    return np.ones_like(time)


def _evenly(rng: np.random.Generator, customers: int) -> Floats:
    return rng.uniform(0, HISTORY_DAYS, customers)


@dataclass(frozen=True)
class World:
    """The laws of a portfolio; times in days after the history's first.

    Attributes:
        customers: How many come within the history.
        season: The factor on everybody's pace at a time.
        price: The factor on every amount on a day.
        arrivals: When the customers come.
        loyal: Whether nobody ever leaves.
        once: Whether nobody ever buys again.
        giant: Whether the first customer buys every other day, for 500 times the ticket.
    """

    customers: int = 2500
    season: Callable[[Floats], Floats] = _always
    price: Callable[[Floats], Floats] = _always
    arrivals: Callable[[np.random.Generator, int], Floats] = _evenly
    loyal: bool = False
    once: bool = False
    giant: bool = False

    @property
    def purchases(self) -> ParetoNBD:
        """The law of purchases at the pace of an average day."""
        return replace(PURCHASES, beta=1e9) if self.loyal else PURCHASES


@dataclass(frozen=True)
class Truth:
    """What was true of each customer at the end of the history, shape (customers,).

    Attributes:
        p_no_purchase: The chance of no purchase within the horizon; 1 for who has left.
        spend: The spend within the horizon that was to be expected.
        happened: What was spent then.
    """

    p_no_purchase: Floats
    spend: Floats
    happened: Floats


@dataclass(frozen=True)
class Walked:
    """What the package made of a portfolio.

    Attributes:
        truth: What was true, in the order of `rows`.
        rows: The features at the end of the history, one row per customer.
        reference: What was fitted across the customers.
        ideal: P(no purchase) of who knows the laws, and of each customer the history alone.
        candidates: The fitted models.
    """

    truth: Truth
    rows: pa.Table = field(repr=False)
    reference: Reference
    ideal: Floats
    candidates: Candidates

    def column(self, name: str) -> Floats:
        """One feature's values."""
        return self.rows[name].to_numpy().astype(np.float64)

    def inputs(self, model: ChurnModel | LifetimeValueModel) -> NDArray[np.float32]:
        """What a model expects of the customers at the end of the history."""
        return matrix(self.rows, model.names)


def walked(world: World, seed: int, *, snapshots: int = 4) -> Walked:
    """A portfolio of the world, from its transactions to fitted models.

    The table holds the outcomes too: the walk must not look beyond the end of the history.
    """
    table, truth = simulated(world, seed)
    settings = settings_from(
        {
            "name": "truth",
            "data": {"transactions": {"source": "table"}},
            "targets": {
                "churn": {"horizon_days": HORIZON_DAYS},
                "lifetime_value": {"horizon_days": HORIZON_DAYS, "coverage": COVERAGE},
            },
            "training": {"snapshots": snapshots, "step_days": 30},
        }
    )
    silent: Callable[[str], None] = lambda _: None  # noqa: E731 - told what nobody reads
    today = AS_OF + timedelta(2 * HORIZON_DAYS)
    with opened(settings, today=today, as_of=AS_OF, say=silent, table=table) as portfolio:
        recipe, span = portfolio.recipe, portfolio.span
        days = recipe.snapshot_days(span.first_day, span.last_day)
        rows = labelled(portfolio.inputs, days, horizons=recipe.horizons)
        now = features(portfolio, say=silent)
        season = seasons(portfolio.inputs, [portfolio.as_of_day]).get(portfolio.as_of_day)
    reference = now.references[to_day(AS_OF)]
    x, t_x, age = (now.rows[name].to_numpy() for name in FACTS[:3])
    order = now.rows["customer_id"].to_numpy(zero_copy_only=False).astype(int)
    return Walked(
        truth=Truth(
            *(column[order] for column in (truth.p_no_purchase, truth.spend, truth.happened))
        ),
        rows=now.rows,
        reference=reference,
        ideal=world.purchases.p_no_purchase(x, t_x, age, HORIZON_DAYS),
        candidates=fit_candidates(
            rows,
            recipe,
            tier_edges=reference.tier_edges,
            seasonality=seasonality_of(season, reference.purchase_model),
        ),
    )


def simulated(world: World, seed: int) -> tuple[pa.Table, Truth]:
    """The transactions of the history and of the horizon after it, and what was true."""
    rng = np.random.default_rng(seed)
    n, end = world.customers, HISTORY_DAYS + HORIZON_DAYS
    came = np.sort(world.arrivals(rng, n))
    rate = rng.gamma(PURCHASES.r, 1 / PURCHASES.alpha, n) * (not world.once)
    leaving = rng.gamma(PURCHASES.s, 1 / PURCHASES.beta, n) * (not world.loyal)
    ticket_rate = rng.gamma(SPEND.q, 1 / SPEND.v, n)
    if world.giant:
        came[0], rate[0], leaving[0] = 0.0, 0.5, 0.0
        ticket_rate[0] = SPEND.p / (500 * SPEND.population_mean)
    left = came + rng.exponential(size=n) / np.maximum(leaving, 1e-12)

    grid = np.arange(end) + 0.5
    most = float(world.season(grid).max())
    tries = rng.poisson(rate * most * (end - came))
    customer = np.repeat(np.arange(n), tries)
    time = rng.uniform(came[customer], end)
    kept = (time < left[customer]) & (rng.random(time.size) * most < world.season(time))
    customer = np.concatenate([np.arange(n), customer[kept]])
    day = np.floor(np.concatenate([came, time[kept]])).astype(int)
    customer, day = np.unique(np.stack([customer, day]), axis=1)
    amount = rng.gamma(SPEND.p, size=day.size) / ticket_rate[customer]
    amount = np.round(amount * world.price(day.astype(float)), 2)

    later = day >= HISTORY_DAYS
    p_no_purchase, purchases = _ahead(world, rate, leaving, left >= HISTORY_DAYS)
    truth = Truth(
        p_no_purchase=p_no_purchase,
        spend=purchases * SPEND.p / ticket_rate,
        happened=np.bincount(customer[later], amount[later], minlength=n),
    )
    table = pa.table(
        {
            "customer_id": np.char.zfill(customer.astype(str), 5),
            "timestamp": np.datetime64(START) + day,
            "amount": amount,
        }
    )
    return table, truth


def _ahead(
    world: World, rate: Floats, leaving: Floats, is_alive: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """P(no purchase), and the purchase days expected, each times its price; summed day by day."""
    ahead = np.arange(HISTORY_DAYS, HISTORY_DAYS + HORIZON_DAYS) + 0.5
    pace = rate[:, None] * world.season(ahead)
    buys = -np.expm1(-pace)
    survives = np.exp(-leaving[:, None] * (ahead - HISTORY_DAYS)) * is_alive[:, None]
    quiet_until = np.exp(pace - np.cumsum(pace, axis=1))
    first = (survives * quiet_until * buys).sum(axis=1)
    return 1 - first, (survives * buys) @ world.price(np.floor(ahead))
