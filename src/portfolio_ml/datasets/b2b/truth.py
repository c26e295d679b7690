"""What is true of a simulated portfolio, kept apart from its tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.accounts import MEAN_SATISFACTION, Accounts
from portfolio_ml.datasets.b2b.baskets import PAIR_DAYS, Baskets
from portfolio_ml.datasets.b2b.days import Bools, Floats, dates
from portfolio_ml.datasets.b2b.lines import margins
from portfolio_ml.datasets.b2b.lives import RETURNED_PACE, WARNING_DAYS, Lives, response_of
from portfolio_ml.datasets.b2b.orders import growths
from portfolio_ml.datasets.b2b.prospects import Prospects
from portfolio_ml.datasets.b2b.representatives import names, win_rates
from portfolio_ml.datasets.b2b.world import CATEGORIES, SEGMENTS, World


@dataclass(frozen=True, slots=True)
class Truth:
    """What was planted, and what chance made of it; amounts in EUR, before cost.

    Attributes:
        accounts: One row per account, on the history's last day. `customer_id`; `is_customer`
            (will buy again, if nothing happens), `left_on` (the day it stopped; null for a
            customer), `is_cooling` and `cools_from` (the last time that it began to order less;
            null for never); `spend_now` (what it spends a year at today's pace; 0 where it has
            left), `needs` (what it could spend here a year), `potential` (needs not bought here, a
            year; 0 but for those in `is_underserved`), `satisfaction` (1 to 5); `response_uplift`
            (probability of a return within 90 days that a contact adds), `value_if_returned`
            (spend of the 365 days after a return), `winback_value` (their product; the last three
            are null for a customer); `cycle_days`, `cycle_category` and `due_on` (its steady
            reorder, and the next one; null without one, or after it has left); `is_advocate`,
            `referred` (how many accounts it brought), `is_unprofitable`.
        cooling: One row per time that an account began to cool down: `customer_id`, `warned_from`
            (satisfaction begins to fall), `cools_from`, `left_on` (null where it is still there).
        contacts: One row per win-back contact: `customer_id`, `day`, `held_out`,
            `response_uplift` (of a contact; 0 where the account had not left), `returned` (came
            back within 90 days; a customer who was only slow did not).
        representatives: One row per representative and segment: `win_rate` of decided deals.
        cross_sell: One row per pair: `category` leads to `next_category`, which is begun `lift`
            times as often within `within_days`.
        segments: One row per segment: `margin_share` of net spend, `growth` (log spend a year).
        prospects: One row per prospect: `propensity` to become a customer, `is_alike` to the best
            customers by design, `expected_spend` a year (the median, as its attributes tell).
    """

    accounts: pa.Table
    cooling: pa.Table
    contacts: pa.Table
    representatives: pa.Table
    cross_sell: pa.Table
    segments: pa.Table
    prospects: pa.Table

    @property
    def best_representatives(self) -> Mapping[str, str]:
        """The representative with the highest win rate, by segment."""
        rows = self.representatives.sort_by("win_rate").to_pylist()
        return {row["segment"]: row["representative_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated portfolio.

    Attributes:
        tables: What its business would see, by the names of the config's sections.
        truth: What it would not.
    """

    tables: Mapping[str, pa.Table]
    truth: Truth


def truth_of(
    world: World,
    accounts: Accounts,
    *,
    lives: Lives,
    baskets: Baskets,
    level: Floats,
    prospects: Prospects,
) -> Truth:
    """What is true of what was simulated."""
    return Truth(
        accounts=_of_accounts(world, accounts, lives, level[:, -1]),
        cooling=_of_cooling(world, accounts, lives),
        contacts=_of_contacts(world, accounts, lives),
        representatives=_of_representatives(world),
        cross_sell=_of_pairs(world, baskets),
        segments=_table(
            segment=np.array(SEGMENTS), margin_share=margins(world), growth=growths(world)
        ),
        prospects=_table(
            prospect_id=prospects.table["prospect_id"],
            propensity=prospects.propensity,
            is_alike=prospects.is_alike,
            expected_spend=prospects.spend,
        ),
    )


