"""What contacts brought, as the monitor tells it."""

from datetime import date

import pytest

from portfolio_ml.monitoring.verdict import Monitoring, Verdict
from portfolio_ml.results import contacts_table

pytestmark = pytest.mark.unit

MEASURED = {
    "action": "call",
    "audience": "inactive",
    "source": "measured",
    "horizon_days": 90,
    "contacted": 204,
    "contacted_bought": 43,
    "contacted_share": 0.2108,
    "held_out": 78,
    "held_out_bought": 10,
    "held_out_share": 0.1282,
    "uplift": 0.0841,
    "uplift_low": -0.0113,
    "uplift_high": 0.1529,
}
FEW = MEASURED | {"action": "voucher", "held_out": 3, "uplift": None}
CONFIGURED = MEASURED | {"source": "configured", "contacted": None}


def seen(*rows):
    return Monitoring(
        as_of=date(2024, 6, 30),
        versions={},
        known_until=date(2024, 1, 31),
        drifts=(),
        matured=(),
        verdict=Verdict("keep", ()),
        contacts=rows,
    )


def test_contacted_customers_stand_beside_those_held_out():
    table = contacts_table(seen(MEASURED, FEW, CONFIGURED))

    assert [row[0] for row in table.rows] == ["call", "voucher"]
    assert table.rows[0][2:] == (204, "21.1%", 78, "12.8%", "+8.4% (-1.1% to +15.3%)")
    assert table.rows[1][-1] == "too few to tell"


def test_they_are_part_of_what_the_monitor_tells_a_program():
    assert seen(MEASURED).to_dict()["contacts"] == [MEASURED]
