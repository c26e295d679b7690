"""What is asked before a training that workers are to end, and what is told of it after."""

from threading import Event
from types import SimpleNamespace

import pytest
from tests.small_shop import quietly, settings_of

from portfolio_ml import every_row
from portfolio_ml.config import Distributed, DuckDB
from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.models import cluster

pytestmark = pytest.mark.unit


def portfolio(folder, distributed, **engine):
    """As much of an opened portfolio as is asked for."""
    settings = settings_of(folder)
    training = settings.training.model_copy(update={"distributed": distributed})
    update = {"training": training, "engine": DuckDB(**engine)}
    return SimpleNamespace(settings=settings.model_copy(update=update))


def test_nothing_is_asked_where_nothing_is_distributed(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    every_row.demand_workers(portfolio(tmp_path, None))


def test_workers_that_a_training_starts_itself_are_not_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(every_row, "connected", lambda _: pytest.fail("somebody was asked"))
    every_row.demand_workers(portfolio(tmp_path, Distributed(workers=2)))


def test_dask_is_missed_before_the_training_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="needs Dask, which is not installed"):
        every_row.demand_workers(portfolio(tmp_path, Distributed(workers=2)))


def test_the_folder_is_missed_before_the_training_begins(tmp_path):
    section = Distributed(workers=2, folder="rows")
    with pytest.raises(ConfigError, match=r"training\.distributed\.folder.*rows"):
        every_row.demand_workers(portfolio(tmp_path, section))


def test_a_scheduler_is_asked_before_the_training_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    section = Distributed(workers=2, scheduler="tcp://127.0.0.1:9", folder=".")
    with pytest.raises(ServiceUnavailableError, match="No Dask scheduler answers"):
        every_row.demand_workers(portfolio(tmp_path, section))


def test_rows_lie_where_the_engine_spills_unless_a_folder_is_named(tmp_path):
    spill, rows = tmp_path / "spill", tmp_path / "rows"
    here = Distributed(workers=2)
    assert every_row._folder(portfolio(tmp_path, here)) is None
    assert every_row._folder(portfolio(tmp_path, here, temp_directory=spill)) is None
    spill.mkdir()
    rows.mkdir()
    assert every_row._folder(portfolio(tmp_path, here, temp_directory=spill)) == spill
    named = Distributed(workers=2, folder="rows")
    assert every_row._folder(portfolio(tmp_path, named, temp_directory=spill)) == rows


def test_without_anything_to_learn_from_no_worker_is_started(tmp_path):
    learned = SimpleNamespace(snapshots=None)
    opened = portfolio(tmp_path, Distributed(workers=2))
    with every_row.grower(opened, learned, say=quietly) as grower:
        assert grower is None


def test_the_notes_tell_how_many_rows_the_trees_saw_and_what_did_not():
    found = SimpleNamespace(rows=12_000, partitions=(1, 2))
    notes = every_row.with_note({"churn": ["a"], "lifetime_value": []}, found, max_rows=500)
    note = (
        "its trees were fitted on all 12,000 rows by 2 workers; their number, the calibration, the "
        "intervals and the backtest rest on at most 500 of them"
    )
    assert notes == {"churn": ["a", note], "lifetime_value": [note]}
    assert every_row.with_note({"churn": ["a"]}, None, max_rows=500) == {"churn": ["a"]}


def test_an_interrupt_ends_what_the_workers_do():
    """The thread that waits for them would otherwise be waited for, as long as trees take."""
    closed = Event()

    def interrupted():
        raise KeyboardInterrupt

    client = SimpleNamespace(nthreads=interrupted, close=closed.set)
    own = cluster.Cluster(client, ("tcp://127.0.0.1:1",), "this machine", is_own=True)
    with pytest.raises(KeyboardInterrupt):
        own.watched(lambda: closed.wait(60))
    assert closed.is_set()
