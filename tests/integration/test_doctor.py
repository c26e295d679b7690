"""A portfolio looked over: what is well, what is at fault at once, and that nothing is written."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.contract.hubspot import TOKEN, hubspot
from tests.crm import MONDAY, accounts, deliver
from tests.small_shop import NOW, history

from portfolio_ml.checkup import check_up, worst
from portfolio_ml.cli import app

pytestmark = pytest.mark.integration

MONTHS_LATER = datetime(2024, 3, 1, tzinfo=UTC)

SHOP = """
name: shop
data: {{transactions: {{source: sales.parquet}}{data}}}
targets: {{churn: {{horizon_days: 30}}, lifetime_value: {{horizon_days: 30}}}}
backtest: {{cutoffs: 1}}
delivery: [{delivery}]
{more}
"""


def shop(folder: Path, *, data: str = "", delivery: str = "", more: str = "") -> Path:
    """A config in the folder, with a small shop's sales."""
    if not (folder / "sales.parquet").exists():
        pq.write_table(history(), folder / "sales.parquet")
    config = folder / "shop.yaml"
    config.write_text(SHOP.format(data=data, delivery=delivery, more=more))
    return config


def looked_over(config: Path, *, now: datetime = NOW) -> dict[tuple[str, str], list]:
    """The checks by area and state."""
    found: dict[tuple[str, str], list] = {}
    for check in check_up(config, now=now, say=lambda _: None):
        found.setdefault((check.area, check.state), []).append(check)
    return found


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def exit_code(found) -> int:
    return worst(check for checks in found.values() for check in checks)


def test_a_portfolio_before_its_first_training_is_well_and_nothing_is_written(tmp_path):
    sinks = '{kind: sql, url: "sqlite:///crm.db"}, {kind: parquet, path: scores.parquet}'
    config = shop(tmp_path, delivery=sinks)
    before = everything(tmp_path)
    found = looked_over(config)
    assert {state for _, state in found} == {"ok", "warning"}
    [untrained] = found["tracking", "warning"]
    assert untrained.do == f"train: portfolio-ml train --config {config}"
    assert len(found["delivery", "ok"]) == 2
    assert "1 backtest cutoff" in found["data", "ok"][-1].saw
    assert exit_code(found) == 0
    assert everything(tmp_path) == before


def test_it_goes_on_after_each_fault_and_ends_as_the_worst_of_them(tmp_path):
    config = shop(
        tmp_path,
        data=", customers: {source: people.csv, columns: {customer_id: id}}",
        delivery='{kind: sql, url: "sqlite:///nowhere/crm.db"}, {kind: csv, path: scores.csv}',
        more='tracking: {uri: "postgresql://ann:s3cret@127.0.0.1:1/mlflow"}\n'
        'state: {url: "sqlite:///state.db"}',
    )
    found = looked_over(config)
    assert [check.subject for check in found["data", "fault"]] == ["customers"]
    assert found["data", "ok"][0].subject == "transactions"
    assert found["tracking", "fault"][0].exit_code == 69
    assert found["delivery", "fault"][0].exit_code == 69
    assert found["delivery", "ok"][0].subject == "scores.csv"
    assert found["state", "ok"]
    assert exit_code(found) == 69
    assert "s3cret" not in repr(found)


