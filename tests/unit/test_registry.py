"""What the registry makes of figures and addresses, without MLflow."""

import time

import pytest

from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.registry.address import (
    address_of,
    artifacts_beside,
    demand_answer,
    without_secrets,
)
from portfolio_ml.registry.figures import Figure, figures_of

pytestmark = pytest.mark.unit

NOBODY = "127.0.0.1:9"  # the discard port, which nothing listens on


def score(model, metric, population, cutoff, value):
    return {
        "model": model,
        "metric": metric,
        "population": population,
        "cutoff": cutoff,
        "value": value,
    }


# Figures


def test_the_winners_figures_are_named_plainly_with_cutoffs_as_steps():
    judged = {
        "cutoffs": ["2020-01-01", "2020-04-01"],
        "winner": "boosted",
        "scores": [
            score("boosted", "auroc", "all", "2020-01-01", 0.7),
            score("boosted", "auroc", "all", "2020-04-01", 0.8),
            score("boosted", "auroc", "all", None, 0.75),
            score("boosted", "auroc", "active", None, 0.6),
            score("recency", "auroc", "all", None, 0.5),
            score("recency", "auroc", "active", "2020-04-01", 0.4),
        ],
        "gains": {"auroc": {"recency": {"estimate": 0.25, "low": 0.2, "high": 0.3}}},
    }
    assert figures_of("churn", judged) == (
        Figure("auroc", 0.7, 0),
        Figure("auroc", 0.8, 1),
        Figure("auroc_mean", 0.75),
        Figure("auroc_active_mean", 0.6),
        Figure("recency.auroc_mean", 0.5),
        Figure("recency.auroc_active", 0.4, 1),
        Figure("gain.recency.auroc.estimate", 0.25),
        Figure("gain.recency.auroc.low", 0.2),
        Figure("gain.recency.auroc.high", 0.3),
    )


def test_gains_over_the_champions_recipe_are_named_so_where_another_won():
    gain = {"estimate": 0.25, "low": 0.2, "high": 0.3}
    judged = {
        "cutoffs": [],
        "winner": "boosted",
        "scores": [],
        "gains": {"auroc": {"blend": gain, "recency": gain}},
    }
    named = {figure.name: figure.value for figure in figures_of("churn", judged, champion="blend")}
    assert named["gain.champion.auroc.low"] == named["gain.blend.auroc.low"] == 0.2
    assert not [f for f in figures_of("churn", judged) if "champion" in f.name]


def test_segments_have_their_stability_and_separation():
    judged = {"stability": 0.9, "separation": 0.3, "profiles": []}
    assert figures_of("segments", judged) == (Figure("stability", 0.9), Figure("separation", 0.3))


# Addresses


def test_a_relative_database_lies_beside_the_config(tmp_path):
    address = address_of("sqlite:///mlflow.db", base=tmp_path)
    assert address == f"sqlite:///{tmp_path}/mlflow.db"
    assert artifacts_beside(address) == (tmp_path / "mlartifacts").as_uri()


def test_an_absolute_database_stays_where_it_is(tmp_path):
    assert address_of("sqlite:////srv/mlflow.db", base=tmp_path) == "sqlite:////srv/mlflow.db"


@pytest.mark.parametrize("uri", ["http://host:5000", "postgresql://ann:pw@host/ml", "databricks"])
def test_a_server_keeps_its_address_and_artifacts(uri, tmp_path):
    assert address_of(uri, base=tmp_path) == uri
    assert artifacts_beside(uri) is None


def test_the_folder_of_a_new_database_is_made(tmp_path):
    demand_answer(f"sqlite:///{tmp_path}/a/b/mlflow.db")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_an_expected_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServiceUnavailableError, match="folder cannot be made"):
        demand_answer(f"sqlite:///{tmp_path}/file/mlflow.db")


def test_a_file_that_is_no_database_is_an_expected_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("a letter, rather than a database\n" * 100)
    with pytest.raises(ConfigError, match="no SQLite database"):
        demand_answer(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_database_that_does_not_answer_is_told_at_once_and_without_its_password():
    start = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match=r"postgresql://ann:\*\*\*@") as refusal:
        demand_answer(f"postgresql://ann:s3cret@{NOBODY}/ml")
    assert time.monotonic() - start < 15
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("address", ["http://host:5000", "databricks", "mysql://host/ml"])
def test_other_stores_answer_for_themselves(address):
    demand_answer(address)


@pytest.mark.parametrize(
    ("message", "address", "told"),
    [
        (
            "no http://ann:s3cret@host/api/2.0\nat line 1",
            "http://ann:s3cret@host",
            "no http://ann:***@host/api/2.0",
        ),
        ("the password s3cret is wrong", "http://ann:s3cret@host", "the password *** is wrong"),
        ("the password s3@cret is wrong", "http://a:s3%40cret@b", "the password *** is wrong"),
        ("\n  trouble\n", "http://host", "trouble"),
        ("", "http://host", ""),
    ],
)
def test_a_message_is_told_without_secrets(message, address, told):
    assert without_secrets(message, address) == told
