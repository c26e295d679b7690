"""Trainings that are killed, two at once, locked out, or without room: the champion stays.

The trainings are processes of their own, forked from one that has imported what they need. What
the first one learnt is kept, and most others begin with writing it: nothing is written before.
"""

import gc
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tests.disks import disk
from tests.limits import files_up_to
from tests.small_shop import published, settings_of, trained

from portfolio_ml import publish, registry
from portfolio_ml.databases import connections
from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError

pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("training_kill"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own use of its libraries
]

TARGETS = registry.TARGETS
HERE = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The settings of a shop with champions of one training, each of version 1."""
    HERE.set_forkserver_preload(["tests.small_shop", "mlflow"])
    settings = settings_of(tmp_path_factory.mktemp("killed"))
    trained(settings, keep=True)
    return settings


def tidied(settings) -> registry.Tidied:
    """What the next training cleans up before it writes anything."""
    with registry.opened(settings) as store, store.run("next") as run_id:
        return store.tidy(run_id)


def champions(settings) -> dict[str, str]:
    """The version of each champion, whose files are all there and the registered ones."""
    with registry.opened(settings) as store:
        return {target: store.champion(target).version for target in TARGETS}


def previous(settings) -> dict[str, str | None]:
    with registry.opened(settings) as store:
        return {target: store.aliases(target).get("previous") for target in TARGETS}


def told(settings, question: str) -> list[tuple]:
    with closing(sqlite3.connect(settings.base / "mlflow.db")) as connection:
        return connection.execute(question).fetchall()


def running(settings) -> int:
    ((count,),) = told(settings, "SELECT count(*) FROM runs WHERE status = 'RUNNING'")
    return count


def in_a_process(work, *arguments) -> multiprocessing.Process:
    process = HERE.Process(target=work, args=arguments)
    process.start()
    return process


def die_at(folder: Path, method: str, call: int, *, is_whole: bool) -> None:
    """Train, and be killed right after a call of MLflow's client: the `call`-th of a method."""
    original, seen = getattr(MlflowClient, method), []

    def last(*arguments, **named):
        answer = original(*arguments, **named)
        seen.append(method)
        if len(seen) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(MlflowClient, method, last)
    (trained if is_whole else published)(settings_of(folder))


@pytest.mark.parametrize(
    ("method", "call", "is_whole"),
    [
        ("create_run", 2, True),  # the parent and the first child seem to run
        pytest.param(
            *("create_model_version", 1, False),  # a version that nobody has looked at
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("set_registered_model_tag", 1, False),  # churn's champion is about to change
            marks=pytest.mark.long,
        ),
        ("set_registered_model_alias", 1, False),  # `previous` is the champion still in force
    ],
)
def test_a_killed_training_leaves_the_champion(shop, method, call, is_whole):
    before, earlier = champions(shop), previous(shop)
    process = in_a_process(partial(die_at, is_whole=is_whole), shop.base, method, call)
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert champions(shop) == before
    assert running(shop) or method.startswith("set_registered_model")

    assert tidied(shop)
    assert not tidied(shop)
    assert running(shop) == 0
    assert champions(shop) == before
    assert previous(shop) == earlier
    unsettled = "SELECT count(*) FROM model_versions v WHERE NOT EXISTS (SELECT 1 FROM "
    unsettled += "model_version_tags t WHERE t.name = v.name AND t.version = v.version "
    assert told(shop, unsettled + "AND t.key = 'state')") == [(0,)]


def publish_with(folder: Path, barrier, answers) -> None:
    """Train, and wait for the other one before the decisions are carried out."""
    carried_out = publish._carried_out

    def together(decision, *others, **named):
        if decision.target == "churn":
            barrier.wait(300)
        return carried_out(decision, *others, **named)

    publish._carried_out = together
    result = published(settings_of(folder))
    answers.put((result.versions, {t: d.is_promoted for t, d in result.decisions.items()}))


@pytest.mark.long  # and `make test-faults` runs whole commands at once
def test_of_two_trainings_at_once_one_wins_each_target_and_the_record_is_whole(shop):
    before = champions(shop)
    barrier, answers = HERE.Barrier(2), HERE.Queue()
    both = [in_a_process(publish_with, shop.base, barrier, answers) for _ in range(2)]
    told = [answers.get(timeout=300) for _ in both]
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    now, kept = champions(shop), previous(shop)
    for target in TARGETS:
        won = [versions[target] for versions, promoted in told if promoted[target]]
        assert won == [now[target]]
        assert kept[target] == before[target]
    with registry.opened(shop) as store:
        for target in TARGETS:
            moves = store.moves(target)
            assert [m.before for m in moves[1:]] == [m.version for m in moves[:-1]]


# Locked


@contextmanager
def locked(settings) -> Iterator[None]:
    with closing(sqlite3.connect(settings.base / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_registry_is_for_later(shop, monkeypatch):
    before = champions(shop)
    monkeypatch.setattr(connections, "LOCK_WAIT_SECONDS", 0.2)
    with locked(shop), pytest.raises(TryAgainLaterError, match="locked") as refusal:
        trained(shop)
    assert refusal.value.exit_code == 75
    assert champions(shop) == before


@pytest.mark.long
def test_a_registry_that_another_locks_meanwhile_is_for_later(shop, monkeypatch):
    """The wait is MLflow's own: 20 seconds."""
    before, original = champions(shop), MlflowClient.create_model_version

    def lock_out(*arguments, **named):
        with locked(shop):
            return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", lock_out)
        with pytest.raises(TryAgainLaterError, match="locked the tracking store") as refusal:
            published(shop)
    assert refusal.value.exit_code == 75
    assert champions(shop) == before
    assert tidied(shop).runs == 2


# No room


@pytest.mark.parametrize("method", ["log_artifacts", "log_batch"])
def test_without_room_nothing_is_promoted(shop, monkeypatch, method):
    """The plots and models do not fit, or the database cannot grow."""
    before, original = champions(shop), getattr(MlflowClient, method)

    def cramped(*arguments, **named):
        with files_up_to(2_000):
            return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, cramped)
        with pytest.raises(ServiceUnavailableError, match=r"room|disk") as refusal:
            published(shop)
    assert refusal.value.exit_code == 69
    assert champions(shop) == before
    tidied(shop)
    assert running(shop) == 0
    assert champions(shop) == before


def test_a_store_begun_on_a_full_disk_is_begun_by_the_next(tmp_path):
    """MLflow by itself does not go on from half of its tables."""
    with disk(tmp_path / "disk") as small:
        settings = settings_of(small.folder)
        for room in (0, 400_000):
            small.leave(room)
            with pytest.raises(ServiceUnavailableError, match="disk is full"):
                champions(settings)  # which opens the store
            gc.collect()  # a connection ends with its exception, as with its process
            assert [*small.folder.glob("*mlflow.db?*")] == []
        small.widen()
        with registry.opened(settings) as store:
            assert store.aliases("churn") == {}
