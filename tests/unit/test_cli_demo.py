"""The demo: what it tells, and how it ends where a target was not served."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from portfolio_ml import pipeline
from portfolio_ml.cli import app, opened
from portfolio_ml.cli.show.walked import print_demo
from portfolio_ml.datasets import dataset
from portfolio_ml.errors import TryAgainLaterError

pytestmark = pytest.mark.unit

HEADLINE = SimpleNamespace(
    customers=3, active_customers=2, active_share=0.5, expected_value=1.0, value_at_risk=1.0,
    expected_churners=1.0,
)  # fmt: skip
TRAINED = SimpleNamespace(judgements={})


def scored(*faults):
    facts = SimpleNamespace(headline=HEADLINE, currency="USD")
    return SimpleNamespace(facts=facts, faults=faults)


def test_it_ends_as_the_first_target_that_was_not_served_says(tmp_path, monkeypatch, capsys):
    @contextmanager
    def walk(*_, **__):
        portfolio = SimpleNamespace(delivery=())
        yield SimpleNamespace(settings=SimpleNamespace(portfolio=portfolio)), print

    locked = TryAgainLaterError("the database is locked", where="crm.db")
    page = tmp_path / "report.html"
    monkeypatch.setattr(opened, "opened", walk)
    monkeypatch.setattr(pipeline, "train", lambda *_, **__: TRAINED)
    monkeypatch.setattr(pipeline, "score", lambda *_, **__: scored(locked))
    monkeypatch.setattr(pipeline, "report", lambda *_, **__: SimpleNamespace(page=page))
    assert app.run(["demo", "cdnow", "--dir", str(tmp_path / "demo")]) == 75
    told = capsys.readouterr()
    assert "The database is locked" in told.err
    assert "Where everything is" in told.out


def test_what_it_tells_to_type_can_be_typed(capsys):
    folder = Path("my demo")
    chosen, page = dataset("cdnow"), folder / "report.html"
    print_demo(chosen, TRAINED, scored(), config=folder / "cdnow.yaml", page=page)
    assert "--backend-store-uri 'sqlite:///my demo/mlflow.db'" in capsys.readouterr().out
