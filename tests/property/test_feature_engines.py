"""The same features, byte by byte, however the work is divided."""

import random

import pyarrow.compute as pc
import pytest
from tests.histories import HORIZONS, OPTIONAL, REFERENCE, Line, after, day_of
from tests.portfolios import KINDS, Contact, Interaction, Known, Portfolio

from portfolio_ml.config import DuckDB
from portfolio_ml.engine import opened
from portfolio_ml.features.inputs import RANGES_READ_ALL
from portfolio_ml.features.table import at

pytestmark = pytest.mark.property

DAYS = (day_of(after(700)), day_of(after(1000)))
CUSTOMERS = 3_000


@pytest.fixture(scope="module")
def portfolio():
    """A few thousand customers with odd amounts, quantities and values, in no order."""
    rng = random.Random(11)
    names = [f"c{n}" for n in range(CUSTOMERS)]

    def one_of(*values):
        return rng.choice((None, *values))

    def line(name):
        days = rng.randrange(1_000)
        return Line(
            name, after(days), rng.randrange(-2_000, 30_000) / 100,
            one_of("o-1", "o-2"), one_of(*(f"p-{n}" for n in range(30))), one_of(*"abcdefgh"),
            one_of("web", "shop", "phone"), one_of(0.1, 0.7, 1.3, 2.9), one_of(0.33, 7.77),
            one_of(0.11, 5.55), one_of(0, 400, 800, 1_200), after(days + rng.randrange(3)),
        )  # fmt: skip

    def interaction(name):
        kind = rng.choice((*KINDS, "visit"))
        return Interaction(name, after(rng.randrange(1_000)), kind, rng.randrange(100) / 10)

    return Portfolio(
        lines=[line(name) for name in rng.choices(names, k=15 * CUSTOMERS)],
        customers=[
            Known(name, since, region=rng.choice(("north", "south", None)), income=rng.random())
            for name in names
            for since in (None, after(rng.randrange(1_000)))
        ],
        interactions=[interaction(name) for name in rng.choices(names, k=10 * CUSTOMERS)],
        contacts=[
            Contact(name, after(rng.randrange(1_000)), rng.choice((True, False)))
            for name in rng.choices(names, k=3 * CUSTOMERS)
        ],
        columns={*OPTIONAL} - {"known_day"},
    )


def rows_of(portfolio, *, threads, rows_at_once=None, days=DAYS):
    references = dict.fromkeys(days, REFERENCE)
    with opened(DuckDB(threads=threads)) as engine:
        if rows_at_once:
            engine.rows_at_once = rows_at_once
        inputs = portfolio.inputs(engine)
        parts = inputs.parts(len(days))
        return len(parts), at(inputs, days, horizons=HORIZONS, references=references).rows


@pytest.fixture(scope="module")
def rows(portfolio):
    """On one thread, in one part."""
    parts, rows = rows_of(portfolio, threads=1)
    assert parts == 1
    return rows


def differing(left, right):
    return [name for name in left.column_names if left[name] != right[name]]


def test_two_threads_give_what_one_gives(portfolio, rows):
    _, again = rows_of(portfolio, threads=2)

    assert differing(again, rows) == []


def test_many_parts_give_what_one_gives(portfolio, rows):
    parts, again = rows_of(portfolio, threads=2, rows_at_once=2_000)

    assert parts == 3
    assert differing(again, rows) == []


def test_customers_laid_out_by_range_give_what_one_gives(portfolio, rows):
    at_once = CUSTOMERS // (RANGES_READ_ALL + 1)
    parts, again = rows_of(portfolio, threads=2, rows_at_once=at_once, days=DAYS[-1:])

    assert parts > RANGES_READ_ALL
    assert differing(again, rows.filter(pc.equal(rows["as_of"], DAYS[-1]))) == []
