"""What `make test-faults` saw, kept test by test, and its table in docs/reference/hardening.md."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine
from tests.told_anew import Place, told_anew

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "faults"
PAGE = ROOT / "docs" / "reference" / "hardening.md"
PLACE = Place(
    "faults", "make test-faults", "| fault | of | times | seen | day |\n|---|---|---:|---|---|\n"
)
_ORDER = ("killed", "disk full", "at once", "clock", "connection", "server", "rows")


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a command or a delivery that was disturbed in one way.

    Attributes:
        fault: The way.
        of: What was disturbed.
        times: How often.
        outcomes: What was seen, and how often.
        day: When, as an ISO date.
    """

    fault: str
    of: str
    times: int
    outcomes: Mapping[str, int]
    day: str

    @property
    def row(self) -> str:
        """Its row of the table."""
        told = ", ".join(f"{what} {count:,}" for what, count in _ordered(self.outcomes))
        return f"| {self.fault} | {self.of} | {self.times:,} | {told} | {self.day} |\n"


def keep(fault: str, of: str, times: int, outcomes: Mapping[str, int]) -> Seen:
    """Keep what was seen in a file of its own, so that tests at once do not meet."""
    seen = Seen(fault, of, times, dict(outcomes), datetime.now(tz=UTC).date().isoformat())
    KEPT.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w+-]+", "_", f"{fault} {of}")
    (KEPT / f"{name}.json").write_text(json.dumps(asdict(seen), indent=1), "utf-8")
    return seen


def with_table(page: str, seen: Iterable[Seen], where: str) -> str:
    """The page with what was seen, the last of each fault and command; the rows of others stay.

    Args:
        page: Its text.
        seen: What was seen, now or before.
        where: The machine.

    Raises:
        ValueError: It has no place for the table.
    """
    told = _told(page) | {(each.fault, each.of): each.row for each in seen}
    rows = {" of ".join(what): told[what] for what in sorted(told, key=_place)}
    return told_anew(page, PLACE, rows=rows, parts=rows, measured=f"Measured on {where}.")


def _told(page: str) -> dict[tuple[str, str], str]:
    """The rows that the page has: each by its fault and what was disturbed."""
    _, _, rest = page.partition(PLACE.begin)
    table, _, _ = rest.partition(PLACE.end)
    rows = re.finditer(r"^\| ([^|]+) \| ([^|]+) \| [\d,]+ \|.*\n", table, re.MULTILINE)
    return {(row[1], row[2]): row[0] for row in rows}


def _place(what: tuple[str, str]) -> tuple[int, str, str]:
    fault, of = what
    known = [at for at, word in enumerate(_ORDER) if fault.startswith(word)]
    return (*known, len(_ORDER))[0], fault, of


def _ordered(outcomes: Mapping[str, int]) -> list[tuple[str, int]]:
    """The commonest first, whether a plain run finished it last."""
    return sorted(outcomes.items(), key=lambda each: (each[0] == "finished", -each[1], each[0]))


def main() -> int:
    """Write the table into the page."""
    seen = [Seen(**json.loads(path.read_text("utf-8"))) for path in KEPT.glob("*.json")]
    if not seen:
        sys.stderr.write("nothing was seen yet: `make test-faults` disturbs commands\n")
        return 1
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), seen, ", ".join(machine(("duckdb",)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
