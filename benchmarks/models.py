"""How good the models are: on real portfolios, beside what one would otherwise pick.

Every line (a portfolio as of a day) is judged in a process of its own. Prints the tables, and
writes them to `docs/reference/benchmarks.md` where all lines were judged. Two lines need the data
sets in the folder that `PORTFOLIO_ML_DATA` names.

Run it as `python -m benchmarks.models [--lines cdnow-1997 ...] [--bootstrap 200] [--seed 7]
[--json FILE] [--costs] [--page FILE]`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.children import ROOT, measured
from benchmarks.machine import machine
from benchmarks.models_costs import Spent, costs
from benchmarks.models_line import Result
from benchmarks.models_lines import LINES, Line
from benchmarks.models_page import overview, page, verdict_counts, verdict_table
from benchmarks.models_promises import verdicts

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
VERSIONS = ("portfolio-ml", "lightgbm", "numpy", "scipy", "scikit-learn", "duckdb", "lifetimes")


def results_of(
    lines: Sequence[Line], folder: Path, *, seed: int, bootstrap: int
) -> tuple[list[Result], list[str]]:
    """The lines judged, and why others could not be; each is told as soon as it is known."""
    results, faults = [], []
    for line in lines:
        fault = line.lacks
        if not fault:
            out = folder / f"{line.name}.json"
            options = ("--seed", str(seed), "--bootstrap", str(bootstrap))
            program = (sys.executable, "-m", "benchmarks.models_line")
            cost = measured((*program, line.name, str(out), *options))
            fault = cost.fault
        if fault:
            faults.append(f"`{line.name}` was not judged: {fault}")
            print(faults[-1], flush=True)
            continue
        results.append(Result.from_dict(json.loads(out.read_text())))
        print(_told(results[-1], cost.wall_seconds, cost.peak_bytes), flush=True)
    return results, faults


def _told(result: Result, seconds: float, peak_bytes: int) -> str:
    measures = " / ".join(f"{result.value('winner', m):.3f}" for m in ("auroc", "normalised_gini"))
    steps = ", ".join(f"{step} {took:.1f}" for step, took in result.seconds.items())
    return f"{result.line:14} {measures}  {seconds:6.1f} s, {peak_bytes / 1e9:.2f} GB  ({steps})"


def spent_on(folder: Path) -> list[Spent]:
    """What fitting costs; each is told as soon as it is known."""
    found = []
    for spent in costs(folder):
        found.append(spent)
        print(f"{spent.what}: {'kept' if spent.is_kept else 'MISSED'}, {spent.figure}", flush=True)
    return found


def _command(given: argparse.Namespace) -> str:
    """The command that gives the same figures, wherever they are written to."""
    lines = [] if given.lines == [line.name for line in LINES] else ["--lines", *given.lines]
    fixed = ["--bootstrap", str(given.bootstrap), "--seed", str(given.seed)]
    costs_too = ["--costs"] if given.costs else []
    return " ".join(["python -m benchmarks.models", *lines, *fixed, *costs_too])


def main() -> None:
    """Judge the models, and tell which promises are kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    names = {line.name: line for line in LINES}
    parser.add_argument("--lines", nargs="*", choices=names, default=[*names], metavar="LINE",
                        help=", ".join(names))  # fmt: skip
    parser.add_argument("--bootstrap", type=int, default=200, help="draws of customers")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--costs", action="store_true", help="measure time and memory, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to it")
    place = f"where to write the page; {PAGE.relative_to(ROOT)} after all lines"
    parser.add_argument("--page", type=Path, metavar="FILE", help=place)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = [names[name] for name in given.lines]
        results, faults = results_of(chosen, folder, seed=given.seed, bootstrap=given.bootstrap)
        spent = spent_on(folder) if given.costs else []
    found = verdicts(results)
    written = page(
        results,
        found,
        command=_command(given),
        machine=machine(VERSIONS),
        faults=faults,
        spent=spent,
    )
    print("", overview(results), "", verdict_table(found), "", verdict_counts(found), sep="\n")
    if given.json:
        given.json.write_text(json.dumps([json.loads(r.to_json()) for r in results], indent=1))
    if given.page or {r.line for r in results} == {*names}:
        path = given.page or PAGE
        path.write_text(written)
        print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
