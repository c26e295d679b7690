"""What the feature catalogue costs: the package beside hand-written SQL, pandas and Polars.

Every way runs in a process of its own and writes the same columns to Parquet; the package alone
also validates the lines and fits the customer-base models. The results are compared as well: first
of all ways on a small file, then of the package and the SQL on the large one.

Run it as `python -m benchmarks.features [--rows 20000000] [--customers 1000000] [--folder DIR]`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from benchmarks.children import Cost, measured

SMALL_ROWS, SMALL_CUSTOMERS = 200_000, 10_000
LARGEST_PEAK_BYTES = 6_000_000_000
WAYS = ("package", "sql", "pandas", "polars")
RUNS = {
    "scan": "(a) the bare scan",
    "package": "(b) the package",
    "sql": "(c) DuckDB SQL by hand",
    "pandas": "(d) pandas",
    "polars": "(e) Polars",
    "less memory": "(b) with 2 GB",
    "eight dates": "(b) at eight dates",
    "half": "(b) with half the rows",
}
PYTHON = (sys.executable, "-m")

Costs = Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Target:
    """How long one run may take beside another.

    Attributes:
        run: The run.
        beside: The other.
        most: The largest ratio of their wall times that will do.
        aim: What one would like.
    """

    run: str
    beside: str
    most: float
    aim: str = ""


TARGETS = (
    Target("package", "sql", 1.5),
    Target("package", "scan", 20, aim="10"),
    Target("package", "pandas", 1 / 5),
    Target("package", "polars", 1),
    Target("less memory", "package", 3),
    Target("eight dates", "package", 6),
    Target("package", "half", 2.2),
)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A made-up portfolio in a file.

    Attributes:
        file: Its lines.
        folder: Where what is computed from it is written.
        as_of: The last day with a line.
    """

    file: Path
    folder: Path
    as_of: date

    def out(self, run: str) -> Path:
        """The feature file that a run writes."""
        return self.folder / f"{self.file.stem} {run}.parquet"

    def command(self, run: str) -> tuple[str, ...]:
        """The command of a run."""
        out, as_of = str(self.out(run)), str(self.as_of)
        if run == "scan":
            return (*PYTHON, "benchmarks.scan", str(self.file))
        if run in ("sql", "pandas", "polars"):
            return (*PYTHON, f"benchmarks.features_{run}", str(self.file), out, as_of)
        config = str(self._config("2GB" if run == "less memory" else "5GB"))
        if run == "eight dates":
            return (*PYTHON, "benchmarks.eight_dates", config, out, as_of)
        program = str(Path(sys.executable).with_name("portfolio-ml"))
        return (program, "features", "--config", config, "--as-of", as_of, "--out", out)

    def _config(self, memory_limit: str) -> Path:
        """The config of the portfolio, in a file."""
        columns = {name: name for name in pq.read_schema(self.file).names}
        config = {
            "name": "benchmark",
            "data": {"transactions": {"source": str(self.file), "columns": columns}},
            "engine": {"threads": 2, "memory_limit": memory_limit},
        }
        path = self.folder / f"{self.file.stem} {memory_limit}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path


def portfolio(folder: Path, *, rows: int, customers: int) -> Portfolio:
    """The portfolio of this size, made unless it is in the folder."""
    file = folder.resolve() / f"{rows} lines of {customers}.parquet"
    if not file.exists():
        print(f"making {file}", flush=True)
        part = file.with_suffix(".part")
        sizes = ("--rows", str(rows), "--customers", str(customers))
        made = measured((*PYTHON, "benchmarks.portfolio", str(part), *sizes))
        if made.fault:
            sys.exit(made.fault)
        part.rename(file)
    return Portfolio(file, file.parent, _last_day(file))


def _last_day(file: Path) -> date:
    """The last day with a line, as the file's own statistics tell."""
    groups = pq.ParquetFile(file).metadata
    column = groups.schema.names.index("timestamp")
    parts = (groups.row_group(n).column(column) for n in range(groups.num_row_groups))
    last: date = max(part.statistics.max for part in parts).date()
    return last


