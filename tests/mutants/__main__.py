"""`make mutants`: how many small faults the tests notice, and which they do not.

Exit code 1 where a mutant survives that `equivalent.toml` does not explain, or where that file
explains one which is no more.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.mutants import page
from tests.mutants.covering import measured
from tests.mutants.explained import explained, gone
from tests.mutants.mutations import Mutant, mutants, unchanged
from tests.mutants.subjects import ROOT, SUBJECTS, Subject
from tests.mutants.trials import KILLED, NOT_RUN, SURVIVED, TIMEOUT, Trial, begun, ended, ready

KEPT = ROOT / "build" / "mutants.json"
out = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass
class Outcome:
    """What became of a subject's mutants."""

    subject: Subject
    of: int
    fates: list[tuple[Mutant, str]] = field(default_factory=list)
    equivalent: int = 0

    def survivors(self) -> list[Mutant]:
        """Those that a test should have noticed."""
        return [mutant for mutant, fate in self.fates if fate in {SURVIVED, NOT_RUN}]

    def figures(self) -> page.Figures:
        """As numbers."""
        count = Counter(fate for _, fate in self.fates)
        return page.Figures(
            name=self.subject.name,
            of=self.of,
            tried=len(self.fates) + self.equivalent,
            killed=count[KILLED],
            timeouts=count[TIMEOUT],
            equivalent=self.equivalent,
            survived=count[SURVIVED] + count[NOT_RUN],
        )


def outcome(subject: Subject, chosen: argparse.Namespace) -> Outcome:
    """What becomes of a subject's mutants: of a sample, which the mutants' own names draw."""
    every = [mutant for path in subject.files() for mutant in mutants(path)]
    tried = sorted(every, key=lambda mutant: mutant.name)
    if not chosen.all and subject.sample is not None:
        tried = tried[: chosen.sample or subject.sample]
    if chosen.again:
        before = json.loads(KEPT.read_text())
        tried = [mutant for mutant in tried if before.get(mutant.name) in {SURVIVED, NOT_RUN}]
    entries = explained()
    known = [mutant for mutant in tried if any(entry.is_of(mutant) for entry in entries)]
    found = Outcome(subject, len(every), equivalent=len(known))
    left = [mutant for mutant in tried if mutant not in known]
    for mutant, fate in _fates(subject, left, jobs=chosen.jobs):
        found.fates.append((mutant, fate))
        if fate in {SURVIVED, NOT_RUN}:
            out.print(f"{fate}\n{mutant.shown()}")
    _keep(found)
    return found


def _fates(subject: Subject, tried: Sequence[Mutant], *, jobs: int) -> Iterator[tuple[Mutant, str]]:
    if not tried:
        return
    with tempfile.TemporaryDirectory() as folder:
        covering = measured(subject, Path(folder))
    ready(subject)
    running: dict[int, Trial] = {}
    untouched = begun(unchanged(subject.files()[0]), covering.everything())
    assert untouched is not None
    running[untouched.process] = untouched
    assert ended(running)[1] == SURVIVED, "the trial itself fails: even the code as it is does"
    for mutant in tried:
        while len(running) >= jobs:
            trial, fate = ended(running)
            yield trial.mutant, fate
        trial = begun(mutant, covering)
        if trial is None:
            yield mutant, NOT_RUN
        else:
            running[trial.process] = trial
    while running:
        trial, fate = ended(running)
        yield trial.mutant, fate


def _keep(found: Outcome) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    fates = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    fates |= {mutant.name: fate for mutant, fate in found.fates}
    KEPT.write_text(json.dumps(fates, indent=1))


def _per_module(found: Outcome) -> Table:
    table = Table("module", "tried", "killed", "timeouts", "survived")
    for module in sorted({mutant.module for mutant, _ in found.fates}):
        count = Counter(fate for mutant, fate in found.fates if mutant.module == module)
        survived = count[SURVIVED] + count[NOT_RUN]
        row = (count.total(), count[KILLED], count[TIMEOUT], survived)
        table.add_row(module, *map(str, row))
    return table


def main() -> int:
    """Try the mutants that were asked for."""
    sys.dont_write_bytecode = False  # else each fork compiles the package anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["OMP_NUM_THREADS"] = "1"
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    names = [subject.name for subject in SUBJECTS]
    parser.add_argument("subjects", nargs="*", choices=[[], *names], default=[])
    parser.add_argument("--all", action="store_true", help="every mutant, not a sample")
    parser.add_argument("--sample", type=int, help="so many per subject, where one is drawn")
    parser.add_argument("--again", action="store_true", help="only those that survived last time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="the figures into docs/reference")
    chosen = parser.parse_args()
    wanted = [s for s in SUBJECTS if not chosen.subjects or s.name in chosen.subjects]
    found = []
    for subject in wanted:
        out.print(f"{subject.name}: {len(subject.files())} files")
        found.append(outcome(subject, chosen))
        out.print(_per_module(found[-1]))
    out.print(page.table([outcome.figures() for outcome in found]))
    every = (m for subject in SUBJECTS for path in subject.files() for m in mutants(path))
    stale = gone(explained(), every)
    for entry in stale:
        out.print(f"equivalent.toml explains what is no more: {entry.module} {entry.before}")
    if chosen.write:
        page.write([outcome.figures() for outcome in found])
    return int(bool(stale) or any(outcome.survivors() for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
