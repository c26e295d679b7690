"""Nights of a small shop: scored whole or in part, dry, through time, with a target down."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests import small_shop
from tests.examples import is_long

from portfolio_ml import pipeline
from portfolio_ml.cli import app
from portfolio_ml.config import load_settings

pytestmark = pytest.mark.integration

AS_OF = small_shop.TRAINED
LINEAGE = {"run_id", "scored_at"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the shop's sales and its champions."""
    folder = tmp_path_factory.mktemp("shop")
    small_shop.trained(small_shop.settings_of(folder))
    return folder


@pytest.fixture
def shop(trained, tmp_path):
    """A copy of it, and how to write its config."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)

    def shop(*delivery: dict, **others):
        values = {
            "name": "shop",
            "data": {"transactions": {"source": "sales.parquet"}},
            "targets": {
                "churn": {"horizon_days": 30},
                "lifetime_value": {"horizon_days": 30},
                "segments": {"count": 3},
            },
            "engine": {"threads": 1},
            "tracking": {"uri": f"sqlite:///{trained / 'mlflow.db'}"},
            "delivery": list(delivery),
            # The portfolio's columns are in every night's rows, and take half of its time.
            "scoring": {"portfolio": is_long()},
        }
        (tmp_path / "shop.yaml").write_text(yaml.safe_dump(values | others))
        return tmp_path

    return shop


SQL = {"kind": "sql", "url": "sqlite:///crm.db"}
CSV = {"kind": "csv", "path": "scores.csv"}


def command(folder, capsys, *words, code=0):
    """A command of the package on the shop's config; gives what it prints as JSON."""
    ended = app.run([*words, "--config", str(folder / "shop.yaml"), "--json", "--quiet"])
    out, err = capsys.readouterr()
    assert ended == code, err
    return (json.loads(out) if out else None), err


def ask(folder, sql):
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        return connection.execute(sql).fetchall()


def scored(folder, as_of=AS_OF, customers=None):
    settings = load_settings(folder / "shop.yaml")
    with pipeline.opened(
        settings, today=small_shop.NOW.date(), as_of=as_of, say=small_shop.quietly
    ) as portfolio:
        return pipeline.score(
            portfolio, now=lambda: small_shop.NOW, say=small_shop.quietly, customers=customers
        ).rows


def figures(rows: pa.Table) -> list[dict]:
    return [{n: v for n, v in row.items() if n not in LINEAGE} for row in rows.to_pylist()]