def _of_accounts(world: World, accounts: Accounts, lives: Lives, level: Floats) -> pa.Table:
    is_customer = lives.alive[:, -1] & accounts.buys
    has_left = ~lives.alive[:, -1] & accounts.buys
    left_on, cools_from = _last_changes(world, lives)
    pace = np.diff(lives.steady_clock[:, -2:], axis=1)[:, 0]
    returned = accounts.spend * level * RETURNED_PACE * _stay(world, accounts)
    uplift = response_of(world, accounts)
    due = _due(world, lives, pace)
    has_cycle = np.isfinite(accounts.cycle)
    referred = np.bincount(
        accounts.referred_by[accounts.referred_by >= 0], minlength=world.accounts
    )
    return _table(
        customer_id=accounts.ids,
        is_customer=is_customer,
        left_on=dates(np.where(has_left, left_on, np.inf), world.first_day),
        is_cooling=is_customer & (lives.cooling[:, -1] > 0),
        cools_from=dates(cools_from, world.first_day),
        spend_now=accounts.spend * level * pace,
        needs=accounts.needs * level,
        potential=(accounts.needs - accounts.spend) * level,
        is_underserved=accounts.is_underserved,
        satisfaction=lives.satisfaction[:, -1],
        response_uplift=_where(has_left, uplift),
        value_if_returned=_where(has_left, returned),
        winback_value=_where(has_left, uplift * returned),
        cycle_days=_where(has_cycle, accounts.cycle),
        cycle_category=pa.array(np.array(CATEGORIES)[accounts.steady_category], mask=~has_cycle),
        due_on=dates(np.where(has_cycle & is_customer, due, np.inf), world.first_day),
        is_advocate=accounts.is_advocate,
        referred=referred,
        is_unprofitable=accounts.is_unprofitable,
    )


def _last_changes(world: World, lives: Lives) -> tuple[Floats, Floats]:
    """The day on which each account last stopped, and on which it last began to cool down."""
    left_on, cools_from = np.full((2, world.accounts), np.inf)
    for row, _, stop, cools in lives.spells:  # in the order of their beginnings
        left_on[int(row)] = stop
        cools_from[int(row)] = cools if np.isfinite(cools) else cools_from[int(row)]
    return left_on, cools_from


def _stay(world: World, accounts: Accounts) -> Floats:
    """How many of the next 365 days an account stays, as a share of a year: hazards add up."""
    unsatisfied = np.exp(world.satisfaction_effect * (MEAN_SATISFACTION - accounts.satisfaction))
    rate = (world.churn_rate + world.cooling_rate) * unsatisfied + 1e-9
    found: Floats = (1 - np.exp(-rate)) / rate
    return found


def _due(world: World, lives: Lives, pace: Floats) -> Floats:
    """The day of the next steady reorder at today's pace; workdays and jitter are not known yet."""
    clock = lives.steady_clock[:, -1]
    ahead = np.where(lives.steady_marks > clock[:, None], lives.steady_marks, np.inf).min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = world.days - 1 + np.ceil((ahead - clock) / pace)
    return np.where(np.isfinite(found), found, np.inf)


def _of_cooling(world: World, accounts: Accounts, lives: Lives) -> pa.Table:
    spells = lives.spells[np.isfinite(lives.spells[:, 3])]
    rows = spells[:, 0].astype(int)
    spells, rows = spells[accounts.buys[rows]], rows[accounts.buys[rows]]
    return _table(
        customer_id=accounts.ids[rows],
        warned_from=dates(spells[:, 3] - WARNING_DAYS, world.first_day),
        cools_from=dates(spells[:, 3], world.first_day),
        left_on=dates(spells[:, 2], world.first_day),
    )


def _of_contacts(world: World, accounts: Accounts, lives: Lives) -> pa.Table:
    told = lives.treatments
    return _table(
        customer_id=accounts.ids[told.row],
        day=dates(told.day, world.first_day),
        held_out=told.held_out,
        response_uplift=told.uplift,
        returned=told.returned,
    )


def _of_representatives(world: World) -> pa.Table:
    rates, who = win_rates(world), names(world)
    return _table(
        representative_id=np.repeat(who, len(SEGMENTS)),
        segment=np.tile(np.array(SEGMENTS), len(who)),
        win_rate=rates.ravel(),
    )


def _of_pairs(world: World, baskets: Baskets) -> pa.Table:
    """The planted pairs; none where nothing leads to anything."""
    planted = baskets.pairs if world.cross_sell_lift > 0 else ()
    return _table(
        category=pa.array([CATEGORIES[lead] for lead, _ in planted], pa.string()),
        next_category=pa.array([CATEGORIES[led] for _, led in planted], pa.string()),
        lift=pa.array([1 + world.cross_sell_lift] * len(planted), pa.float64()),
        within_days=pa.array([PAIR_DAYS] * len(planted), pa.int64()),
    )


def _where(is_told: Bools, values: Floats) -> pa.Array:
    return pa.array(values, mask=~is_told)


def _table(**columns: NDArray[np.generic] | pa.Array | pa.ChunkedArray) -> pa.Table:
    return pa.table({name: _column(values) for name, values in columns.items()})


def _column(values: NDArray[np.generic] | pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pa.array(values) if isinstance(values, np.ndarray) else values
