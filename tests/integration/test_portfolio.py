"""The portfolio's figures from end to end: the demo on a small simulated world, and what follows.

The demo is walked once; who writes, writes to a database of its own.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.browser.chromium import chromium
from tests.browser.walks import walk

from portfolio_ml.customer_rows import CUSTOMER_FIGURES
from portfolio_ml.datasets import b2b
from portfolio_ml.portfolio.catalogue import contracts
from portfolio_ml.schema import CUSTOMER_ROWS

from .conftest import FIVE_SEGMENTS, LIGHTER, ONCE, called, unless_long

pytestmark = pytest.mark.integration

WORLD = b2b.World(accounts=200, years=3, prospects=40, representatives=4)
NAMED = [c.name for c in contracts() if "customer_id" in c.names]
"""The figures that name customers."""
LINEAGE = [c.name for c in CUSTOMER_ROWS.columns if c.lineage]


@pytest.fixture(scope="module", autouse=True)
def small_world():
    """The built-in portfolio, with fewer accounts."""
    simulate = b2b.simulate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b2b, "simulate", cache(lambda: simulate(WORLD)))
        yield


@pytest.fixture(scope="module")
def demo(small_world, tmp_path_factory):
    """The demo's folder, and what it printed."""
    folder = tmp_path_factory.mktemp("b2b")
    lighter = unless_long(LIGHTER, ONCE, FIVE_SEGMENTS)
    done = called("demo", "b2b", "--dir", folder, **lighter)
    assert done.code == 0, done.err
    return folder, done


@pytest.fixture(scope="module")
def scores(demo):
    return table(demo[0] / "crm.db", "customer_scores")


def table(database: Path, name: str) -> pd.DataFrame:
    with closing(sqlite3.connect(database)) as crm:
        return pd.read_sql(f"SELECT * FROM {name} ORDER BY 1, 2", crm)


def config_of(demo, name: str, *, copied: bool = False) -> Path:
    """The demo's config, with a CRM and a list of the erased of its own; empty, or as they are."""
    folder, _ = demo
    text = (folder / "b2b.yaml").read_text()
    own = folder / f"{name}.yaml"
    text = text.replace("crm.db", f"{name}.db").replace("scores.parquet", f"{name}.parquet")
    own.write_text(f'{text}state: {{url: "sqlite:///{name}-state.db"}}\n')
    if copied:
        shutil.copy(folder / "crm.db", folder / f"{name}.db")
        shutil.copy(folder / "scores.parquet", folder / f"{name}.parquet")
    return own


def assert_same(some: pd.DataFrame, others: pd.DataFrame) -> None:
    plain = [frame.drop(columns=LINEAGE).astype(object) for frame in (some, others)]
    one, two = (frame.where(frame.notna(), None).reset_index(drop=True) for frame in plain)
    pd.testing.assert_frame_equal(one, two, check_column_type=False)


def test_the_demo_shows_whom_to_contact_and_says_that_all_is_simulated(demo):
    _, done = demo
    for words in ("Whether the portfolio is healthy", "Whom to contact today", "portfolio_daily_"):
        assert words in done.out
    assert done.out.strip().endswith("The data are simulated: no such business, no such customers.")


@pytest.mark.long  # CDNOW's answers every time
@pytest.mark.browser
def test_its_report_answers_in_a_browser(demo, tmp_path):
    folder, _ = demo
    with chromium() as browser:
        walk(browser, folder / "report.html", tmp_path)


def test_score_fills_the_columns_of_the_portfolio_as_its_figures_tell(demo, scores):
    folder, _ = demo
    told = scores.set_index("customer_id")
    # Of so few customers no uplift is proven, nor a match; no delivery terms are configured.
    untold = {"best_representative", "winback_value", "delivery_term"}
    for name in {*CUSTOMER_FIGURES} - untold:
        assert told[name].notna().any(), name
    for figure, column, ours in [
        ("potential", "potential_gap", "potential_gap"),
        ("daily_list", "rank", "priority_rank"),
        ("next_category", "category", "next_category"),
    ]:
        rows = table(folder / "crm.db", f"portfolio_{figure}").set_index("customer_id")
        assert rows[column].to_dict() == told[ours].dropna().to_dict(), ours


def test_score_again_writes_nothing(demo):
    done = called("score", "--config", demo[0] / "b2b.yaml")

    assert done.code in {0, 99}, done.err
    assert done.out.count("nothing changed") == 2


def test_some_customers_have_the_rows_that_they_have_among_all(demo, scores, tmp_path):
    chosen = scores["customer_id"][5:30:6]
    file = tmp_path / "some.csv"
    file.write_text("customer_id\n" + "\n".join(chosen))

    done = called("score", "--config", config_of(demo, "some"), "--customers", file)

    assert done.code == 0, done.err
    assert_same(
        table(demo[0] / "some.db", "customer_scores"),
        scores[scores["customer_id"].isin(chosen)],
    )


