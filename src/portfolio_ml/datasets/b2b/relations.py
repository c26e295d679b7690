"""How we and the accounts were in touch: interactions, and contacts that we made."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.accounts import MEAN_SATISFACTION, Accounts
from portfolio_ml.datasets.b2b.days import Bools, Floats, Ints, days_at_random, moments, workday
from portfolio_ml.datasets.b2b.lives import Lives
from portfolio_ml.datasets.b2b.orders import Orders
from portfolio_ml.datasets.b2b.world import World

TOUCHES_A_YEAR = {"call": 3.0, "visit": 1.0, "email": 5.0}
CHANNEL_OF = {
    "call": "phone",
    "visit": "field",
    "email": "email",
    "survey": "email",
    "complaint": "phone",
}
ONCE_SILENT = 0.2  # of the touches, to accounts that have not ordered for long
COMPLAINTS = 0.02  # of the orders, at average satisfaction
SURVEY_DAYS = 91
ANSWERED = 0.5
ANSWER_SPREAD = 0.6  # of an answer around the satisfaction, points
OFFER_MONTHS = {3: "spring offer", 9: "autumn offer"}
OFFER_HELD_OUT = 0.15
ACTIONS = ("call", "email", "voucher")


def interactions(
    world: World, accounts: Accounts, *, lives: Lives, orders: Orders, seen: Bools
) -> pa.Table:
    """Calls, visits and mails, complaints, and surveys whose value is a satisfaction of 1 to 5."""
    here = np.where(seen, 1.0, ONCE_SILENT * np.maximum.accumulate(seen, axis=1))
    attention = (1.0 + 0.6 * accounts.size.astype(float)) / 1.6
    parts: list[tuple[str, Ints, Ints, Floats]] = []
    for kind, rate in TOUCHES_A_YEAR.items():
        per_day = attention * rate / 365.25
        rows, days = days_at_random(world.chance(kind), here, per_day)
        parts.append((kind, rows, days, np.full(len(rows), np.nan)))
    rows, days = _complaints(world, lives, orders)
    parts.append(("complaint", rows, days, np.full(len(rows), np.nan)))
    parts.append(("survey", *_surveys(world, lives, seen)))
    kinds = np.concatenate([np.full(len(rows), name) for name, rows, _, _ in parts])
    row, day, value = (np.concatenate([part[n] for part in parts]) for n in (1, 2, 3))
    day = workday(day, world.first_day)
    when = moments(day, world.first_day, world.chance("minutes"))
    order = np.lexsort((kinds, row, when))
    order = order[day[order] < world.days]
    return pa.table(
        {
            "customer_id": pa.array(accounts.ids[row[order]]),
            "timestamp": pa.array(when[order]),
            "kind": pa.array(kinds[order]),
            "value": pa.array(value[order], from_pandas=True),
            "channel": pa.array([CHANNEL_OF[kind] for kind in kinds[order]]),
        }
    )


def _complaints(world: World, lives: Lives, orders: Orders) -> tuple[Ints, Ints]:
    """Orders that an account complains of, some days later: rows, days."""
    chance = world.chance("complaint")
    unhappy = MEAN_SATISFACTION - lives.satisfaction[orders.row, orders.day]
    likely = COMPLAINTS * np.exp(world.satisfaction_effect * unhappy)
    complains = np.flatnonzero(chance.random(len(orders.row)) < likely)
    days = orders.day[complains] + chance.integers(1, 12, len(orders.row))[complains]
    return orders.row[complains], days


def _surveys(world: World, lives: Lives, seen: Bools) -> tuple[Ints, Ints, Floats]:
    """What those who are asked and answer say, once a quarter at most: rows, days, values."""
    chance = world.chance("survey")
    first = chance.integers(0, SURVEY_DAYS, world.accounts)
    asked = first[:, None] + SURVEY_DAYS * np.arange(world.days // SURVEY_DAYS + 1)
    answers = chance.random(asked.shape) < ANSWERED
    noise = chance.normal(0, ANSWER_SPREAD, asked.shape)
    answers &= asked < world.days
    rows, number = np.nonzero(answers)
    days = asked[rows, number]
    there = seen[rows, days]
    rows, number, days = rows[there], number[there], days[there]
    said = lives.satisfaction[rows, days] + noise[rows, number]
    return rows, days, np.clip(np.rint(said), 1.0, 5.0)


def contacts(world: World, accounts: Accounts, lives: Lives, seen: Bools) -> pa.Table:
    """Win-back contacts of lapsed accounts, and offers to all others twice a year."""
    told, offers = lives.treatments, _offers(world, seen)
    row, day = np.concatenate([told.row, offers[0]]), np.concatenate([told.day, offers[1]])
    held_out = np.concatenate([told.held_out, offers[2]])
    chance = world.chance("actions")
    date = (day + world.first_day).astype("datetime64[D]")
    action = np.where(
        np.arange(len(row)) < len(told.row), chance.choice(ACTIONS, len(row)), "email"
    )
    quarter = date.astype("datetime64[M]").astype(np.int64) % 12 // 3 + 1
    back = np.char.add("win-back ", np.char.add(date.astype("datetime64[Y]").astype(str), " Q"))
    campaign = np.concatenate([np.char.add(back, quarter.astype(str))[: len(told.row)], offers[3]])
    when = moments(workday(day, world.first_day), world.first_day, chance)
    order = np.lexsort((row, when))
    return pa.table(
        {
            "customer_id": pa.array(accounts.ids[row[order]]),
            "timestamp": pa.array(when[order]),
            "action": pa.array(action[order]),
            "campaign": pa.array(campaign[order]),
            "held_out": pa.array(held_out[order]),
        }
    )


def _offers(world: World, seen: Bools) -> tuple[Ints, Ints, NDArray[np.bool_], NDArray[np.str_]]:
    """Mails to all who ordered lately, which change nothing: rows, days, held out, campaign."""
    chance = world.chance("offers")
    dates = (np.arange(world.days) + world.first_day).astype("datetime64[D]")
    parts = []
    for day in np.flatnonzero(dates == dates.astype("datetime64[M]")):
        month = int(dates[day].astype("datetime64[M]").astype(np.int64)) % 12 + 1
        draws = chance.random(world.accounts)
        if month in OFFER_MONTHS and day < world.days - 3:
            row = np.flatnonzero(seen[:, day])
            name = f"{OFFER_MONTHS[month]} {dates[day].astype('datetime64[Y]')}"
            held_out = draws[row] < OFFER_HELD_OUT
            parts.append((row, np.full(len(row), day), held_out, np.full(len(row), name)))
    if not parts:
        nobody = np.empty(0, np.int64)
        return nobody, nobody, nobody.astype(bool), nobody.astype(str)
    rows, days, held, names = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, days, held, names
