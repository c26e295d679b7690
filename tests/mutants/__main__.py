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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.mutants import page
from tests.mutants.covering import measured
from tests.mutants.explained import explained, gone
from tests.mutants.mutations import Mutant, dotted, mutants, unchanged
from tests.mutants.subjects import ROOT, SUBJECTS, Subject
from tests.mutants.trials import KILLED, NOT_RUN, SURVIVED, TIMEOUT, Trial, begun, ended, ready

ALIVE = {SURVIVED, NOT_RUN}
DOUBTFUL = ALIVE | {TIMEOUT}
KEPT = ROOT / "build" / "mutants.json"
PAGE = ROOT / "docs" / "reference" / "hardening.md"
out = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a subject's mutants.

    Attributes:
        subject: The subject.
        of: How many mutants there are.
        fates: Those that were tried, now or before, and what became of each.
        equivalent: How many of the others are explained.
        day: When the last of them was tried; "" where none was.
    """

    subject: Subject
    of: int
    fates: tuple[tuple[Mutant, str], ...]
    equivalent: int
    day: str

    def survivors(self) -> list[Mutant]:
        """Those that a test should have noticed."""
        return [mutant for mutant, fate in self.fates if fate in ALIVE]

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
            day=self.day,
        )


def outcome(subject: Subject, chosen: argparse.Namespace) -> Outcome:
    """What becomes of a subject's mutants: of a sample, which the mutants' own names draw."""
    every = [mutant for path in subject.files() for mutant in mutants(path)]
    entries = explained()
    known = [mutant for mutant in every if any(entry.is_of(mutant) for entry in entries)]
    left = {mutant.name: mutant for mutant in every if mutant not in known}
    for mutant, fate in _fates(subject, _drawn(subject, left, chosen), jobs=chosen.jobs):
        _keep(mutant, fate)
        if fate in ALIVE:
            out.print(f"{fate}\n{mutant.shown()}")
    kept = {name: tried for name, tried in _kept().items() if name in left}
    return Outcome(
        subject,
        of=len(every),
        fates=tuple((left[name], fate) for name, (fate, _) in kept.items()),
        equivalent=len(known),
        day=max((day for _, day in kept.values()), default=""),
    )


def _drawn(
    subject: Subject, left: Mapping[str, Mutant], chosen: argparse.Namespace
) -> list[Mutant]:
    if chosen.report:
        return []
    if chosen.again:
        doubtful = {name for name, (fate, _) in _kept().items() if fate in DOUBTFUL}
        return [mutant for name, mutant in left.items() if name in doubtful]
    names = sorted(left)
    if not chosen.all and subject.sample is not None:
        names = names[: chosen.sample or subject.sample]
    return [left[name] for name in names]


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


def _kept() -> dict[str, tuple[str, str]]:
    """What became of each mutant that was ever tried, and on which day."""
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def _keep(mutant: Mutant, fate: str) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    tried = (fate, datetime.now(tz=UTC).date().isoformat())
    KEPT.write_text(json.dumps(_kept() | {mutant.name: tried}, indent=1))


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
    parser.add_argument("--again", action="store_true", help="those that survived, or were late")
    parser.add_argument("--report", action="store_true", help="none; what is known of them")
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
    entries = explained()
    named = {entry.module for entry in entries}
    files = {path for subject in SUBJECTS for path in subject.files() if dotted(path) in named}
    stale = gone(entries, (mutant for path in files for mutant in mutants(path)))
    for entry in stale:
        out.print(f"equivalent.toml explains what is no more: {entry.module} {entry.before}")
    if chosen.write:
        figures = [outcome.figures() for outcome in found]
        PAGE.write_text(page.written(PAGE.read_text(), figures, names))
    return int(bool(stale) or any(outcome.survivors() for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
