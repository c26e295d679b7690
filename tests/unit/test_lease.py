"""Who may deliver to a CRM: one at a time, and none that has died or gone silent."""

from datetime import UTC, datetime, timedelta

import pytest

from portfolio_ml.databases import writing
from portfolio_ml.errors import TryAgainLaterError
from portfolio_ml.sinks.lease import BEAT_SECONDS, EXPIRY, LEASES, leased

pytestmark = pytest.mark.unit

URL = "sqlite:///state.db"
NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    with writing(URL, base=tmp_path) as database:
        database.create(LEASES)
    return tmp_path


def held_by(folder, holder, renewed_at):
    with writing(URL, base=folder) as database:
        database.run("INSERT INTO portfolio_leases VALUES ('crm', '', ?, ?)", holder, renewed_at)


def renewed(folder):
    with writing(URL, base=folder) as database:
        return database.ask("SELECT holder, renewed_at FROM portfolio_leases")[0]


def test_another_machine_keeps_its_lease_until_it_was_silent_for_long(folder):
    held_by(folder, "elsewhere 7 12", NOW)
    now = NOW + EXPIRY
    with (
        pytest.raises(TryAgainLaterError, match="elsewhere"),
        leased("crm", url=URL, base=folder, now=lambda: now),
    ):
        pass
    later = now + timedelta(seconds=1)
    with leased("crm", url=URL, base=folder, now=lambda: later):
        assert renewed(folder)[1] == later.isoformat()
    assert renewed(folder)[0] is None


def test_a_clock_that_went_back_keeps_no_lease_for_longer(folder):
    """Else a machine that died would hold it until the time of its last sign comes again."""
    held_by(folder, "elsewhere 7 12", NOW + EXPIRY + timedelta(seconds=1))
    with leased("crm", url=URL, base=folder, now=lambda: NOW):
        assert renewed(folder)[1] == NOW.isoformat()


def test_who_comes_second_between_the_look_and_the_grasp_does_not_deliver(folder):
    with writing(URL, base=folder) as database:
        database.run(
            "CREATE TRIGGER quicker BEFORE UPDATE ON portfolio_leases"
            " BEGIN SELECT RAISE(IGNORE); END"
        )
    with (
        pytest.raises(TryAgainLaterError, match=r"delivering to this target.*\banother process\b"),
        leased("crm", url=URL, base=folder, now=lambda: NOW),
    ):
        pass


def test_a_holder_that_nobody_can_read_holds_nothing(folder):
    held_by(folder, "?", NOW)
    with leased("crm", url=URL, base=folder, now=lambda: NOW):
        pass


def test_a_long_sleep_renews_the_lease_and_is_as_long_as_asked(folder):
    slept = []

    def now():
        return NOW + timedelta(seconds=sum(slept))

    with leased("crm", url=URL, base=folder, now=now) as lease:
        lease.sleeping(slept.append)(BEAT_SECONDS * 2 + 5)
        assert slept == [BEAT_SECONDS, BEAT_SECONDS, 5]
        assert renewed(folder)[1] == (NOW + timedelta(seconds=2 * BEAT_SECONDS)).isoformat()
