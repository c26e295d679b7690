"""The prospects: firms that have not bought yet, some of them like the best customers."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.accounts import (
    SEGMENT_SHARES,
    SIZE_SHARES,
    Accounts,
    log_spend_told,
)
from portfolio_ml.datasets.b2b.days import Bools, Floats
from portfolio_ml.datasets.b2b.world import REGIONS, SEGMENTS, SIZES, World

ALIKE = 0.25
BUYS = 0.2  # of the prospects, on average
SOURCES = ("fair", "web", "list", "recommendation")


@dataclass(frozen=True, slots=True)
class Prospects:
    """The prospects and what is true of them.

    Attributes:
        table: What is known of them, as in the table `prospects`.
        is_alike: Whether they were drawn to be like the best customers.
        propensity: The probability that they become customers.
        spend: What they would spend, EUR a year, as their attributes tell it (the median).
    """

    table: pa.Table
    is_alike: Bools
    propensity: Floats
    spend: Floats


def drawn_prospects(world: World, accounts: Accounts) -> Prospects:
    """The prospects of a world."""
    chance, count = world.chance("prospects"), world.prospects
    best = np.argsort(-accounts.needs, kind="stable")[: max(world.accounts // 10, 1)]
    like = chance.choice(best, count)
    is_alike = chance.random(count) < ALIKE
    size = chance.choice(len(SIZES), count, p=SIZE_SHARES)
    segment = chance.choice(len(SEGMENTS), count, p=SEGMENT_SHARES)
    size = np.where(is_alike, accounts.size[like], size)
    segment = np.where(is_alike, accounts.segment[like, -1], segment)
    told = log_spend_told(world, size, segment)
    spread = float(told.std())
    fit = (told - told.mean()) / spread if spread > 0 else np.zeros(count)
    odds = np.log(BUYS / (1 - BUYS)) + world.fit_effect * fit
    columns: dict[str, NDArray[np.str_]] = {
        "prospect_id": np.char.mod("P%04d", np.arange(1, count + 1)),
        "region": np.array(REGIONS)[chance.integers(0, len(REGIONS), count)],
        "segment": np.array(SEGMENTS)[segment],
        "company_size": np.array(SIZES)[size],
        "lead_source": np.array(SOURCES)[chance.integers(0, len(SOURCES), count)],
    }
    return Prospects(
        table=pa.table({name: pa.array(values) for name, values in columns.items()}),
        is_alike=is_alike,
        propensity=1 / (1 + np.exp(-odds)),
        spend=world.median_spend * np.exp(told),
    )
