"""The portfolio that a command works on."""

from datetime import UTC, date, datetime

import pytest

from portfolio_ml.cli import options
from portfolio_ml.cli.opened import opened

pytestmark = pytest.mark.unit

SALES = "customer_id,timestamp,amount\na,2024-03-01,5\na,2024-03-02,5\na,2024-03-03,5\n"


@pytest.mark.parametrize(
    ("zone", "hour", "last_complete"),
    [
        ("UTC", 12, 2),
        ("America/Los_Angeles", 4, 1),  # the evening of the 2nd
        ("Asia/Tokyo", 20, 3),  # the morning of the 4th
    ],
)
def test_its_last_complete_day_is_that_of_its_time_zone(
    tmp_path, monkeypatch, zone, hour, last_complete
):
    monkeypatch.setattr(options, "now", lambda: datetime(2024, 3, 3, hour, tzinfo=UTC))
    (tmp_path / "sales.csv").write_text(SALES)
    config = tmp_path / "shop.yaml"
    config.write_text(
        f"name: shop\ntimezone: {zone}\ndata:\n  transactions:\n    source: sales.csv\n"
    )
    with opened(config, None, quiet=True) as (portfolio, _):
        assert portfolio.as_of == date(2024, 3, last_complete)
