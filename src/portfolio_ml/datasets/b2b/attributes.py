"""The customers table: a row per account, and one more from each day on which something changed."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.accounts import Accounts
from portfolio_ml.datasets.b2b.days import Ints, dates
from portfolio_ml.datasets.b2b.lives import Lives
from portfolio_ml.datasets.b2b.representatives import names
from portfolio_ml.datasets.b2b.world import REGIONS, RELATIONSHIPS, SEGMENTS, SIZES, World


def customers(world: World, accounts: Accounts, lives: Lives) -> pa.Table:
    """What is known of each account, dated by `valid_from`, as in `schema.CUSTOMERS`.

    `company_size` (employees) is an attribute of our own. `ended_at` is told for contracts, from
    the day on which they end to the one on which the account returns.
    """
    ended = _ended(world, accounts, lives)
    changed = np.zeros((world.accounts, world.days), bool)
    for grid in (accounts.region, accounts.segment, accounts.representative, ended):
        changed[:, 1:] |= grid[:, 1:] != grid[:, :-1]
    later_row, later_day = np.nonzero(changed)
    row = np.concatenate([np.arange(world.accounts), later_row])
    day = np.concatenate([np.maximum(accounts.signup, 0), later_day])
    since = np.concatenate([accounts.signup, later_day])
    order = np.lexsort((since, row))
    row, day, since = row[order], day[order], since[order]
    by = accounts.referred_by[row]
    end = ended[row, day].astype(float)
    columns = {
        "customer_id": accounts.ids[row],
        "valid_from": dates(since, world.first_day),
        "signup_date": dates(accounts.signup[row], world.first_day),
        "ended_at": dates(np.where(end < 0, np.inf, end), world.first_day),
        "region": np.array(REGIONS)[accounts.region[row, day]],
        "segment": np.array(SEGMENTS)[accounts.segment[row, day]],
        "relationship_type": np.array(RELATIONSHIPS)[accounts.relationship[row]],
        "company_size": np.array(SIZES)[accounts.size[row]],
        "representative_id": names(world)[accounts.representative[row, day]],
        "birthday": accounts.birthday[row].astype("datetime64[D]"),
        "service_cost": accounts.service_cost[row],
        "referred_by": pa.array(accounts.ids[by], mask=by < 0),
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _ended(world: World, accounts: Accounts, lives: Lives) -> NDArray[np.int64]:
    """The day on which a contract ended, on every day from then on; -1 where it has not."""
    found: Ints = np.full((world.accounts, world.days), -1)
    for row, start, stop, _ in lives.spells:
        account, begin = int(row), int(start)
        found[account, begin:] = -1
        if RELATIONSHIPS[accounts.relationship[account]] == "contract" and np.isfinite(stop):
            found[account, int(stop) :] = int(stop)
    return found
