"""What was bought in the days before each date, against a count by hand."""

import itertools
from datetime import timedelta

import pytest
from tests.histories import Line, after, day_of, history_of

from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.monitoring import mix as module
from portfolio_ml.monitoring.mix import WINDOW_DAYS, mixes

pytestmark = pytest.mark.unit

DAYS = range(0, 200, 3)
DATES = [day_of(after(days)) for days in (-40, -1, 0, 29, 30, 31, 89, 90, 118, 119, 120, 260)]


def lines(*, are_recorded):
    """Two customers a day, some of whom return, buy of no category, or are told of late."""
    kinds = itertools.cycle(["food", "toys", None, "food", "books", "food", "toys"])
    return [
        Line(
            f"c{(days * 7 + of) % 23}",
            after(days),
            -5 if (days + of) % 11 == 0 else 5,
            category=next(kinds),
            channel="shop" if of else "web",
            recorded=after(days) + timedelta(days % 8) if are_recorded else None,
        )
        for days in DAYS
        for of in (0, 1, 2)
    ]


def by_hand(kept, name, as_of):
    seen = {
        (getattr(line, name), line.customer)
        for line in kept
        if line.amount >= 0
        and getattr(line, name) is not None
        and 0 <= as_of - line.day < WINDOW_DAYS
        and line.known_day <= as_of
    }
    labels = sorted(label for label, _ in seen)
    return {label: labels.count(label) for label in labels}


@pytest.mark.parametrize("are_recorded", [False, True])
def test_customers_are_counted_by_what_they_bought_in_the_days_before(engine, are_recorded):
    kept = lines(are_recorded=are_recorded)
    found = mixes(inputs_of(history_of(engine, kept), engine), DATES)
    assert found == {
        name: [by_hand(kept, name, as_of) for as_of in DATES] for name in ("category", "channel")
    }


def test_a_line_meets_the_dates_near_it_however_many_there_are(engine):
    inputs = inputs_of(history_of(engine, lines(are_recorded=False)), engine)
    every_day = [day_of(after(days)) for days in range(365)]
    met = engine.collect(module._stretches(inputs, every_day))
    assert met.num_rows < 2 * len(every_day)
    assert max(met["stretch"].value_counts().field("counts").to_pylist()) == 2 * WINDOW_DAYS - 1
