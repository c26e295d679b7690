"""A night's work on a million customers: the package beside plain ways, into PostgreSQL.

From the lines of `benchmarks.portfolio` to scores in a database, each way in a process of its own.
All ways' models are trained before, on a sample of the same make, off the clock. Prints the
tables, and writes them to `docs/reference/scoring.md` where the sizes are the default ones.

Run it as `python -m benchmarks.score [--lines 20000000] [--customers 1000000] [--sample 50000]
[--folder DIR] [--page FILE]`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from benchmarks.children import ROOT, Cost, measured
from benchmarks.features import Portfolio, portfolio
from benchmarks.machine import machine
from benchmarks.score_page import (
    PLAIN_SHORT,
    PLAIN_WHOLE,
    Night,
    Nights,
    page,
    run_table,
    step_table,
    verdict_table,
    verdicts,
)
from benchmarks.server import Server, postgresql
from benchmarks.steps import read

PAGE = ROOT / "docs" / "reference" / "scoring.md"
VERSIONS = ("portfolio-ml", "duckdb", "lightgbm", "pandas", "psycopg", "sqlalchemy")
LINES, CUSTOMERS, SAMPLE = 20_000_000, 1_000_000, 50_000
SHORT, WHOLE = "benchmarks.score_plain", "benchmarks.score_whole"
PYTHON = (sys.executable, "-m")
PROGRAM = str(Path(sys.executable).with_name("portfolio-ml"))


@dataclass(frozen=True, slots=True)
class Bench:
    """What the runs of one benchmark share.

    Attributes:
        whole: The portfolio to score.
        sample: The portfolio to train on.
        server: Where scores are delivered to.
        folder: Where the runs may write.
    """

    whole: Portfolio
    sample: Portfolio
    server: Server
    folder: Path

    def train(self) -> None:
        """Train the models of all ways on the sample; the package's become a bundle."""
        config = self._config("train.yaml", self.sample, {"backtest": {"cutoffs": 1}})
        as_of = str(self.sample.as_of)
        _done((PROGRAM, "train", "--config", config, "--as-of", as_of, "--quiet"))
        _done((PROGRAM, "models", "export", "--config", config, "--out", str(self._bundle)))
        for way in (SHORT, WHOLE):
            _done((*PYTHON, way, "train", str(self.sample.file), self._models(way), as_of))

    def plain(self, way: str) -> Night:
        """A night of a plain way, which is `SHORT` or `WHOLE`."""
        steps = self.folder / "plain.json"
        options = ("--url", self.server.url, "--steps", str(steps))
        told = ("score", str(self.whole.file), self._models(way), str(self.whole.as_of))
        return self._night((*PYTHON, way, *told, *options), steps)

    def package(self) -> Night:
        """A night of the package."""
        steps = self.folder / "package.json"
        sections = {
            "scoring": {
                "bundle": str(self._bundle),
                "bundle_digest": self._digest(),
                "portfolio": False,  # the plain ways tell nothing of the portfolio either
            },
            "delivery": [{"kind": "sql", "url": self.server.url, "table": "customer_scores"}],
        }
        config = self._config("score.yaml", self.whole, sections)
        score = ("score", "--config", config, "--as-of", str(self.whole.as_of), "--quiet")
        return self._night((*PYTHON, "benchmarks.score_package", str(steps), *score), steps)

    def delivered(self) -> dict[str, Any]:
        """The receipts and the seconds of a bare COPY."""
        out = self.folder / "copy.json"
        self.server.rest()
        _done((*PYTHON, "benchmarks.score_copy", self.server.url, str(out)))
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    @property
    def _bundle(self) -> Path:
        return self.folder / "bundle"

    def _models(self, way: str) -> str:
        return str(self.folder / f"{way}.joblib")

    def _digest(self) -> str:
        from portfolio_ml.bundles import digest_of  # noqa: PLC0415 - the parent holds little

        return digest_of(self._bundle)

    def _night(self, command: Sequence[str], steps: Path) -> Night:
        before = self.server.cpu_seconds()
        cost = _done(command)
        return Night(cost, self.server.cpu_seconds() - before, read(steps))

    def _config(self, name: str, of: Portfolio, sections: Mapping[str, object]) -> str:
        columns = {name: name for name in pq.read_schema(of.file).names}
        config = {
            "name": "benchmark",
            "data": {"transactions": {"source": str(of.file), "columns": columns}},
            "engine": {"threads": 2, "memory_limit": "3GB"},
            **sections,
        }
        path = self.folder / name
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return str(path)


def nights(bench: Bench, *, lines: int) -> Nights:
    """Every run, told as soon as it is known.

    Raises:
        SystemExit: A run died, or its receipt does not say what it should.
    """
    measured(bench.whole.command("scan"))  # the first to read the file fetches it from disk
    short = _told(PLAIN_SHORT, bench.plain(SHORT))
    whole = _told(PLAIN_WHOLE, bench.plain(WHOLE))
    first = _told("package", bench.package())
    again = _told("package, again", bench.package())
    delivered = bench.delivered()
    written, repeated = delivered["receipts"]
    rows = written["rows"]
    if (written["sent"], repeated["unchanged"]) != (rows, rows):
        sys.exit(f"the deliveries are not a first and an unchanged one: {delivered['receipts']}")
    return Nights(
        customers=rows,
        lines=lines,
        short=short,
        whole=whole,
        first=first,
        again=again,
        copy_seconds=delivered["copy_seconds"],
    )


def _told(label: str, night: Night) -> Night:
    print(f"\n{label}\n{step_table(night)}", flush=True)
    return night


def _done(command: Sequence[str]) -> Cost:
    cost = measured(command)
    if cost.fault:
        sys.exit(f"{' '.join(command[:3])}: {cost.fault}")
    return cost


def _command(given: argparse.Namespace) -> str:
    """The command that measures the same, wherever the page is written to."""
    sizes = {"lines": LINES, "customers": CUSTOMERS, "sample": SAMPLE}
    options = [f"--{k} {getattr(given, k)}" for k, v in sizes.items() if getattr(given, k) != v]
    return " ".join(["python -m benchmarks.score", *options])


def main() -> None:
    """Measure a night's work of all ways, and tell which promises are kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="customers to train on")
    default = Path(tempfile.gettempdir()) / "portfolio-ml-benchmarks"
    parser.add_argument("--folder", type=Path, default=default, help="where the lines are kept")
    place = f"where to write the page; {PAGE.relative_to(ROOT)} at the default sizes"
    parser.add_argument("--page", type=Path, metavar="FILE", help=place)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    whole = portfolio(given.folder, rows=given.lines, customers=given.customers)
    per_customer = given.lines // given.customers
    sample = portfolio(given.folder, rows=given.sample * per_customer, customers=given.sample)
    with tempfile.TemporaryDirectory() as name, postgresql() as server:
        bench = Bench(whole, sample, server, Path(name))
        print(f"training all ways on {given.sample:,} customers", flush=True)
        bench.train()
        found = nights(bench, lines=given.lines)
        facts = [*machine(VERSIONS), server.version]
    print("", run_table(found), "", verdict_table(verdicts(found)), sep="\n")
    if given.page or (given.lines, given.customers) == (LINES, CUSTOMERS):
        path = given.page or PAGE
        path.write_text(page(found, command=_command(given), machine=facts))
        print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
