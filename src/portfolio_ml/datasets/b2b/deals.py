"""The opportunities: who offered what to whom, and how it ended."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from portfolio_ml.datasets.b2b.accounts import Accounts
from portfolio_ml.datasets.b2b.days import Bools, Floats, Ints, dates, days_at_random, workday
from portfolio_ml.datasets.b2b.representatives import names, win_rates
from portfolio_ml.datasets.b2b.world import CATEGORIES, REGIONS, SEGMENTS, World

DEALS_A_YEAR = 1.5  # per account
WITH_NEWCOMERS = 0.25  # deals with firms that are no accounts, beside those with accounts
STANDS_IN = 0.2  # of the deals, somebody else makes
FORGOTTEN = 0.04  # of the deals, nobody ever decides
DEAL_PART = 0.12  # of an account's yearly spend


@dataclass(frozen=True, slots=True)
class _Begun:
    """Deals as they begin, in the order of their opening; `row` is -1 with newcomers."""

    row: Ints
    opened: Ints
    segment: Ints
    region: Ints
    representative: Ints
    amount: Floats


def opportunities(world: World, accounts: Accounts, seen: Bools) -> pa.Table:
    """The deals, won, lost or still open; those with newcomers have no customer_id."""
    begun, chance = _begun(world, accounts, seen), world.chance("decisions")
    count = len(begun.row)
    offered = begun.opened + np.ceil(chance.gamma(2.0, 5.0, count))
    decided = offered + np.ceil(np.exp(chance.normal(np.log(24.0), 0.6, count)))
    decided = np.where(chance.random(count) < FORGOTTEN, np.inf, decided)
    is_won = chance.random(count) < win_rates(world)[begun.representative, begun.segment]
    offered = np.where(offered < world.days, offered, np.inf)
    is_open = decided >= world.days
    ended = np.where(is_won, "won", "lost")
    under_way = np.where(np.isfinite(offered), "offered", "qualified")
    columns = {
        "opportunity_id": np.char.mod("D%05d", np.arange(1, count + 1)),
        "customer_id": pa.array(accounts.ids[begun.row], mask=begun.row < 0),
        "representative_id": names(world)[begun.representative],
        "outcome": pa.array(ended, mask=is_open),
        "stage": np.where(is_open, under_way, ended),
        "opened_at": dates(begun.opened, world.first_day),
        "offered_at": dates(offered, world.first_day),
        "closed_at": dates(np.where(is_open, np.inf, decided), world.first_day),
        "amount": begun.amount,
        "category": chance.choice(CATEGORIES, count),
        "segment": np.array(SEGMENTS)[begun.segment],
        "region": np.array(REGIONS)[begun.region],
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _begun(world: World, accounts: Accounts, seen: Bools) -> _Begun:
    """Deals with accounts, mostly by their own representative, and with newcomers, by anybody."""
    chance = world.chance("deals")
    known, opened = days_at_random(chance, seen.astype(float), DEALS_A_YEAR / 365.25)
    more = round(WITH_NEWCOMERS * len(known))
    row = np.concatenate([known, np.full(more, -1)])
    day = np.concatenate([opened, chance.integers(0, world.days, more)])
    is_new, count = row < 0, len(row)
    like = np.where(is_new, chance.integers(0, world.accounts, count), row)
    anybody = is_new | (chance.random(count) < STANDS_IN)
    who = chance.integers(0, world.representatives, count)
    amount = DEAL_PART * accounts.spend[like] * np.exp(0.6 * chance.normal(size=count))
    moved = workday(day, world.first_day)
    order = np.lexsort((row, moved))
    order = order[moved[order] < world.days]
    return _Begun(
        row=row[order],
        opened=moved[order],
        segment=accounts.segment[like, day].astype(np.int64)[order],
        region=accounts.region[like, day].astype(np.int64)[order],
        representative=np.where(anybody, who, accounts.representative[like, day])[order],
        amount=np.maximum(amount, 150.0).round(-1)[order],
    )