def digests(folder):
    """Every file of the folder, and what is in it."""
    files = (f for f in folder.rglob("*") if f.is_file())
    return {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


class TestSome:
    def test_a_row_is_the_same_alone_and_among_all(self, shop):
        folder = shop()
        everybody = figures(scored(folder))
        for chosen in (["buyer#0007"], ["buyer#0000", "buyer#0050", "buyer#0119"]):
            alone = figures(scored(folder, customers=chosen))
            assert alone == [row for row in everybody if row["customer_id"] in chosen]

    def test_only_theirs_is_delivered_and_files_are_left_alone(self, shop, capsys):
        folder = shop(SQL, CSV)
        (folder / "some.txt").write_text("buyer#0001\nbuyer#0002\nnobody\n")
        told, _ = command(
            folder, capsys, "score", "--as-of", f"{AS_OF}", "--customers", str(folder / "some.txt")
        )
        assert [r["table_name"] for r in told["receipts"]] == ["customer_scores"]
        assert ask(folder, "SELECT customer_id FROM customer_scores ORDER BY 1") == [
            ("buyer#0001",),
            ("buyer#0002",),
        ]
        assert not (folder / "scores.csv").exists()

    def test_nobody_in_the_history_is_told(self, shop, capsys):
        folder = shop(SQL)
        (folder / "some.txt").write_text("1\n")
        _, err = command(folder, capsys, "score", "--customers", str(folder / "some.txt"), code=65)
        assert "None of these customers is in the history: saw 1 ids, such as '1'" in err


class TestADryRun:
    def test_counts_what_a_run_then_does_and_writes_nothing(self, shop, capsys):
        folder = shop(SQL, CSV)
        words = ("score", "--as-of", f"{AS_OF}")
        command(folder, capsys, *words)
        before = digests(folder)
        later = ("score", "--as-of", f"{AS_OF + timedelta(1)}")
        told, _ = command(folder, capsys, *later, "--dry-run")
        assert digests(folder) == before
        done, _ = command(folder, capsys, *later)
        counts = ("rows", "sent", "unchanged", "rejected", "status")
        assert [[t["receipt"][n] for n in counts] for t in told["targets"]] == [
            [r[n] for n in counts] for r in done["receipts"]
        ]

    def test_shows_figures_before_and_after(self, shop, capsys):
        folder = shop(SQL)
        command(folder, capsys, "score", "--as-of", f"{AS_OF}")
        told, _ = command(
            folder, capsys, "score", "--as-of", f"{AS_OF + timedelta(20)}", "--dry-run"
        )
        changes = told["targets"][0]["changes"]
        assert changes
        for change in changes:
            [held] = ask(
                folder,
                "SELECT p_churn, ltv FROM customer_scores"
                f" WHERE customer_id = '{change['customer_id']}'",
            )
            for name, value in zip(("p_churn", "ltv"), held, strict=True):
                if name in change["figures"]:
                    assert change["figures"][name][0] == value
                    assert change["figures"][name][1] != value


class TestFilling:
    DAYS = 4 if is_long() else 2
    LAST = date(2023, 10, 23)
    FIRST = LAST - timedelta(DAYS - 1)

    def test_gives_what_each_night_would_have_given(self, shop, capsys, tmp_path):
        folder = shop(SQL)
        words = ("score", "--from", f"{self.FIRST}", "--to", f"{self.LAST}")
        told, _ = command(folder, capsys, *words)
        days = [self.FIRST + timedelta(n) for n in range(self.DAYS)]
        assert [each["as_of"] for each in told["dates"]] == [f"{day}" for day in days]
        filled = ask(folder, "SELECT * FROM customer_scores_history ORDER BY 1, 2")
        (folder / "crm.db").unlink()
        for day in days:
            command(folder, capsys, "score", "--as-of", f"{day}")
        nightly = ask(folder, "SELECT * FROM customer_scores_history ORDER BY 1, 2")
        assert [row[:-2] for row in filled] == [row[:-2] for row in nightly]

    def test_again_writes_nothing(self, shop, capsys):
        folder = shop(SQL)
        words = ("score", "--from", f"{self.FIRST}", "--to", f"{self.LAST}")
        command(folder, capsys, *words)
        told, _ = command(folder, capsys, *words)
        assert [r["sent"] for each in told["dates"] for r in each["receipts"]] == [0] * self.DAYS

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--from", "2023-10-20"), "--from and --to go together"),
            (("--from", "2023-10-21", "--to", "2023-10-20"), "--to lies before --from"),
            (("--from", "soon", "--to", "2023-10-20"), "--from is no date"),
            (
                ("--from", "2023-10-20", "--to", "2023-10-21", "--dry-run"),
                "--dry-run and --from do not go together",
            ),
        ],
    )
    def test_is_asked_for_in_one_way(self, shop, capsys, words, said):
        _, err = command(shop(SQL), capsys, "score", *words, code=2)
        assert said in err


