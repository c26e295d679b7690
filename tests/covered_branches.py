"""`python -m tests.covered_branches FILE [--write]`: coverage as a table, a row for each part.

Below it stand the branches that no test takes, module by module. `--write` puts the table into
docs/reference/hardening.md, too.
"""

# ruff: noqa: T201 - a command, which prints what it did

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.told_anew import Place, told_anew

ENOUGH = 0.95
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "hardening.md"
PLACE = Place(
    "coverage",
    "make coverage",
    """\
| part | modules | branches | taken | share | its lowest modules |
|---|---:|---:|---:|---:|---|
""",
)


@dataclass(frozen=True, slots=True)
class Module:
    """A module's branches.

    Attributes:
        name: Below the package, with dots.
        branches: How many it has.
        taken: How many of them a test takes.
        missing: The others, each as the lines from which and to which it leads.
    """

    name: str
    branches: int
    taken: int
    missing: tuple[tuple[int, int], ...]

    @property
    def part(self) -> str:
        """Which step of the walk it belongs to."""
        return self.name.partition(".")[0]

    @property
    def share(self) -> float:
        """The share that is taken; all, where there is none."""
        return self.taken / self.branches if self.branches else 1.0


def modules(measured: Mapping) -> Iterator[Module]:
    """Each module that coverage's JSON tells of, by name."""
    for file, found in sorted(measured["files"].items()):
        path = Path(file).with_suffix("")
        name = ".".join(path.parts[path.parts.index("portfolio_ml") + 1 :])
        counts = found["summary"]
        missing = tuple((start, end) for start, end in found["missing_branches"])
        yield Module(
            name.removesuffix(".__init__"),
            counts["num_branches"],
            counts["covered_branches"],
            missing,
        )


def rows(found: Sequence[Module]) -> dict[str, str]:
    """A row for each part, and one for all."""
    parts = sorted({module.part for module in found})
    told = {part: _row(part, [each for each in found if each.part == part]) for part in parts}
    return told | {"all": _row("all", found)}


def _row(part: str, found: Sequence[Module]) -> str:
    branches, taken = (sum(getattr(m, count) for m in found) for count in ("branches", "taken"))
    low = sorted((m for m in found if m.share < ENOUGH), key=lambda module: module.share)
    named = ", ".join(f"`{module.name}` {module.share:.0%}" for module in low[:3])
    share = f"{taken / branches:.1%}" if branches else "–"
    told = "" if part == "all" else named
    return f"| {part} | {len(found)} | {branches:,} | {taken:,} | {share} | {told} |\n"


def main() -> int:
    """Print the table and what is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.covered_branches")
    parser.add_argument("file", type=Path, help="what coverage's JSON report wrote")
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    asked = parser.parse_args()
    found = [*modules(json.loads(asked.file.read_text()))]
    told = rows(found)
    print(PLACE.head + "".join(told.values()))
    if asked.write:
        measured = f"Measured on {datetime.now(tz=UTC).date()}."
        page = told_anew(PAGE.read_text(), PLACE, rows=told, parts=told, measured=measured)
        PAGE.write_text(page)
    for module in found:
        if module.missing:
            ways = ", ".join(f"{start} -> {end}" for start, end in module.missing)
            print(f"{module.name}: {ways}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
