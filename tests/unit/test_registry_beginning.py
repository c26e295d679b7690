"""Two who begin one tracking store: one after the other, or told to come again."""

import pytest

from portfolio_ml.errors import TryAgainLaterError
from portfolio_ml.registry import beginning
from portfolio_ml.registry.beginning import alone_at_first

pytestmark = pytest.mark.unit


@pytest.fixture
def address(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_who_comes_second_waits_and_goes_on_when_the_first_is_done(address, monkeypatch):
    first = alone_at_first(address)
    first.__enter__()
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        first.__exit__(None, None, None)

    monkeypatch.setattr(beginning.time, "sleep", pause)
    with alone_at_first(address):
        assert len(pauses) == 1


def test_who_waits_too_long_is_told_to_come_again(address, monkeypatch):
    monkeypatch.setattr(beginning, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(beginning.time, "sleep", lambda _: None)
    with (
        alone_at_first(address),
        pytest.raises(TryAgainLaterError, match="process is beginning"),
        alone_at_first(address),
    ):
        pass


def test_nothing_is_left_behind_and_another_folder_waits_for_nobody(address, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with alone_at_first(address), alone_at_first(f"sqlite:///{other / 'mlflow.db'}"):
        pass
    assert [*tmp_path.iterdir()] == [other]


def test_a_server_sees_to_it_itself():
    with alone_at_first("https://mlflow.example"), alone_at_first("https://mlflow.example"):
        pass
