"""`make flaky`: the tests in several orders, and those that did not agree with themselves.

Each run draws another order and other examples of hypothesis. Exit code 1 where a test passed in
one run and not in another, or failed in all.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console

out = Console(highlight=False, markup=False, soft_wrap=True)
LEVELS = "(unit or property or faults) and not campaign"


def fates(report: Path) -> dict[str, str]:
    """What became of each test, from a run's JUnit file.

    Errors while a fixture is made or taken down count as failures.
    """
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        tags = {child.tag for child in case}
        fate = "failed" if tags & {"failure", "error"} else "passed"
        if "skipped" in tags:
            fate = "skipped"
        if found.get(name) != "failed":
            found[name] = fate
    return found


def disagreeing(runs: Mapping[int, Mapping[str, str]]) -> dict[str, dict[str, list[int]]]:
    """Per test that failed, or did not do the same in all runs: the runs' seeds by what it did."""
    seen: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name in {name for run in runs.values() for name in run}:
        for seed, run in runs.items():
            seen[name][run.get(name, "missing")].append(seed)
    told = {name: dict(by) for name, by in seen.items() if len(by) > 1 or "failed" in by}
    return dict(sorted(told.items()))


def run(seed: int, arguments: list[str], folder: Path) -> dict[str, str]:
    """One run of the tests, in the order and with the examples of a seed."""
    report = folder / f"{seed}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    seeds = [f"--order-seed={seed}", f"--hypothesis-seed={seed}", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *seeds, *arguments], capture_output=True, text=True, check=False
    )
    if not report.exists():
        raise SystemExit(f"the run of seed {seed} gave no report:\n{done.stdout}{done.stderr}")
    if done.returncode:
        out.print(done.stdout)
    return fates(report)


def main() -> int:
    """Run the tests so many times, and print those that did not agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.flaky")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    chosen, given = parser.parse_known_args()
    arguments = given or ["-n", "2", "--dist", "loadgroup", "-m", LEVELS]
    runs: dict[int, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.times):
            runs[seed] = run(seed, arguments, Path(folder))
            out.print(f"seed {seed}: {dict(Counter(runs[seed].values()))}")
    told = disagreeing(runs)
    for name, by in told.items():
        out.print(f"{name}: " + "; ".join(f"{fate} with seeds {s}" for fate, s in by.items()))
    out.print(f"{len(told)} tests failed or did not agree in {len(runs)} runs")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
