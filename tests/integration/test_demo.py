"""What `make demo` promises, looked at from outside."""

import sqlite3
from importlib.metadata import files

import pandas as pd
import pytest
from tests.browser.chromium import chromium
from tests.browser.walks import walk

import portfolio_ml
from portfolio_ml.models.reasons.codes import BY_CODE
from portfolio_ml.report import page
from portfolio_ml.report.facts import Facts
from portfolio_ml.schema import CUSTOMER_ROWS

from .conftest import called

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cdnow"),  # the demo is walked once
]

CUSTOMERS = 23_570


@pytest.fixture(scope="module")
def scores(cdnow):
    folder, _ = cdnow
    with sqlite3.connect(folder / "crm.db") as crm:
        found = pd.read_sql("SELECT * FROM customer_scores", crm)
    crm.close()
    return found


@pytest.fixture(scope="module")
def raw():
    """The raw file, read by other means than the package's."""
    (path,) = [f.locate() for f in files("lifetimes") if f.name == "CDNOW_master.txt"]
    table = pd.read_csv(
        path, sep=r"\s+", skiprows=1, names=["customer", "date", "cds", "amount"], dtype=str
    )
    table["date"] = pd.to_datetime(table["date"], format="%Y%m%d")
    table["amount"] = table["amount"].astype(float)
    return table


def test_it_tells_models_portfolio_and_places(cdnow):
    folder, done = cdnow
    for word in ("AUROC", "Normalised Gini", "23,570", "crm.db", "report.html", "mlflow.db"):
        assert word in done.out
    assert (folder / "report.html").stat().st_size < 4_000_000


def test_its_report_is_made_of_the_facts_beside_it(cdnow):
    folder, _ = cdnow
    facts = Facts.from_json((folder / "report.json").read_bytes())
    assert facts.headline.customers == CUSTOMERS
    assert len(facts.people.shown) == 2_000 < facts.people.worth_attention
    assert facts.today.first
    assert {model.target for model in facts.models} == {"churn", "lifetime_value"}
    assert page.render(facts) == (folder / "report.html").read_text("utf-8")


def test_its_report_tells_of_each_customer_what_was_delivered(cdnow, scores):
    facts = Facts.from_json((cdnow[0] / "report.json").read_bytes())
    delivered = scores.set_index("customer_id")
    assert facts.headline.value_at_risk == pytest.approx(delivered["value_at_risk"].sum(), rel=1e-6)
    for person in facts.people.shown[:100]:
        row = delivered.loc[person.customer_id]
        assert person.p_churn == pytest.approx(row["p_churn"], abs=1e-6)
        assert person.churn_band == row["churn_band"]
        if person.listed is not None:
            assert (person.listed.rank, person.listed.action) == (
                row["priority_rank"],
                row["action"],
            )


@pytest.mark.browser
@pytest.mark.long  # `tests/browser` walks through a page of a made-up book
def test_its_report_answers_in_a_browser(cdnow, tmp_path):
    folder, _ = cdnow
    with chromium() as browser:
        walk(browser, folder / "report.html", tmp_path)


def test_progress_and_nothing_else_goes_to_standard_error(cdnow):
    _, done = cdnow
    told = [line for line in done.err.splitlines() if line.strip()]
    assert told
    assert all(line[:2].isdigit() and line[2] == ":" for line in told), done.err


def test_every_customer_has_exactly_one_row(scores, raw):
    assert len(scores) == CUSTOMERS
    assert set(scores["customer_id"]) == set(raw["customer"])


def test_one_of_the_two_probabilities_is_there_and_lies_between_0_and_1(scores):
    assert (scores["p_churn"].notna() ^ scores["p_return"].notna()).all()
    assert scores["p_churn"].fillna(scores["p_return"]).between(0, 1).all()
    assert (scores["p_churn"].notna() == scores["is_active"].astype(bool)).all()


def test_reasons_are_codes_and_all_who_are_gone_have_one(scores):
    codes = {code for text in scores["churn_reasons"].dropna() for code in text.split(", ")}
    assert codes <= {*BY_CODE}
    assert {"OVERDUE", "LONG_SILENCE", "FEW_PURCHASES", "SPEND_FALLING"} <= codes
    assert scores.loc[scores["is_active"] == 0, "churn_reasons"].notna().all()


def test_contributions_add_up_to_more_where_the_risk_is_higher(cdnow, scores):
    folder, _ = cdnow
    ranked = scores[scores["p_churn"].notna()].sort_values("p_churn")["customer_id"]
    safest, riskiest = ranked.iloc[0], ranked.iloc[-1]
    settings = portfolio_ml.load_settings(folder / "cdnow.yaml")
    told = portfolio_ml.contributions(settings, [safest, riskiest]).set_index("customer_id")
    assert {*told.index} == {safest, riskiest}
    assert told.sum(axis=1)[riskiest] > 0 > told.sum(axis=1)[safest]


