"""The benchmark of a night's work, on a size that takes moments: that it runs, and adds up."""

import joblib
import pytest
from benchmarks import score_plain, score_whole
from benchmarks.features import portfolio
from benchmarks.score import SHORT, WHOLE, Bench, nights
from benchmarks.score_package import FOLLOWED
from benchmarks.score_page import page
from benchmarks.server import postgresql
from tests.small_models import small_models

from portfolio_ml import bundles
from portfolio_ml.bundles import Bundle, Bundled

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,  # the benchmark is: nothing that users run rests on it
]

LINES, CUSTOMERS = 6_000, 300


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A benchmark whose models are trained already."""
    folder = tmp_path_factory.mktemp("bench")
    lines = portfolio(folder, rows=LINES, customers=CUSTOMERS)
    told = ("1", "blend", "2020-01-01", "2020-01-02T00:00:00+00:00", "")
    champions = {target: Bundled(*told, files) for target, files in small_models().items()}
    bundles.write(Bundle("benchmark", "0.1.0", champions), folder / "bundle")
    for way, plain in {SHORT: score_plain, WHOLE: score_whole}.items():
        joblib.dump(plain.train(lines.file, lines.as_of), folder / f"{way}.joblib")
    with postgresql() as server:
        yield Bench(lines, lines, server, folder)


@pytest.mark.long
def test_all_ways_deliver_every_customer_and_their_steps_are_told(bench, capsys):
    found = nights(bench, lines=LINES)
    assert found.customers > 0.9 * CUSTOMERS
    assert {*FOLLOWED.values()} <= {*found.first.steps}
    for night in (found.short, found.whole, found.first, found.again):
        told = sum(step.wall for step in night.steps.values())
        assert 0 < told < night.cost.wall_seconds
    assert found.first.delivery_seconds > 0
    assert f"{found.customers:,} customers" in page(found, command="it", machine=["here"])
    assert "package, again" in capsys.readouterr().out
