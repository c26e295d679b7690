"""Promote, roll back and look at the record, by command and from Python; and the same twice."""

import json

import pytest
from tests.small_shop import NOW, learnt, settings_of, trained

import portfolio_ml as pml
from portfolio_ml import champions, registry
from portfolio_ml.checkup import check_up
from portfolio_ml.cli import app
from portfolio_ml.errors import ConfigError
from portfolio_ml.gate import Decision
from portfolio_ml.models.files import digests
from portfolio_ml.models.segments import SegmentModel
from portfolio_ml.pipeline import TrainingResult

pytestmark = pytest.mark.integration

CONFIG = """
name: shop
data: {transactions: {source: sales.parquet}}
tracking: {uri: "sqlite:///mlflow.db"}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The settings of a shop trained twice, with version 1 in force, and the models' digests."""
    settings = settings_of(tmp_path_factory.mktemp("promoted"))
    (settings.base / "shop.yaml").write_text(CONFIG)
    trained(settings, keep=True)
    first = digests_of(settings)
    trained(settings, keep=True, promote=False)
    return settings, (first, digests_of(settings))


def digests_of(settings):
    models, _ = learnt(settings)
    return {target: digests(files) for target, files in models.items()}


def test_the_same_data_and_seed_give_the_same_bytes(shop):
    _, (first, second) = shop
    assert first == second


def test_a_training_whose_model_is_refused_ends_with_78_where_it_is_asked_for(
    shop, capsys, monkeypatch
):
    settings, _ = shop
    decisions = {
        "churn": Decision("churn", is_promoted=False, reasons=("behind",)),
        "segments": Decision("segments", is_promoted=True, reasons=("as good",)),
    }
    result = TrainingResult(NOW.date(), {}, decisions, {"churn": "3", "segments": "3"}, "r3")
    monkeypatch.setattr("portfolio_ml.pipeline.train", lambda *_, **__: result)
    arguments = ["train", "--config", str(settings.base / "shop.yaml"), "--json", "--quiet"]

    assert app.run(arguments) == 0
    assert app.run([*arguments, "--fail-on", "refused"]) == 78
    assert "The gate refused churn." in capsys.readouterr().err


def test_a_champion_is_changed_and_changed_back_by_command(shop, capsys):
    settings, _ = shop
    config = ["--config", str(settings.base / "shop.yaml")]
    assert app.run(["rollback", "churn", *config, "--reason", "no", "--quiet"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing to roll back to" in told.err
    assert app.run(["promote", "churn", "2", *config, "--reason", "looks better", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["before"], done["version"], done["reason"]) == ("1", "2", "looks better")
    assert app.run(["promote", "churn", "2", *config]) == 99
    assert champions.successions(settings)[0].aliases == {"champion": "2", "previous": "1"}

    pml.rollback(settings, "churn", reason="too many false alarms")
    record = pml.champion_record(settings)
    assert "too many false alarms" in repr(record)
    assert record.successions[0].aliases == {"champion": "1"}
    capsys.readouterr()
    assert app.run(["champions", *config]) == 0
    assert "looks better" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("target", "version", "told"), [("value", 1, "no such target"), ("churn", 9, "no version 9")]
)
def test_what_makes_no_sense_is_refused(shop, target, version, told):
    settings, _ = shop
    with pytest.raises(ConfigError, match=told):
        pml.promote(settings, target, version, reason="a try")


def test_a_rollback_needs_a_reason(shop):
    settings, _ = shop
    with pytest.raises(ConfigError, match="needs a reason"):
        pml.rollback(settings, "churn", reason=" ")


def test_before_any_training_there_is_nothing_to_change(tmp_path):
    settings = settings_of(tmp_path)
    with pytest.raises(ConfigError, match="Nothing has been trained"):
        pml.promote(settings, "churn", 1, reason="a try")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_segment_id_is_not_given_twice_although_its_model_was_rolled_back(shop):
    """A model of more segments, champion for a while, has used up their ids."""
    settings, _ = shop
    with registry.opened(settings) as store:
        files = store.champion("segments").files
        assert store.highest_segment_id() == SegmentModel.from_files(files).highest_id
        store.keep_highest_segment_id(40)
    before, highest_id = champions.segments_in_force(settings)
    assert (before.highest_id, highest_id) == (3, 40)


def test_the_doctor_finds_the_champions_whole_and_a_file_that_was_changed(shop):
    settings, _ = shop
    config = settings.base / "shop.yaml"

    def champions_checked():
        checks = check_up(config, now=NOW, say=lambda _: None)
        return {c.subject: c for c in checks if c.area in ("tracking", "champions")}

    found = champions_checked()
    assert {check.state for check in found.values()} == {"ok"}
    assert "whole" in found["Churn"].saw
    kept = {path: path.read_bytes() for path in settings.base.glob("mlartifacts/**/judgement.json")}
    assert kept
    try:
        for path, content in kept.items():
            path.write_bytes(content + b" ")
        broken = champions_checked()
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    faults = [check for check in broken.values() if check.state == "fault"]
    assert [check.area for check in faults] == ["champions"] * 3
    assert {check.exit_code for check in faults} == {65}
