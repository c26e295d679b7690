"""Odd, broken and hostile inputs: a sentence and an exit code, or rows kept and rows set apart."""

import csv
import json
from datetime import UTC, datetime, time

import pytest
from tests.hostile_inputs import (
    configs,
    csv_dialects,
    databases,
    encodings,
    files,
    parquet_types,
    values,
)
from tests.hostile_inputs.case import lay_out
from tests.laid_out import CONFIG, HEADER, TODAY

from portfolio_ml import opening, transactions
from portfolio_ml.cli import app, options
from portfolio_ml.config import settings_from
from portfolio_ml.timeline import to_date

pytestmark = pytest.mark.integration

TABLES = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (files, encodings, csv_dialects, parquet_types, databases, configs)
}
ALL = [
    pytest.param(case, id=f"{table}: {case.name}")
    for table, cases in TABLES.items()
    for case in cases
]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The wall stands at the same day for every input."""
    monkeypatch.setattr(options, "now", lambda: datetime.combine(TODAY, time(), UTC))


@pytest.fixture
def seen(monkeypatch):
    """Who was in the last history that was validated, and what the amounts add up to."""
    told = {}
    count = opening.repeated_lines

    def looked(history, engine):
        ids = engine.collect(history.customers)["customer_id"].to_pylist()
        told["customers"] = tuple(sorted(ids))
        told["total"] = sum(day["amount"] for day in history.days.to_pylist()) / 10_000
        return count(history, engine)

    monkeypatch.setattr(opening, "repeated_lines", looked)
    return told


@pytest.mark.parametrize("case", ALL)
def test_an_odd_input_is_refused_in_a_sentence_or_read_to_the_last_row(
    case, tmp_path, monkeypatch, capsys, seen
):
    monkeypatch.chdir(tmp_path)
    for name, value in case.variables.items():
        monkeypatch.setenv(name, value)
    lay_out(case, tmp_path)
    code = app.run(["validate", "-c", CONFIG, "--json", "-q"])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert code == case.code, shown.err[-2_000:]
    for part in case.said:
        assert part.casefold() in shown.err.casefold()
    assert "s3cret" not in shown.err
    if case.kept is None:
        assert shown.out == ""
        return
    result = json.loads(shown.out)
    assert result["read"] == result["kept"] + result["quarantined"]
    assert (result["kept"], result["rules"]) == (case.kept, dict(case.rules))
    assert case.days in (None, (result["first_day"], result["last_day"]))
    assert case.customers in (None, seen["customers"])
    assert case.total in (None, seen["total"])


def test_no_message_is_a_page_long(tmp_path, monkeypatch, capsys):
    """Whatever is in a file: names of columns are those of others, and can be of any length."""
    monkeypatch.chdir(tmp_path)
    names = ",".join("x" * 999 + str(n) for n in range(900))
    (tmp_path / "sales.csv").write_text(f"{names}\n")
    (tmp_path / CONFIG).write_text("name: shop\ndata: {transactions: {source: sales.csv}}")
    assert app.run(["validate", "-c", CONFIG, "-q"]) == 65
    assert len(capsys.readouterr().err) < 3_000


def loaded(rows, folder, *, timezone="UTC", **written):
    """The rule that each row breaks, or None; and the kept lines."""
    with (folder / "sales.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([HEADER.split(","), *rows, ("last", "2024-03-01", "1")])
    source = {"source": "sales.csv", "format": written}
    data = {"transactions": source, "max_quarantined_share": 1}
    settings = settings_from({"name": "shop", "timezone": timezone, "data": data}, base=folder)
    with opening.engines.reading(settings.engine) as engine:
        history = transactions.load(settings, engine, today=TODAY)
        lines = engine.collect(history.lines).to_pylist()
    assert history.kept + history.quarantined == len(rows) + 1
    refused = {row["row_number"]: row["rule"] for row in history.quarantine.to_pylist()}
    return [refused.get(number) for number in range(1, len(rows) + 1)], lines


@pytest.mark.parametrize(
    ("texts", "timezone"),
    [(values.DATES, "UTC"), (values.BERLIN, "Europe/Berlin")],
    ids=["UTC", "Berlin"],
)
def test_a_date_is_the_day_that_it_says_or_none(texts, timezone, tmp_path):
    rows = [(f"c{n}", text, "1") for n, text in enumerate(texts)]
    rules, lines = loaded(rows, tmp_path, timezone=timezone)
    days = {line["customer_id"]: str(to_date(line["day"])) for line in lines}
    read = [rule or days[f"c{n}"] for n, rule in enumerate(rules)]
    assert dict(zip(texts, read, strict=True)) == texts


@pytest.mark.parametrize(
    ("texts", "written"),
    [(values.NUMBERS, {}), (values.GERMAN, {"decimal": ","})],
    ids=["plain", "German"],
)
def test_an_amount_is_the_number_that_it_says_or_none(texts, written, tmp_path):
    rows = [(f"c{n}", "2024-03-01", text) for n, text in enumerate(texts)]
    rules, lines = loaded(rows, tmp_path, **written)
    amounts = {line["customer_id"]: line["amount"] / 10_000 for line in lines}
    read = [rule or amounts[f"c{n}"] for n, rule in enumerate(rules)]
    assert dict(zip(texts, read, strict=True)) == texts


def test_an_id_is_what_stands_there_without_the_blanks_around_it(tmp_path):
    texts = values.IDS
    rules, lines = loaded([(t, "2024-03-01", str(n)) for n, t in enumerate(texts)], tmp_path)
    named = {
        line["amount"] // 10_000: line["customer_id"]
        for line in lines
        if line["customer_id"] != "last"
    }
    read = [None if rule == "customer_id_missing" else named[n] for n, rule in enumerate(rules)]
    assert dict(zip(texts, read, strict=True)) == texts


def test_there_are_at_least_150_inputs_and_none_twice():
    names = [case.name for cases in TABLES.values() for case in cases]
    assert len(names) == len({*names}) >= 150