class TestTargets:
    def test_one_that_is_down_stops_no_other(self, shop, capsys):
        folder = shop(
            SQL,
            {"kind": "sql", "url": "postgresql://ann:s3cret@127.0.0.1:1/crm"},
            {"kind": "parquet", "path": "no/such/folder/scores.parquet"},
            CSV,
        )
        told, err = command(folder, capsys, "score", "--as-of", f"{AS_OF}", code=69)
        assert [r["table_name"] for r in told["receipts"]] == ["customer_scores", "scores.csv"]
        assert len(told["faults"]) == 2
        assert "the database does not answer" in err.lower()
        assert "s3cret" not in json.dumps(told) + err

    def test_nothing_to_retry_and_nothing_to_migrate_say_so(self, shop, capsys):
        folder = shop(SQL)
        command(folder, capsys, "deliver", "--retry", code=99)
        command(folder, capsys, "score", "--as-of", f"{AS_OF}")
        command(folder, capsys, "deliver", "--retry", code=99)
        command(folder, capsys, "migrate", code=99)

    def test_what_a_rule_refused_is_delivered_once_the_rule_is_gone(self, shop, capsys):
        folder = shop(SQL)
        command(folder, capsys, "score", "--as-of", f"{AS_OF}")
        ask(
            folder,
            "CREATE TRIGGER strict BEFORE UPDATE ON customer_scores WHEN new.value_tier = 'A'"
            " BEGIN SELECT RAISE(ABORT, 'not tier A'); END",
        )
        told, _ = command(folder, capsys, "score", "--as-of", f"{AS_OF + timedelta(20)}")
        refused = told["receipts"][0]["rejected"]
        assert refused > 0
        assert ask(folder, "SELECT COUNT(*), MIN(reason) FROM portfolio_rejects") == [
            (refused, "not tier A")
        ]
        ask(folder, "DROP TRIGGER strict")
        told, _ = command(folder, capsys, "deliver", "--retry")
        assert told["receipts"][0]["sent"] == refused
        assert ask(folder, "SELECT COUNT(*) FROM portfolio_rejects") == [(0,)]


class TestErasing:
    def test_a_customer_comes_back_nowhere(self, shop, capsys):
        folder = shop(SQL, CSV, {"kind": "parquet", "path": "all", "partitioned": True})
        command(folder, capsys, "score", "--as-of", f"{AS_OF}")
        told, _ = command(folder, capsys, "erase", "--customer", "buyer#0007")
        assert sum(each["rows"] for each in told["removed"]) >= 4
        told, _ = command(folder, capsys, "score", "--as-of", f"{AS_OF}")
        assert {r["suppressed"] for r in told["receipts"]} == {1}
        command(folder, capsys, "report", "--as-of", f"{AS_OF}")
        for file in folder.rglob("*"):
            if file.is_file() and file.suffix in {".db", ".csv", ".html", ".parquet"}:
                is_source = file.name in {"sales.parquet", "mlflow.db"}
                assert is_source or b"buyer#0007" not in file.read_bytes(), file
        for file in folder.rglob("all/**/*.parquet"):
            assert (
                "buyer#0007"
                not in pq.read_table(file, partitioning=None)["customer_id"].to_pylist()
            )


def test_a_merged_customers_old_row_leaves_the_crm(shop, capsys):
    folder = shop(SQL)
    command(folder, capsys, "score", "--as-of", f"{AS_OF}")
    (folder / "merges.csv").write_text("old_id,new_id\nbuyer#0003,buyer#0004\n")
    sources = {
        "transactions": {"source": "sales.parquet"},
        "customer_merges": {"source": "merges.csv"},
    }
    shop(SQL, data=sources)
    told, _ = command(folder, capsys, "score", "--as-of", f"{AS_OF}")
    assert told["receipts"][0]["retired"] == 1
    assert (
        ask(folder, "SELECT customer_id FROM customer_scores WHERE customer_id = 'buyer#0003'")
        == []
    )
    told, _ = command(folder, capsys, "score", "--as-of", f"{AS_OF}")
    assert [told["receipts"][0][n] for n in ("sent", "retired")] == [0, 0]


def test_bands_tremble_less_than_chances(shop, capsys):
    """Night after night, who stands on an edge keeps the band that they had."""
    first = "2023-10-17" if is_long() else "2023-10-26"
    flips = {}
    for margin in (0.0, 0.1):
        folder = shop(
            SQL,
            scoring={"portfolio": False, "bands": {"medium": 0.4, "high": 0.7, "margin": margin}},
        )
        command(folder, capsys, "score", "--from", first, "--to", "2023-10-31")
        rows = ask(
            folder,
            "SELECT customer_id, churn_band FROM customer_scores_history"
            " WHERE churn_band IS NOT NULL ORDER BY 1, as_of",
        )
        pairs = pairwise(rows)
        flips[margin] = sum(a[0] == b[0] and a[1] != b[1] for a, b in pairs)
        (folder / "crm.db").unlink()
    assert flips[0.1] < flips[0.0]
