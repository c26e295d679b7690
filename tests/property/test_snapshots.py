"""What holds for the outcomes and the activity window of any history."""

import numpy as np
import pytest
from hypothesis import given
from tests.by_hand import activity_days, outcome, pasts
from tests.examples import shown
from tests.histories import after, day_of, history_of, lines

from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import Horizons
from portfolio_ml.labels import outcomes
from portfolio_ml.snapshots import labelled
from portfolio_ml.standing import activity_windows

pytestmark = pytest.mark.property

HORIZONS = Horizons(churn_days=60, value_days=90)
EARLIER, AS_OF = day_of(after(250)), day_of(after(300))

examples = shown(20)
few_examples = shown(4)

histories = lines(last_day=400)


@examples
@given(drawn=histories)
def test_outcomes_are_what_a_calculation_by_hand_gives(engine, drawn):
    inputs = inputs_of(history_of(engine, drawn), engine)
    names = ("future_purchase_days", "future_spend", "future_returned")

    future = outcomes(inputs, (EARLIER, AS_OF), horizons=HORIZONS)
    rows = engine.collect(future.join(inputs.customers, on="customer"))
    found = {(r["customer_id"], r["as_of"]): [r[n] for n in names] for r in rows.to_pylist()}

    for day in (EARLIER, AS_OF):
        for customer in {line.customer for line in drawn}:
            wanted = [float(value) for value in outcome(drawn, customer, day, HORIZONS)]
            assert found.pop((customer, day), [0, 0, 0]) == wanted
    assert not found


@examples
@given(drawn=histories)
def test_activity_windows_are_what_kaplan_meier_by_hand_gives(engine, drawn):
    inputs = inputs_of(history_of(engine, drawn), engine)

    found = activity_windows(inputs, (EARLIER, AS_OF))

    assert found == {day: activity_days(pasts(drawn, day).values()) for day in (EARLIER, AS_OF)}


@few_examples
@given(drawn=histories.filter(lambda drawn: bool(pasts(drawn, AS_OF))))
def test_a_customer_has_churned_exactly_where_no_purchase_follows(engine, drawn):
    inputs = inputs_of(history_of(engine, drawn), engine)

    found = labelled(inputs, (AS_OF,), horizons=HORIZONS)

    wanted = [outcome(drawn, customer, AS_OF, HORIZONS) for customer in pasts(drawn, AS_OF)]
    assert found.churned.tolist() == [days == 0 for days, _, _ in wanted]
    assert found.spend.tolist() == [float(spend) for _, spend, _ in wanted]
    assert found.returned.tolist() == [float(returned) for _, _, returned in wanted]
    assert np.unique(found.customer).size == len(found)
