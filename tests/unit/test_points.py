"""Loyalty points: earned and redeemed, exact, and every refused row accounted for."""

from datetime import date

import pytest

from portfolio_ml import points
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
HEADER = "customer_id,timestamp,points"
FULL = f"{HEADER},reason,expires_at"


@pytest.fixture
def load(engine, tmp_path):
    """Loads points from a CSV file."""

    def load(header: str, *rows: str, share: float = 1.0, **how):
        (tmp_path / "points.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        data = {
            "transactions": {"source": "sales.csv"},
            "points": {"source": "points.csv", **how},
            "max_quarantined_share": share,
        }
        values = {"name": "shop", "timezone": "Europe/Berlin", "data": data}
        return points.load(settings_from(values, base=tmp_path), engine, today=TODAY)

    return load


def test_an_entry_is_earned_or_redeemed_perhaps_with_a_reason_and_an_expiry(load, engine):
    table = load(FULL, "a,2024-02-29T23:30:00Z,12.5,purchase,2025-03-01", "a,2024-03-02,-10,,")
    first = to_day(date(2024, 3, 1))
    assert engine.collect(table.frame.sort("day")).to_pylist() == [
        {
            "customer_id": "a",
            "day": first,
            "points": 125_000,
            "reason": "purchase",
            "expires_day": to_day(date(2025, 3, 1)),
        },
        {
            "customer_id": "a",
            "day": first + 1,
            "points": -100_000,
            "reason": None,
            "expires_day": None,
        },
    ]
    assert table.columns == {"reason", "expires_at"}


def test_without_reason_and_expiry_points_never_expire(load, engine):
    table = load(HEADER, "a,2024-03-01,1")
    [row] = engine.collect(table.frame).to_pylist()
    assert (row["reason"], row["expires_day"]) == (None, None)
    assert table.columns == frozenset()


def test_points_whose_balance_64_bits_could_not_hold_are_refused(load):
    rows = [f"c{n},2024-03-01,{sign}1e12" for n in range(231) for sign in ("", "-")]
    with pytest.raises(DataError, match=r"column points comes to more .* \(in points\.csv\)"):
        load(HEADER, *rows)


def test_the_rules_refuse_what_cannot_be_used(load, tmp_path):
    bad = {
        "customer_id_missing": ",2024-03-01,1,,",
        "timestamp_missing": "a,,1,,",
        "timestamp_unreadable": "a,soon,1,,",
        "timestamp_before_1900": "a,1899-12-31,1,,",
        "timestamp_in_the_future": "a,2024-03-12,1,,",
        "points_missing": "a,2024-03-01, ,,",
        "points_unreadable": "a,2024-03-01,many,,",
        "points_out_of_range": "a,2024-03-01,inf,,",
        "expires_at_unreadable": "a,2024-03-01,1,,never",
        "expires_at_before_1900": "a,2024-03-01,1,,1753-01-01",
        "expired_before_earned": "a,2024-03-01,1,,2024-02-29",
    }
    assert [rule.name for rule in points.rules(TODAY, may_expire=True)] == [*bad]
    table = load(FULL, "a,2024-03-01,1,,2024-03-01", *bad.values())
    found = [(r["row_number"], r["rule"]) for r in table.quarantine.to_pylist()]
    assert found == [*enumerate(bad, start=2)]
    assert {*table.quarantine["source"].to_pylist()} == {str(tmp_path / "points.csv")}
    assert (table.kept, table.quarantined) == (1, 11)


def test_points_that_are_taken_away_may_name_an_expiry_of_the_past(load):
    assert load(FULL, "a,2024-03-01,-5,expired,2024-02-29").quarantined == 0


def test_an_earlier_day_does_not_see_later_entries(load, engine):
    table = load(HEADER, "a,2024-02-01,5", "a,2024-02-02,-3")
    seen = [
        engine.collect(table.known_on(date(2024, *on)).select("points"))["points"].to_pylist()
        for on in ((1, 31), (2, 1), (2, 2))
    ]
    assert [sum(found) for found in seen] == [0, 50_000, 20_000]


def test_a_fault_names_the_section(load):
    with pytest.raises(DataError, match=r"data\.points\.format"):
        load(HEADER, "a,2024-03-01,1", "a,2024-03-01,many", share=0.1)
    with pytest.raises(DataError, match=r"'points' is missing .*data\.points\.columns"):
        load("customer_id,timestamp,x", "a,2024-03-01,1")
