"""What the portfolio's figures cost beside the feature table, on 20 million lines.

One process loads the lines and made-up tables beside them, computes the feature table, then the
book and every figure, and tells what each step took. The champion is a stand-in, whose scores are
what the customer-base columns of the features expect, so that figures which read scores are
computed too.

Run it as `python -m benchmarks.figures [--rows 20000000] [--customers 1000000] [--folder DIR]
[--page FILE]`. With the default sizes it writes docs/reference/figures_cost.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from benchmarks.children import ROOT, Cost, measured
from benchmarks.features import Portfolio, portfolio
from benchmarks.machine import machine
from benchmarks.markdown import table
from benchmarks.portfolio_beside import tables_beside
from benchmarks.steps import Spent, read

PAGE = ROOT / "docs" / "reference" / "figures_cost.md"
VERSIONS = ("portfolio-ml", "duckdb", "narwhals", "numpy", "pandas", "pyarrow", "scipy")
ROWS, CUSTOMERS = 20_000_000, 1_000_000
MOST = 2.0
"""How many times the feature table's seconds all figures may take."""
FEATURES = "feature table"
NIGHT, BOOK = "the night's columns", "the book"
OTHERS = ("load and validate", FEATURES, "stand-in champion", NIGHT)
"""Steps that are no figures."""


def config_of(whole: Portfolio, beside: Mapping[str, Path]) -> Path:
    """The config of the portfolio and the tables beside its lines, in a file."""
    columns = {name: name for name in pq.read_schema(whole.file).names}
    config = {
        "name": "benchmark",
        "data": {
            "transactions": {"source": str(whole.file), "columns": columns},
            **{name: {"source": str(file)} for name, file in beside.items()},
        },
        "portfolio": {
            "response": {"uplift": 0.1},
            "loyalty": {"points_per_unit": 1, "expire_days": 365, "tiers": {"gold": 500}},
            "goals": [{"figure": "customers", "target": 1_000_000, "by": "2025-06-30"}],
        },
        "engine": {"threads": 2, "memory_limit": "3500MB"},
    }
    path = whole.file.with_suffix(".figures.yaml")
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def page(spent: Mapping[str, Spent], cost: Cost, *, rows: int, customers: int) -> str:
    """The benchmark's page."""
    features = spent[FEATURES]
    figures = {name: each for name, each in spent.items() if name not in OTHERS}
    total = sum(figures.values(), Spent(0.0, 0.0))
    # On a machine that others load, two steps' times on the clock are not of the same machine.
    ratio = total.cpu / features.cpu
    night = spent[BOOK] + spent[NIGHT]
    lines = [
        [name, f"{each.wall:.1f}", f"{each.cpu:.1f}", f"{each.cpu / features.cpu:.2f}"]
        for name, each in [
            (FEATURES, features),
            ("all figures", total),
            *sorted(figures.items(), key=lambda item: -item[1].cpu),
        ]
    ]
    verdict = "kept" if ratio <= MOST else "MISSED"
    return (
        "# What the portfolio's figures cost\n\n"
        f"Written by `python -m benchmarks.figures` on {'; '.join(machine(VERSIONS))}. "
        "Do not edit.\n\n"
        f"{customers:,} customers, {rows:,} lines. All figures within {MOST:g} times the CPU "
        f"seconds of the feature table: {verdict}, {ratio:.2f} times (on the clock "
        f"{total.wall / features.wall:.2f}, which says little where others load the machine). "
        f"Peak memory {cost.peak_bytes / 1e9:.2f} GB, the night's columns included, which are "
        "computed once more after all figures. A step's seconds are its own; "
        "figures that share a computation are one step, and what several steps share is in the "
        "first of them.\n\n"
        "Of these figures `score` computes those of which the customer rows tell: with the book "
        f"{night.wall:.1f} s, {night.cpu:.1f} CPU seconds.\n\n"
        + table(["step", "wall s", "CPU s", "of the feature table's CPU s"], lines)
        + "\n"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--folder", type=Path, help="where the made-up portfolio is kept")
    parser.add_argument("--page", type=Path, help="the page to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        folder = given.folder or Path(spare)
        whole = portfolio(folder, rows=given.rows, customers=given.customers)
        config = config_of(whole, tables_beside(whole.file, given.customers))
        steps = whole.file.with_suffix(".figures.json")
        child = (sys.executable, "-m", "benchmarks.figures_child", str(config), str(whole.as_of))
        cost = measured((*child, str(steps)))
        if cost.fault:
            sys.exit(cost.fault)
        text = page(read(steps), cost, rows=given.rows, customers=given.customers)
    print(text)
    is_default = (given.rows, given.customers) == (ROWS, CUSTOMERS)
    if given.page or is_default:
        (given.page or PAGE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