def test_a_config_with_faults_is_told_fault_by_fault(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("CRM_PASSWORD", raising=False)
    config = shop(tmp_path, delivery='{kind: sql, url: "postgresql://a:${CRM_PASSWORD}@h/d"}')
    config.write_text(config.read_text() + "curency: EUR\n")
    assert app.run(["doctor", "--config", str(config), "--json", "--quiet"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    subjects = [check["subject"] for check in told["checks"]]
    assert subjects == ["delivery[0].url", "curency"]


def test_people_read_a_line_for_each_check_and_what_to_do(tmp_path, capsys):
    config = shop(tmp_path, data=", max_quarantined_share: 0.0")
    pq.write_table(history().slice(0, 3), tmp_path / "sales.parquet")
    assert app.run(["doctor", "--config", str(config), "--quiet"]) == 65
    told = capsys.readouterr()
    assert told.err == ""
    assert "  ok      shop.yaml" in told.out.replace(f"{tmp_path}/", "")
    assert "  fault   history: " in told.out
    assert told.out.splitlines()[-1].startswith("1 fault, ")


def test_a_stale_load_is_a_fault_of_the_data(tmp_path):
    config = shop(tmp_path, data=", max_staleness_days: 2")
    found = looked_over(config, now=MONTHS_LATER)
    [stale] = found["data", "fault"]
    assert (stale.subject, stale.exit_code) == ("freshness", 65)
    assert "stale" in stale.saw


def test_old_data_are_told_where_nothing_says_how_old_they_may_be(tmp_path):
    [old] = looked_over(shop(tmp_path), now=MONTHS_LATER)["data", "warning"]
    assert (old.subject, old.exit_code) == ("freshness", 0)


def test_many_refused_rows_are_told_before_they_are_too_many(tmp_path):
    (tmp_path / "sales.csv").write_text(
        "customer_id,timestamp,amount\n"
        + "".join(f"c{n % 9},{date(2023, 1, 1) + timedelta(n)},5\n" for n in range(300))
        + "c1,soon,5\n" * 10
    )
    config = shop(tmp_path)
    config.write_text(config.read_text().replace("sales.parquet", "sales.csv"))
    found = looked_over(config, now=datetime(2023, 11, 1, tzinfo=UTC))
    [many] = found["data", "warning"]
    assert "300 of 310 rows kept, 3.2% refused" in many.saw


class TestOfADatabase:
    @pytest.fixture
    def target(self, crm):
        return f'{{kind: sql, url: "{crm.url}"}}'

    def test_that_is_well_every_table_stays_as_it_is(self, crm, target):
        deliver(crm, MONDAY, {})
        before = crm.state(), crm.tables()
        found = looked_over(shop(crm.base, delivery=target))
        assert found["delivery", "ok"]
        assert (crm.state(), crm.tables()) == before

    def test_of_an_earlier_version_it_tells_to_migrate(self, crm, target):
        deliver(crm, MONDAY, {})
        crm.change("ALTER TABLE customer_scores DROP COLUMN ltv")
        [fault] = looked_over(shop(crm.base, delivery=target))["delivery", "fault"]
        assert fault.exit_code == 2
        assert "customer_scores.ltv" in fault.saw
        assert "portfolio-ml migrate" in fault.do

    def test_whose_own_table_lacks_a_column_it_names_those_there_are(self, crm):
        crm.change("CREATE TABLE accounts (id text PRIMARY KEY, risk real)")
        target = accounts(crm, {"p_churn": "rsk"}, mode="update").model_dump(mode="json")
        [fault] = looked_over(shop(crm.base, delivery=json.dumps(target)))["delivery", "fault"]
        assert fault.exit_code == 2
        assert "'rsk'" in fault.saw
        assert "risk" in fault.saw + (fault.do or "")


def test_a_user_who_may_not_write_is_found_out_without_writing(postgresql_server, tmp_path):
    postgresql_server.run("CREATE DATABASE looked_at")
    postgresql_server.run("CREATE ROLE reader LOGIN")
    postgresql_server.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database="looked_at")
    url = postgresql_server.url_of("looked_at", user="reader")
    [fault] = looked_over(shop(tmp_path, delivery=f'{{kind: sql, url: "{url}"}}'))[
        "delivery", "fault"
    ]
    assert "permission denied" in fault.saw
    assert fault.exit_code in (2, 69)


@pytest.mark.parametrize("token", [TOKEN, "pat-eu1-wrong"])
def test_the_token_of_a_crm_is_tried_with_a_call_that_only_reads(tmp_path, token):
    with hubspot() as (server, address):
        target = {
            "kind": "hubspot",
            "token": token,
            "id_property": "customer_no",
            "columns": {"p_churn": "churn"},
            "base_url": address,
        }
        found = looked_over(shop(tmp_path, delivery=json.dumps(target)))
        assert not server.writes
    if token == TOKEN:
        assert "answers" in found["delivery", "ok"][0].saw
    else:
        assert "refuses the access token" in found["delivery", "fault"][0].saw
        assert token not in repr(found)
