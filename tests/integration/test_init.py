"""`init` on people's own files, and what every other command makes of the config it writes."""

import os
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.examples import is_long

from portfolio_ml.config import load_settings

from .conftest import FIVE_SEGMENTS, LIGHTER, ONCE, called, command, unless_long

pytestmark = pytest.mark.integration

FOLDER = os.environ.get("PORTFOLIO_ML_DATA")
needs_data = pytest.mark.skipif(
    FOLDER is None, reason="PORTFOLIO_ML_DATA names no folder with the public data sets"
)


def german(folder: Path) -> Path:
    rows = ["Belegnr;Kundennr;Bestelldatum;Stückpreis;Menge"]
    for n in range(400):
        day = date(2023, 1, 2) + timedelta(days=n)
        rows.append(f"B{n};{n * 7 % 40:05};{day:%d.%m.%Y};1.{n:03},50 €;{n % 3 + 1}")
    file = folder / "Verkäufe.csv"
    file.write_bytes("\r\n".join(rows).encode("cp1252"))
    return file


def american(folder: Path) -> Path:
    rows = ["Customer ID,Order Date,Order Number,Sales"]
    for n in range(400):
        day = date(2023, 1, 2) + timedelta(days=n)
        rows.append(f'C{n * 7 % 40},{day:%m/%d/%Y},{n},"$1,{n:03}.25"')
    file = folder / "sales.csv"
    file.write_text("\n".join(rows))
    return file


@pytest.mark.parametrize("make", [german, pytest.param(american, marks=pytest.mark.long)])
def test_a_config_is_written_that_validates(tmp_path, make):
    done = command("init", "--transactions", make(tmp_path).name, "--name", "shop", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "Written: shop.yaml" in done.out
    checked = called("validate", "--config", "shop.yaml", "--json", cwd=tmp_path)
    assert checked.code == 0, checked.err
    assert checked.json["kept"] == 400
    assert checked.json["quarantined"] == 0
    assert (checked.json["first_day"], checked.json["last_day"]) == ("2023-01-02", "2024-02-05")


def test_a_config_that_is_there_is_replaced_only_by_force(tmp_path):
    file = american(tmp_path)
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    arguments = ("init", "--transactions", file, "--out", tmp_path / "mine.yaml")
    refused = called(*arguments)
    assert refused.code == 2
    assert "--force" in refused.err
    assert (tmp_path / "mine.yaml").read_text() == "name: mine\n"
    assert called(*arguments, "--force").code == 0
    assert load_settings(tmp_path / "mine.yaml").name == "sales"


def test_the_config_may_lie_in_another_folder(tmp_path):
    american(tmp_path)
    (tmp_path / "configs").mkdir()
    done = called(
        "init", "--transactions", "*.csv", "--out", "configs/shop.yaml", "--json", cwd=tmp_path
    )
    assert done.code == 0, done.err
    assert done.json["columns"]["customer_id"]["column"] == "Customer ID"
    assert load_settings(tmp_path / "configs/shop.yaml").data.transactions.source == "../*.csv"
    assert called("validate", "--config", "configs/shop.yaml", cwd=tmp_path).code == 0


def test_a_customers_file_gets_a_section_that_validates(tmp_path):
    german(tmp_path)
    rows = ["Kundennr;Bundesland;Geburtsdatum;Name"]
    rows += [f"{n:05};Bayern;{n % 28 + 1:02}.05.1970;N{n}" for n in range(50)]
    (tmp_path / "Kunden.csv").write_text("\n".join(rows))
    done = called(
        "init", "--transactions", "Verkäufe.csv", "--customers", "Kunden.csv", "-n", "shop",
        "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    told = done.json["customers_table"]
    assert told["columns"]["region"]["column"] == "Bundesland"
    assert (told["customers_found"], told["customers_with_transactions"]) == (40, 40)
    text = (tmp_path / "shop.yaml").read_text(encoding="utf-8")
    assert "    # static: [region]" in text
    assert load_settings(tmp_path / "shop.yaml").data.customers.static == ()
    checked = called("validate", "--config", "shop.yaml", "--json", cwd=tmp_path)
    assert checked.json["tables"]["customers"] == {
        "read": 50, "kept": 50, "quarantined": 0, "rules": {}
    }  # fmt: skip


RETAIL, RESELLERS = "online_retail/onlineretail.parquet", "adventureworks/reseller_sales.parquet"
WALKED = {RETAIL, RESELLERS} if is_long() else set()
"""The files of which models are learnt; each time, `docs/tutorial/own_data.md` walks such a way."""


@needs_data
@pytest.mark.parametrize(
    ("source", "columns", "counts", "customers"),
    [
        (
            RETAIL,
            {
                "customer_id": "CustomerID",
                "timestamp": "InvoiceDate",
                "amount": "UnitPrice * Quantity",
                "order_id": "InvoiceNo",
                "product_id": "StockCode",
                "quantity": "Quantity",
            },
            (541_909, 135_080),
            4_339,
        ),
        (
            RESELLERS,
            {
                "customer_id": "ResellerKey",
                "timestamp": "OrderDate",
                "amount": "SalesAmount",
                "order_id": "SalesOrderNumber",
                "product_id": "ProductKey",
                "quantity": "OrderQuantity",
                "cost": "TotalProductCost",
            },
            (57_851, 0),
            632,
        ),
    ],
)
def test_the_whole_walk_needs_no_edit(tmp_path, source, columns, counts, customers):
    done = called("init", "--transactions", Path(FOLDER) / source, "--name", "shop", cwd=tmp_path)
    assert done.code == 0, done.err
    settings = load_settings(tmp_path / "shop.yaml")
    assert settings.data.transactions.columns == columns
    later = ("train", "score", "report") if source in WALKED else ()
    for name in ("validate", *later):
        run = (name, "--config", "shop.yaml", "--json", "--quiet")
        done = called(*run, cwd=tmp_path, **unless_long(LIGHTER, ONCE, FIVE_SEGMENTS))
        assert done.code == 0, done.err
        if name == "validate":
            assert (done.json["read"], done.json["quarantined"]) == counts
    if source not in WALKED:
        return
    rows = pq.read_table(tmp_path / "shop-scores.parquet")
    assert rows.num_rows == customers
    assert not any(id_.endswith(".0") for id_ in rows["customer_id"].to_pylist())
    assert (tmp_path / "shop-report.html").stat().st_size > 10_000