def disagreements(of: Portfolio, ways: Iterable[str]) -> Iterator[str]:
    """How the results of the ways differ from the package's, a line each."""
    for way in ways:
        ours, theirs = of.out("package"), of.out(way)
        if not (ours.exists() and theirs.exists()):
            yield f"{way}: there is nothing to compare"
            continue
        compared = measured((*PYTHON, "benchmarks.agreement", str(ours), str(theirs)))
        if compared.fault:
            yield f"{way}: {compared.fault}"


def agreement_on_a_small_file(folder: Path) -> list[str]:
    """How any two ways differ on a file that takes each a moment; empty if they agree."""
    small = portfolio(folder, rows=SMALL_ROWS, customers=SMALL_CUSTOMERS)
    for way in WAYS:
        small.out(way).unlink(missing_ok=True)
        cost = measured(small.command(way))
        if cost.fault:
            return [f"{way}: {cost.fault}"]
    return [*disagreements(small, [way for way in WAYS if way != "package"])]


def costs_of(runs: Iterable[str], whole: Portfolio, half: Portfolio) -> dict[str, Cost]:
    """What each run costs, told as soon as it is known."""
    measured(whole.command("scan"))  # the first to read the file fetches it from disk
    found = {}
    for run in runs:
        of, way = (half, "package") if run == "half" else (whole, run)
        of.out(way).unlink(missing_ok=True)
        found[run] = measured(of.command(way))
        print(_row(RUNS[run], found[run]), flush=True)
    return found


def _row(label: str, cost: Cost) -> str:
    used = f"{cost.wall_seconds:8.1f} {cost.cpu_seconds:8.1f} {cost.peak_bytes / 1e9:8.2f}"
    return f"{label:26} {used}  {cost.fault and f'died: {cost.fault}'}".rstrip()


def judged(costs: Costs) -> Iterator[str]:
    """A line for each target whose runs were made."""
    for target in TARGETS:
        if target.run in costs and target.beside in costs:
            yield _judged(target, costs[target.run], costs[target.beside])
    if "package" in costs:
        peak = costs["package"].peak_bytes
        is_kept = peak < LARGEST_PEAK_BYTES and not costs["package"].fault
        limit = f"{peak / 1e9:.2f} GB, at most {LARGEST_PEAK_BYTES / 1e9:.0f}"
        yield f"{'memory of (b) the package':48} {'kept' if is_kept else 'MISSED':7} {limit}"


def _judged(target: Target, cost: Cost, beside: Cost) -> str:
    label = f"{RUNS[target.run]} / {RUNS[target.beside]}"
    if cost.fault or beside.fault:
        died = RUNS[target.run if cost.fault else target.beside]
        return f"{label:48} no ratio: {died} died"
    wall = cost.wall_seconds / beside.wall_seconds
    cpu = cost.cpu_seconds / beside.cpu_seconds
    wanted = f"at most {target.most:g}" + (f", better {target.aim}" if target.aim else "")
    verdict = "kept" if wall <= target.most else "MISSED"
    return f"{label:48} {verdict:7} {wall:6.2f} wall {cpu:6.2f} CPU  {wanted}"


def main() -> None:
    """Measure all ways on one file, and tell whether they agree and the targets are kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    default = Path(tempfile.gettempdir()) / "portfolio-ml-benchmarks"
    parser.add_argument("--folder", type=Path, default=default, help="where the files are kept")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=[*RUNS], metavar="RUN")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    found = agreement_on_a_small_file(given.folder)
    print(*found or [f"all ways agree on {SMALL_ROWS:,} lines"], sep="\n", flush=True)
    whole = portfolio(given.folder, rows=given.rows, customers=given.customers)
    half = whole
    if "half" in given.runs:
        half = portfolio(given.folder, rows=given.rows // 2, customers=given.customers // 2)
    print(f"\n{given.rows:,} lines of {given.customers:,} customers on {whole.as_of}")
    print(f"{'':26} {'wall s':>8} {'CPU s':>8} {'GB':>8}", flush=True)
    costs = costs_of(given.runs, whole, half)
    print("", *judged(costs), sep="\n")
    ways = [way for way in WAYS if way in costs and way != "package"] if "package" in costs else []
    differing = [*disagreements(whole, ways)]
    print("", *differing or [f"the package agrees with: {', '.join(ways)}"], sep="\n")
    sys.exit(1 if found or differing else 0)


if __name__ == "__main__":
    main()