def test_the_interval_holds_the_value(scores):
    assert (scores["ltv_low"] <= scores["ltv"]).all()
    assert (scores["ltv"] <= scores["ltv_high"]).all()


def test_nothing_is_null_where_the_contract_knows_no_null(scores):
    assert list(scores.columns) == list(CUSTOMER_ROWS.names)
    for column in CUSTOMER_ROWS.columns:
        if not column.null:
            assert scores[column.name].notna().all(), column.name


def test_lineage_is_on_every_row(scores):
    for column in CUSTOMER_ROWS.columns:
        if column.lineage:
            assert scores[column.name].notna().all()
            assert scores[column.name].nunique() == 1
    assert scores["features_hash"].str.len().eq(16).all()


def test_history_and_receipts_are_there(cdnow):
    folder, _ = cdnow
    with sqlite3.connect(folder / "crm.db") as crm:
        assert crm.execute("SELECT count(*) FROM customer_scores_history").fetchone() == (
            CUSTOMERS,
        )
        assert crm.execute('SELECT "rows", sent FROM portfolio_runs').fetchall() == [
            (CUSTOMERS, CUSTOMERS)
        ]
    crm.close()


def test_the_file_holds_the_same_scores_as_the_database(cdnow, scores):
    folder, _ = cdnow
    file = pd.read_parquet(folder / "scores.parquet")
    assert list(file["customer_id"]) == sorted(scores["customer_id"])
    merged = scores.merge(file, on="customer_id", suffixes=("", "_file"))
    for name in ("ltv", "ltv_high", "expected_orders"):
        assert (merged[name] == merged[f"{name}_file"]).all()


def test_standing_follows_from_the_raw_file(scores, raw):
    recency = (raw["date"].max() - raw.groupby("customer")["date"].max()).dt.days
    spend = raw.groupby("customer")["amount"].sum()
    by_customer = scores.set_index("customer_id")
    active, inactive = (recency[by_customer["is_active"] == flag] for flag in (1, 0))
    assert active.max() < inactive.min()
    tiers = spend.groupby(by_customer["value_tier"]).agg(["min", "max"])
    assert tiers.loc["A", "min"] > tiers.loc["B", "max"] > tiers.loc["C", "max"]
    assert (by_customer["lifecycle_stage"] == "lapsed").sum() == len(inactive)


def test_scoring_again_changes_no_row_and_says_so(cdnow):
    before = _contents(cdnow[0])
    done = called("score", "--config", cdnow[0] / "cdnow.yaml")
    assert done.code in {0, 99}, done.err
    assert done.out.count("nothing changed") == 2
    assert _contents(cdnow[0]) == before


def test_rows_after_the_as_of_date_change_nothing(cdnow, raw, tmp_path):
    """Features and scores are the same whether later rows are there or not.

    The portfolio's columns are not among them: its figures see no future either, as
    `tests/property/test_portfolio_figures_see_no_future.py` shows one by one.
    """
    folder, _ = cdnow
    as_of = "1998-03-31"
    written = {}
    for name, rows in {"all": raw, "known": raw[raw["date"] <= as_of]}.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        config = tmp_path / f"{name}.yaml"
        config.write_text(
            f"name: cdnow\n"
            f"data: {{transactions: {{source: {name}.csv, columns: "
            f"{{customer_id: customer, timestamp: date, amount: amount, quantity: cds}}}}}}\n"
            f"tracking: {{uri: 'sqlite:///{folder}/mlflow.db'}}\n"
            f"scoring: {{portfolio: false}}\n"
            f"delivery: [{{kind: parquet, path: {name}.parquet}}]\n"
        )
        features = tmp_path / f"{name}-features.parquet"
        done = called("features", "--config", config, "--as-of", as_of, "--out", features)
        assert done.code == 0, done.err
        done = called("score", "--config", config, "--as-of", as_of)
        assert done.code == 0, done.err
        lineage = ["run_id", "scored_at"]
        written[name] = (
            features.read_bytes(),
            pd.read_parquet(tmp_path / f"{name}.parquet").drop(columns=lineage),
        )
    assert written["all"][0] == written["known"][0]
    pd.testing.assert_frame_equal(written["all"][1], written["known"][1])


def _contents(folder):
    with sqlite3.connect(folder / "crm.db") as crm:
        rows = [
            crm.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("customer_scores", "customer_scores_history")
        ]
    crm.close()
    return rows, (folder / "scores.parquet").read_bytes()
