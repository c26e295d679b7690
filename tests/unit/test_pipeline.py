"""What the walk writes, and when: the quarantine, and as-of days without sales."""

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from portfolio_ml import pipeline
from portfolio_ml.backtesting import evaluation_days, needed_days
from portfolio_ml.cli import app
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.features.table import at
from portfolio_ml.schema import QUARANTINE
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
NOW = datetime(2024, 3, 10, tzinfo=UTC)
HEADER = "customer_id,timestamp,amount"
GOOD, BAD = "a,2024-03-01,10", "a,soon,10"


def quietly(text: str) -> None:
    del text


@pytest.fixture
def shop(tmp_path):
    """Writes rows and gives the settings of their portfolio."""

    def shop(*rows: str, header: str = HEADER, figures_to=(), **data):
        (tmp_path / "sales.csv").write_text("\n".join([header, *rows, ""]))
        source = {"transactions": {"source": "sales.csv"}}
        portfolio = {"delivery": figures_to}
        values = {"name": "shop", "data": source | data, "portfolio": portfolio}
        return settings_from(values, base=tmp_path)

    return shop


class TestTheQuarantine:
    def test_holds_the_refused_rows(self, shop, tmp_path):
        settings = shop(GOOD, BAD, max_quarantined_share=0.5)
        checked = pipeline.validate(settings, today=TODAY, say=quietly)
        assert checked.quarantine == tmp_path / "quarantine.parquet"
        held = pq.read_table(checked.quarantine)
        assert held.schema.equals(QUARANTINE.arrow)
        assert held.equals(checked.history.quarantine)
        assert held.to_pylist() == [
            {
                "source": str(tmp_path / "sales.csv"),
                "row_number": 2,
                "rule": "timestamp_unreadable",
                "column": "timestamp",
                "value": "soon",
            }
        ]

    def test_is_not_there_where_nothing_is_refused(self, shop, tmp_path):
        pipeline.validate(shop(GOOD, BAD, max_quarantined_share=0.5), today=TODAY, say=quietly)
        checked = pipeline.validate(shop(GOOD), today=TODAY, say=quietly)
        assert checked.quarantine is None
        assert [f.name for f in tmp_path.iterdir()] == ["sales.csv"]

    def test_holds_them_too_where_they_are_too_many(self, shop, tmp_path):
        with pytest.raises(DataError, match="2 of 3 rows broke a rule") as caught:
            pipeline.validate(shop(GOOD, BAD, BAD), today=TODAY, say=quietly)
        place = tmp_path / "quarantine.parquet"
        assert f"Look at the refused rows in {place}; say how dates" in str(caught.value)
        assert pq.read_table(place)["row_number"].to_pylist() == [2, 3]
        assert sorted(f.name for f in tmp_path.iterdir()) == ["quarantine.parquet", "sales.csv"]

    def test_is_written_by_no_other_command(self, shop, tmp_path):
        settings = shop(GOOD, BAD, BAD)
        with (
            pytest.raises(DataError),
            pipeline.opened(settings, today=TODAY, as_of=None, say=quietly),
        ):
            pass
        assert [f.name for f in tmp_path.iterdir()] == ["sales.csv"]

    def test_lies_where_the_config_says(self, shop, tmp_path):
        settings = shop(GOOD, BAD, max_quarantined_share=0.5, quarantine="refused.parquet")
        assert pipeline.validate(settings, today=TODAY, say=quietly).quarantine == (
            tmp_path / "refused.parquet"
        )

    @pytest.mark.parametrize("name", ["sales.csv", "scores.parquet", "a_folder"])
    def test_replaces_and_removes_no_other_file(self, shop, tmp_path, name):
        pq.write_table(QUARANTINE.arrow.empty_table().select(["rule"]), tmp_path / "scores.parquet")
        (tmp_path / "a_folder").mkdir()
        with pytest.raises(ConfigError, match="there and holds something else"):
            pipeline.validate(shop(GOOD, quarantine=name), today=TODAY, say=quietly)
        assert (tmp_path / name).exists()

    def test_in_a_folder_that_is_not_there_is_unavailable(self, shop):
        settings = shop(GOOD, BAD, max_quarantined_share=0.5, quarantine="none/refused.parquet")
        with pytest.raises(ServiceUnavailableError, match="Check that its folder exists"):
            pipeline.validate(settings, today=TODAY, say=quietly)

    def test_is_told_by_the_command_line(self, shop, tmp_path, capsys):
        shop(GOOD, GOOD, BAD)
        config = tmp_path / "shop.yaml"
        config.write_text(
            "name: shop\ndata: {transactions: {source: sales.csv}, max_quarantined_share: 0.5}\n"
        )
        assert app.run(["validate", "-c", str(config)]) == 0
        assert f"quarantine: {tmp_path / 'quarantine.parquet'}" in capsys.readouterr().out
        assert app.run(["validate", "-c", str(config), "--json", "-q"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["quarantine"] == str(tmp_path / "quarantine.parquet")


class TestTheAsOf:
    def test_of_a_stale_load_is_refused(self, shop):
        settings = shop(GOOD, max_staleness_days=8)
        with (
            pytest.raises(TryAgainLaterError),
            pipeline.opened(settings, today=TODAY, as_of=None, say=quietly),
        ):
            pass

    def test_may_be_a_day_without_sales(self, shop):
        settings = shop("a,2024-02-01,1", "b,2024-03-07,1", max_staleness_days=3)
        with pipeline.opened(
            settings, today=TODAY, as_of=date(2024, 3, 9), say=quietly
        ) as portfolio:
            rows = pipeline.features(portfolio, say=quietly).rows
            recency = dict(
                zip(rows["customer_id"].to_pylist(), rows["recency_days"].to_pylist(), strict=True)
            )
        assert recency == {"a": 37, "b": 2}

    @pytest.mark.parametrize("limit", [None, 1])
    def test_may_not_be_one_that_is_not_tolerated(self, shop, limit):
        data = {} if limit is None else {"max_staleness_days": limit}
        settings = shop("a,2024-02-01,1", "b,2024-03-04,1", **data)
        with (
            pytest.raises(DataError, match="lies outside the history"),
            pipeline.opened(settings, today=TODAY, as_of=date(2024, 3, 8), say=quietly),
        ):
            pass

    @pytest.mark.parametrize("back", [0, 2])
    def test_is_the_day_that_learning_and_judging_end_with(self, shop, back):
        """A day without lines before it is no reason to learn from other days than were judged."""
        first = TODAY - timedelta(days=400)
        days = [first + timedelta(days=n) for n in range(0, 396, 5)]
        rows = [f"c{n % 7},{day},{n % 9}" for n, day in enumerate(days)]
        settings = shop(*rows, max_staleness_days=9)
        as_of = days[-1] + timedelta(days=3 - back)
        with pipeline.opened(settings, today=TODAY, as_of=as_of, say=quietly) as portfolio:
            recipe, span = portfolio.recipe, portfolio.span
            assert span.last_day == portfolio.as_of_day != portfolio.history.span.last_day
            learned = recipe.snapshot_days(span.first_day, span.last_day)
            needed = needed_days(span, recipe, evaluation_days(span, recipe, 3))
            assert {*learned} <= {*needed}


class TestFigures:
    def test_that_are_named_leave_the_list_of_all_figures_alone(self, shop):
        settings = shop(GOOD, "b,2024-03-02,5", figures_to=[{"kind": "parquet", "path": "figures"}])
        opened = pipeline.opened(settings, today=TODAY, as_of=None, say=quietly)
        with opened as portfolio:
            found, done = pipeline.portfolio_figures(
                portfolio, now=lambda: NOW, say=quietly, names=["concentration"]
            )
        assert [figure.name for figure in found.figures] == ["concentration", "figures"]
        assert [receipt.table for receipt in done.receipts] == ["concentration.parquet"]


def test_nothing_is_learnt_before_a_purchase_was_known(shop):
    """The lines of a system that another one replaced were all recorded on one day."""
    first, moved = TODAY - timedelta(days=1_200), TODAY - timedelta(days=500)
    days = [first + timedelta(days=n) for n in range(0, 1_199, 9)]
    rows = [f"c{n % 7},{day},{n % 9},{max(day, moved)}" for n, day in enumerate(days)]
    settings = shop(*rows, header=f"{HEADER},recorded_at")
    with pipeline.opened(settings, today=TODAY, as_of=None, say=quietly) as portfolio:
        assert portfolio.history.span.first_day == to_day(first)
        assert portfolio.span.first_day == to_day(moved)
        needed = needed_days(
            portfolio.span, portfolio.recipe, evaluation_days(portfolio.span, portfolio.recipe, 12)
        )
        found = at(portfolio.inputs, needed, horizons=portfolio.recipe.horizons)
        assert {*found.references} == {*needed}
