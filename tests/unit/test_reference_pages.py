"""The reference: pages made from the code are up to date, and nothing public is left out."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel
from typer.main import get_command

import portfolio_ml
from portfolio_ml import answers, errors, testing
from portfolio_ml.cli import page as cli_page
from portfolio_ml.cli.app import app
from portfolio_ml.config import Settings
from portfolio_ml.config import page as config_page
from portfolio_ml.config.section import Section
from portfolio_ml.metrics import METRICS, interval_metrics
from portfolio_ml.metrics import page as metrics_page
from portfolio_ml.schema import page as schema_page
from portfolio_ml.scoring import CUSTOMER_BASE, EXTENDED

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
SOURCES = sorted((ROOT / "src/portfolio_ml").rglob("*.py"))


def text_of(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, list]]:
    """Every command with its arguments and options, as Typer knows them."""

    def within(group, before):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from within(command, f"{before}{name} ")
            else:
                yield f"{before}{name}", command.params

    return within(get_command(app), "")


def sections(kind: type[BaseModel] = Section) -> Iterator[type[BaseModel]]:
    """Every section that a config may have."""
    for each in kind.__subclasses__():
        yield each
        yield from sections(each)


@pytest.mark.parametrize(
    ("name", "made", "target"),
    [
        ("config.md", config_page.markdown, "docs-config"),
        ("commands.md", cli_page.commands, "docs-commands"),
        ("exit_codes.md", cli_page.exit_codes, "docs-exit-codes"),
        ("input_tables.md", schema_page.markdown, "docs-inputs"),
        ("exported_tables.md", schema_page.exports, "docs-exports"),
        ("metrics.md", metrics_page.markdown, "docs-metrics"),
    ],
)
def test_a_page_that_is_made_from_the_code_is_up_to_date(name, made, target):
    assert text_of(name) == made(), f"run make {target}"
    assert f"\n{target}: install ##" in (ROOT / "Makefile").read_text(encoding="utf-8")


def told_of_commands() -> dict[str, str]:
    """What the page says of each command."""
    return dict(part.split("`\n", 1) for part in text_of("commands.md").split("\n### `")[1:])


def test_every_command_argument_and_option_is_documented():
    told = told_of_commands()
    for name, parameters in commands():
        for parameter in parameters:
            is_argument = parameter.param_type_name == "argument"
            for word in [parameter.metavar] if is_argument else parameter.opts:
                assert f"`{word}`" in told[name], f"{name} {word}"
            assert parameter.help, f"{name} {parameter.name} says nothing"


def test_every_command_has_an_example_of_its_own_options():
    told = told_of_commands()
    for name, parameters in commands():
        [example] = re.findall(
            rf"^\*\*Example\*\*: `portfolio-ml {name}( .+)`$", told[name], re.MULTILINE
        )
        known = {option for parameter in parameters for option in parameter.opts}
        assert {*re.findall(r"(?<= )--[a-z-]+", example)} <= known, example


def test_every_key_of_the_config_is_documented_with_its_meaning():
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", text_of("config.md"), re.MULTILINE
    )
    told = {key for key, *_ in rows}
    for section in (Settings, *sections()):
        assert {*section.model_fields} <= told, section
    assert all(all(cells) for cells in rows), "a cell is empty"


def test_every_section_of_the_config_has_its_heading():
    schema, text = config_page.described(), text_of("config.md")
    keys = [section["properties"] for section in schema["$defs"].values()]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    # One for the file, one for what all tables share, and one for each section.
    assert len(headings) == len(keys) + 2
    assert len(set(headings)) == len(headings)


def test_every_error_is_documented_with_its_exit_code():
    text = text_of("exit_codes.md")
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.PortfolioError) and kind is not errors.PortfolioError:
            assert re.search(rf"^\| `{kind.exit_code}` \|.*`{name}`", text, re.MULTILINE), name


@pytest.mark.parametrize(
    "metric", [*METRICS.values(), *interval_metrics(0.8)], ids=lambda m: m.name
)
def test_a_metric_stays_within_the_range_that_its_page_tells(metric):
    assert f"| `{metric.name}` | {metric.unit} |" in text_of("metrics.md")
    rng = np.random.default_rng(7)
    is_churn = metric.name in {each.name for each in metrics_page.CHURN_METRICS}
    for size in (2, 3, 50):
        actual = rng.integers(0, 2, size) if is_churn else rng.normal(5, 10, size)
        score = rng.random(size) if is_churn else rng.normal(5, 10, size)
        if metric.name in {"coverage", "mean_width", "interval_score"}:
            score = np.sort(np.column_stack([score, rng.normal(5, 10, size)]))
        value = metric.value(actual, score)
        assert np.isnan(value) or metric.low <= value <= metric.high


def test_every_public_name_of_the_package_is_documented():
    told = {*re.findall(r"^\.\. auto\w+:: (?:[\w.]*\.)?(\w+)$", text_of("python.md"), re.MULTILINE)}
    results = {
        name
        for name, kind in inspect.getmembers(answers, inspect.isclass)
        if kind.__module__.startswith(answers.__name__)
    }
    raised = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    assert {*portfolio_ml.__all__, *testing.__all__, *results, *raised} <= told


def test_every_variable_that_the_package_sets_or_reads_is_documented():
    text = text_of("environment.md")
    named = {
        name
        for source in SOURCES
        for name in re.findall(
            r'"((?:MLFLOW|OMP|GIT|PORTFOLIO_ML)_[A-Z_]+)"', source.read_text(encoding="utf-8")
        )
    }
    assert "OMP_WAIT_POLICY" in named
    assert all(f"`{name}" in text for name in named)


def test_every_abstention_code_is_documented():
    text = text_of("abstention.md")
    assert f"| `{CUSTOMER_BASE}:churn` |" in text
    assert f"| `{CUSTOMER_BASE}:lifetime_value` |" in text
    assert f"| `{EXTENDED}:lifetime_value` |" in text


def test_every_rule_of_the_quarantine_is_documented():
    text = text_of("quarantine.md")
    whole = {
        (source.name, rule)
        for source in SOURCES
        for rule in re.findall(r'Rule\(\s*"(\w+)"', source.read_text(encoding="utf-8"))
    }
    assert len(whole) > 10
    endings = ("_missing", "_unreadable", "_before_1900", "_in_the_future", "_out_of_range")
    for source, rule in whole:
        ending = next((e for e in endings if rule.endswith(e)), None)
        assert f"`{rule}`" in text or (ending and f"`COLUMN{ending}`" in text), (source, rule)


def test_each_command_that_measures_is_on_the_page_of_what_is_measured():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    measuring = re.findall(
        r"^(bench-\w+|test-(?:monitor|portfolio|faults)|fuzz|mutants|flaky|coverage|audit):",
        makefile,
        flags=re.MULTILINE,
    )
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert {*re.findall(r"`make ([\w-]+)`", page)} - {"test"} == {*measuring}