def test_dates_are_filled_with_the_figures_of_their_time(demo, scores):
    config = config_of(demo, "dates")

    done = called("score", "--config", config, "--from", "2025-09-29", "--to", "2025-09-30")

    assert done.code == 0, done.err
    history = table(demo[0] / "dates.db", "customer_scores_history")
    assert sorted({*history["as_of"]}) == ["2025-09-29", "2025-09-30"]
    by_date = history.groupby("as_of")
    assert by_date["priority_rank"].min().tolist() == [1, 1]
    assert (by_date["potential_gap"].count() > 0).all()
    figures = ["customer_id", *CUSTOMER_FIGURES, *LINEAGE]  # bands are steady by the day before
    assert_same(table(demo[0] / "dates.db", "customer_scores")[figures], scores[figures])


def test_without_the_portfolio_its_columns_are_null(demo, scores):
    config = config_of(demo, "without")

    done = called("score", "--config", config, PORTFOLIO_ML__SCORING__PORTFOLIO="false")

    assert done.code == 0, done.err
    rows = table(demo[0] / "without.db", "customer_scores")
    assert rows[[*CUSTOMER_FIGURES]].isna().all(axis=None)
    others = [name for name in scores.columns if name not in CUSTOMER_FIGURES]
    assert_same(rows[others], scores[others])


def test_portfolio_again_changes_no_table_and_a_new_target_is_filled(demo):
    folder, _ = demo
    config = config_of(demo, "again", copied=True)
    files = '    - {kind: sql, url: "sqlite:///again.db"}\n    - {kind: parquet, path: figures}\n'
    text = config.read_text()
    config.write_text(text.replace('    - {kind: sql, url: "sqlite:///again.db"}\n', files))

    done = called("portfolio", "--config", config, "--json", "--quiet")

    assert done.code == 0, done.err
    said = json.loads(done.out, parse_constant=pytest.fail)
    assert [*said["figures"]] == [c.name for c in contracts()][:-1]
    for name, figure in said["figures"].items():
        if figure["absent"]:
            assert figure["rows"] == []
        else:
            held = pq.read_table(folder / "figures" / f"{name}.parquet")
            assert held.num_rows == len(figure["rows"])
    receipts = said["receipts"]
    assert {r["sent"] for r in receipts if r["target"].endswith("again.db")} == {0}
    assert sum(r["sent"] for r in receipts) == sum(
        r["rows"] for r in receipts if not r["target"].endswith("again.db")
    )


def test_a_figure_that_there_is_not_is_refused_with_a_guess(demo):
    done = called("portfolio", "--config", demo[0] / "b2b.yaml", "--figure", "sektions")

    assert done.code == 2
    assert "did you mean 'sections'?" in done.err.lower()
    assert "loading" not in done.err


def test_a_dry_run_writes_nothing(demo):
    config = config_of(demo, "dry")

    done = called("portfolio", "--config", config, "--dry-run", "-f", "sections", "-f", "flow")

    assert done.code == 0, done.err
    assert "How the active customers of then became those of now" in done.out
    assert not (demo[0] / "dry.db").exists()


def test_an_erased_customer_is_in_no_figure_and_comes_back_in_none(demo, scores):
    config = config_of(demo, "erased", copied=True)
    database = demo[0] / "erased.db"
    listed = table(database, "portfolio_daily_list")["customer_id"]
    who = listed[0]
    assert who in {*scores["customer_id"]}

    done = called("erase", "--config", config, "--customer", who)

    assert done.code == 0, done.err
    assert who not in texts_of(database)
    flags = [word for name in NAMED for word in ("-f", name)]
    again = called("portfolio", "--config", config, "--json", *flags)
    assert again.code == 0, again.err
    assert who not in texts_of(database)
    assert who not in again.out


def texts_of(database: Path) -> str:
    """All that a database holds, as SQL."""
    with closing(sqlite3.connect(database)) as crm:
        return "\n".join(crm.iterdump())


@pytest.mark.long
def test_an_older_table_gets_the_columns_by_migrate_and_their_values_by_score(demo, scores):
    config = config_of(demo, "older", copied=True)
    database = demo[0] / "older.db"
    with closing(sqlite3.connect(database)) as crm, crm:
        for name in ("customer_scores", "customer_scores_history"):
            for column in CUSTOMER_FIGURES:
                crm.execute(f"ALTER TABLE {name} DROP COLUMN {column}")
        crm.execute("UPDATE portfolio_tables SET schema_version = 2")

    refused = called("score", "--config", config, PORTFOLIO_ML__SCORING__PORTFOLIO="false")
    migrated = called("migrate", "--config", config)
    scored = called("score", "--config", config)

    assert refused.code != 0
    assert "migrate" in refused.err
    assert [migrated.code, scored.code] == [0, 0], migrated.err + scored.err
    rows = table(database, "customer_scores")
    assert {*rows.columns} == {*CUSTOMER_ROWS.names}
    assert_same(rows[[*scores.columns]], scores)
