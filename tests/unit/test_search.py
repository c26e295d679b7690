"""The search: what it tries next, what it keeps, and whose databases it leaves alone."""

import sqlite3
import sys
from itertools import pairwise

import pytest

from portfolio_ml import search
from portfolio_ml.errors import ConfigError, PortfolioError, ServiceUnavailableError
from portfolio_ml.search import Dimension, opened

pytestmark = pytest.mark.unit

SPACE = {
    "leaves": Dimension(3, 15, is_whole=True),
    "rate": Dimension(0.04, 0.2),
    "share": Dimension(0.3, 1.0, is_log=False),
}
FIRST = {"leaves": 7, "rate": 0.08, "share": 0.7}


def score(values):
    return -abs(values["leaves"] - 5) - 10 * abs(values["rate"] - 0.1)


def searched(folder, trials, *, seed=7, name="churn", score=score):
    """What was tried once there are so many trials."""
    with opened("sqlite:///tuning.db", name, base=folder, space=SPACE, seed=seed) as found:
        while len(found.trials) < trials:
            values = found.proposed() if found.trials else FIRST
            found.add(values, score(values))
        return found.trials


def test_the_same_seed_tries_the_same(tmp_path):
    runs = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        runs.append(searched(tmp_path / place, 12))
    assert runs[0] == runs[1]
    assert runs[0][1:3] != searched(tmp_path, 3, seed=8)[1:]


def test_it_goes_on_as_if_there_had_been_no_break(tmp_path):
    (tmp_path / "whole").mkdir()
    for trials in (1, 4, 12):
        assert len(searched(tmp_path, trials)) == trials
    assert searched(tmp_path, 12) == searched(tmp_path / "whole", 12)


def test_a_trial_that_is_stopped_leaves_nothing(tmp_path):
    before = searched(tmp_path, 3)

    def stopped(_values):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, 4, score=stopped)
    assert searched(tmp_path, 3) == before
    (tmp_path / "whole").mkdir()
    assert searched(tmp_path, 6) == searched(tmp_path / "whole", 6)


def test_searches_of_other_names_do_not_mix(tmp_path):
    assert len(searched(tmp_path, 3)) == 3
    assert len(searched(tmp_path, 2, name="lifetime_value")) == 2


def test_everything_tried_lies_in_the_space_and_can_be_written_down(tmp_path):
    trials = searched(tmp_path, 25)
    for values in (trial.values for trial in trials):
        for name, dimension in SPACE.items():
            assert dimension.low <= values[name] <= dimension.high
            assert values[name] == float(f"{values[name]:.3g}")
        assert isinstance(values["leaves"], int)
    assert all(one != other for one, other in pairwise(trials))


def test_it_learns_from_what_was_tried(tmp_path):
    scores = [trial.score for trial in searched(tmp_path, 40)]
    assert sum(scores[20:]) > sum(scores[:20])
    assert max(scores) > score(FIRST)


def test_mlflows_database_is_refused_before_anything_is_written(tmp_path):
    file = tmp_path / "tuning.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("CREATE TABLE experiments (name TEXT)")
    database.close()
    before = file.read_bytes()
    with pytest.raises(ConfigError, match=r"belongs to another tool .*tuning.url"):
        searched(tmp_path, 1)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("sqlite:////no/such/folder/tuning.db", ServiceUnavailableError, "folder .* is not there"),
        ("frob://ann:secret@host/trials", ConfigError, "kind of database is unknown"),
        ("postgresql://ann:secret@localhost:1/trials", ServiceUnavailableError, "does not answer"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path, url, error, said):
    with (
        pytest.raises(error, match=said) as caught,
        opened(url, "churn", base=tmp_path, space=SPACE, seed=7),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "tuning.db").write_text("a,b\n" * 1000)
    with pytest.raises(PortfolioError, match="no SQLite database"):
        searched(tmp_path, 1)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(search, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'portfolio-ml\[tune\]'") as caught:
        search.demand_optuna()
    assert caught.value.exit_code == 2
