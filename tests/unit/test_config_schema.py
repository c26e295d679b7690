"""The JSON Schema of a config: what editors say yes and no to, and what they tell of each key."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from portfolio_ml.cli import app
from portfolio_ml.config import json_schema, settings_from
from portfolio_ml.datasets import DATASETS
from portfolio_ml.errors import ConfigError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SMALLEST: dict[str, Any] = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(json_schema())


@pytest.fixture(scope="module")
def refused(schema):
    """The faults of a config that the schema finds."""
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )

    def refused(config: dict[str, Any]) -> list[str]:
        plain = json.loads(json.dumps(config, default=str))  # YAML's dates are texts in JSON
        return [error.message for error in validator.iter_errors(plain)]

    return refused


def with_value(path: str, value: object) -> dict[str, Any]:
    """The smallest config, with another value at a dotted path."""
    config = json.loads(json.dumps(SMALLEST))
    *sections, key = path.split(".")
    inner = config
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[key] = value
    return config


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of every section, with what is said of it."""
    for name, section in {"Settings": schema, **schema["$defs"]}.items():
        for key, said in section.get("properties", {}).items():
            yield f"{name}.{key}", said


def test_the_committed_schema_is_that_of_the_settings():
    committed = (ROOT / "docs" / "reference" / "config.schema.json").read_text(encoding="utf-8")
    assert committed == json_schema(), "run `make schema`"


def test_it_is_a_valid_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    own = {"ge", "gt", "le", "lt", "min_length", "max_length", "allow_inf_nan"}
    assert not own & {word for _, said in keys(schema) for word in json.dumps(said).split('"')}


def test_every_key_is_described(schema):
    assert [key for key, said in keys(schema) if not said.get("description")] == []


def test_every_section_is_described_and_knows_no_other_keys(schema):
    sections = {k: s for k, s in {"": schema, **schema["$defs"]}.items() if "properties" in s}
    assert len(sections) > 15
    for section in sections.values():
        assert section["description"]
        assert section["additionalProperties"] is False


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_it_accepts_the_configs_of_the_repository(refused, path):
    text = path.read_text(encoding="utf-8")
    assert refused(yaml.safe_load(text)) == []
    address = text.partition("\n")[0].partition("$schema=")[2]
    assert (path.parent / address).resolve() == ROOT / "docs" / "reference" / "config.schema.json"


@pytest.mark.parametrize("name", DATASETS)
def test_it_accepts_the_configs_that_demo_writes(refused, name):
    assert refused(yaml.safe_load(DATASETS[name].config)) == []


def test_it_accepts_the_config_that_init_writes(refused, tmp_path, monkeypatch):
    days = [date(2023, 1 + n % 12, 1 + n % 28) for n in range(300)]
    rows = (f"K{n % 30:04};{day:%d.%m.%Y};1.234,5{n % 10} EUR" for n, day in enumerate(days))
    text = "\n".join(["Kunde;Datum;Betrag", *rows, ""])
    (tmp_path / "sales.csv").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert app.run(["init", "--transactions", "sales.csv", "--quiet"]) == 0
    config = yaml.safe_load((tmp_path / "sales.yaml").read_text(encoding="utf-8"))
    assert config["data"]["transactions"]["format"]
    assert refused(config) == []


GOOD = [
    ("excluded_periods", [{"first": date(2020, 3, 1), "last": "2020-05-01", "reason": "closed"}]),
    ("data.transactions.columns", {"customer_id": "a", "timestamp": "b", "amount": "p * q"}),
    ("data.customers", {"source": "c.csv", "columns": {"customer_id": "id", "shoe_size": "s"}}),
    (
        "data.opportunities",
        {
            "source": "d.csv",
            "columns": {"opportunity_id": "i", "representative_id": "r", "stage": "s"},
        },
    ),
    ("data.rates", {"EUR": 1, "USD": 0.92}),
    ("data.max_staleness_days", None),
    ("activity.window_days", "auto"),
    ("delivery", [{"kind": "sql", "url": "sqlite:///crm.db"}, {"kind": "parquet", "path": "s.pq"}]),
    ("engine.memory_limit", "80%"),
    ("engine", {"kind": "spark", "master": "local[2]", "options": {"spark.executor.cores": 2}}),
    ("engine", {"kind": "spark", "remote": "sc://spark:15002"}),
]
VARIABLES = [
    "name",
    "timezone",
    "currency",
    "data.transactions.source",
    "data.transactions.format.encoding",
    "data.transactions.format.delimiter",
    "data.max_quarantined_share",
    "engine.memory_limit",
    "activity.window_days",
    "targets.segments.count",
    "tracking.uri",
    "report.path",
]
BAD = [
    ("nmae", "shop"),
    ("name", "my shop"),
    ("targets.churn.horizon", 90),
    ("targets.churn.horizon_days", 0),
    ("targets.churn.horizon_days", "soon"),
    ("targets.churn.horizon_days", True),
    ("targets.segments.count", 21),
    ("backtest.bootstrap", 99),
    ("targets.lifetime_value.coverage", 0.5),
    ("training.seed", 2**31),
    ("data.rates", {}),
    ("data.rates", {"EUR": 0}),
    ("data.transactions.format.encoding", "ascii"),
    ("data.transactions.columns", {"customer_id": "a", "timestamp": "b"}),
    ("data.transactions.columns.amuont", "x"),
    ("data.customers", {"source": "c.csv", "columns": {"customer_id": "id", "Shoe Size": "s"}}),
    (
        "data.opportunities",
        {"source": "d.csv", "columns": {"opportunity_id": "i", "representative_id": "r"}},
    ),
    ("delivery", [{"kind": "fax", "url": "x"}]),
    ("delivery", {"kind": "parquet", "path": "x"}),
    ("excluded_periods", [{"first": "2020-02-31", "last": "2020-05-01"}]),
    ("engine.memory_limit", "much"),
    ("engine.kind", "polars"),
    ("engine", {"kind": "spark", "master": "here"}),
]


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_it_accepts_what_the_settings_accept(refused, path, value):
    config = with_value(path, value)
    settings_from(config)
    assert refused(config) == []


@pytest.mark.parametrize("path", VARIABLES)
def test_it_lets_a_variable_of_the_environment_stand_for_a_value(refused, path):
    assert refused(with_value(path, "${NAME}")) == []


@pytest.mark.parametrize(("path", "value"), BAD)
def test_it_refuses_what_the_settings_refuse(refused, path, value):
    config = with_value(path, value)
    with pytest.raises(ConfigError):
        settings_from(config)
    assert refused(config) != []
