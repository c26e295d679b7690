"""From 5 to 100 million lines on one machine: what training and a night's scores take as data grow.

For each size a portfolio of 20 lines a customer is made, a model trained with one cutoff, and
everybody scored and delivered to a fresh SQLite database, each command in a process of its own.
What a size took is kept in the folder and not measured again; so a run that was stopped goes on
where it was. Prints the tables, and writes them to `docs/reference/scale.md` where all sizes are
there.

Run it as `python -m benchmarks.scale [--sizes 5 20 50 100] [--memory-limit 4GB] [--folder DIR]
[--page FILE] [--again]`.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from benchmarks.children import ROOT, Cost, measured
from benchmarks.features import Portfolio, portfolio
from benchmarks.machine import machine
from benchmarks.scale_page import Size, page, tables
from benchmarks.steps import read

PAGE = ROOT / "docs" / "reference" / "scale.md"
VERSIONS = ("portfolio-ml", "duckdb", "lightgbm", "numpy", "pandas", "pyarrow")
SIZES = (5, 20, 50, 100)
MILLION = 1_000_000
LINES_A_CUSTOMER = 20
MEMORY_LIMIT = "4GB"
MAX_ROWS = 400_000
COMMANDS = ("train", "score")


def measured_size(folder: Path, millions: int, *, memory_limit: str) -> Size:
    """What one size takes; what was measured before is read."""
    kept = folder / f"scale {millions} million, {memory_limit}.json"
    if kept.exists():
        return Size.of(json.loads(kept.read_text()))
    rows = millions * MILLION
    whole = portfolio(folder, rows=rows, customers=rows // LINES_A_CUSTOMER)
    costs, steps = {}, {}
    with tempfile.TemporaryDirectory(dir=folder, prefix="scale-") as name:
        work = Path(name)
        config = _config(whole, work, memory_limit)
        for command in COMMANDS:
            costs[command] = _done(command, whole, config, work)
            steps[command] = read(work / "steps.json")
            print(f"{millions} million lines, {command}: {costs[command]}", flush=True)
        free = shutil.disk_usage(folder).free
        delivered = (work / "crm.db").stat().st_size
    size = Size(millions, costs, steps, delivered)
    kept.write_text(json.dumps(asdict(size), indent=1))
    print(f"{free / 1e9:.0f} GB of disk were free", flush=True)
    return size


def _done(command: str, whole: Portfolio, config: Path, work: Path) -> Cost:
    cost = measured(
        (
            *(sys.executable, "-m", "benchmarks.scale_child", str(work / "steps.json"), command),
            *("--config", str(config), "--as-of", str(whole.as_of), "--quiet"),
        )
    )
    if cost.fault:
        sys.exit(f"{command} of {whole.file.name}: {cost.fault}")
    return cost


def _config(whole: Portfolio, work: Path, memory_limit: str) -> Path:
    """The config of the portfolio, in a file."""
    columns = {name: name for name in pq.read_schema(whole.file).names}
    spill = work / "spill"
    spill.mkdir()
    config: Mapping[str, object] = {
        "name": "benchmark",
        "data": {"transactions": {"source": str(whole.file), "columns": columns}},
        "engine": {"threads": 2, "memory_limit": memory_limit, "temp_directory": str(spill)},
        "training": {"max_rows": MAX_ROWS},
        "backtest": {"cutoffs": 1},
        "tracking": {"uri": "sqlite:///mlflow.db"},
        "scoring": {"portfolio": False},
        "delivery": [{"kind": "sql", "url": "sqlite:///crm.db", "table": "customer_scores"}],
    }
    path = work / "scale.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _command(given: argparse.Namespace) -> str:
    """The command that measures the same, wherever the page is written to."""
    sizes, limit = sorted({*given.sizes}), given.memory_limit
    told = ["python -m benchmarks.scale"]
    told += [] if tuple(sizes) == SIZES else [f"--sizes {' '.join(map(str, sizes))}"]
    told += [] if limit == MEMORY_LIMIT else [f"--memory-limit {limit}"]
    return " ".join(told)


def main() -> None:
    """Measure each size, and tell how the cost grows."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="millions of lines")
    parser.add_argument("--memory-limit", default=MEMORY_LIMIT, help="of the engine")
    default = Path(tempfile.gettempdir()) / "portfolio-ml-benchmarks"
    parser.add_argument("--folder", type=Path, default=default, help="where all is kept")
    place = f"where to write the page; {PAGE.relative_to(ROOT)} with the default sizes"
    parser.add_argument("--page", type=Path, metavar="FILE", help=place)
    parser.add_argument("--again", action="store_true", help="measure what was measured before")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.again:
        for size in given.sizes:
            kept = given.folder / f"scale {size} million, {given.memory_limit}.json"
            kept.unlink(missing_ok=True)
    found = [
        measured_size(given.folder.resolve(), size, memory_limit=given.memory_limit)
        for size in sorted({*given.sizes})
    ]
    print("\n" + tables(found))
    is_whole = (tuple(s.millions for s in found), given.memory_limit) == (SIZES, MEMORY_LIMIT)
    if given.page or is_whole:
        told = page(
            found,
            command=_command(given),
            memory_limit=given.memory_limit,
            machine=machine(VERSIONS),
        )
        (given.page or PAGE).write_text(told)


if __name__ == "__main__":
    main()
