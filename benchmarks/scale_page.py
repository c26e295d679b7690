"""How the cost of a training and of a night's scores grows with the lines, and the page of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.children import Cost
from benchmarks.markdown import table
from benchmarks.scale_child import DAYS, DELIVER, FEATURES, LOAD, WINDOWS
from benchmarks.steps import NOTHING, Spent

LINES_A_CUSTOMER = 20
SMALLEST_SECONDS = 2.0
"""Steps that take less at every size have no slope worth telling."""
BILLION, ITS_CUSTOMERS = 1_000, 100
"""In million lines, and their customers in millions."""
CORES = 100
GROWTH = {
    LOAD: ("lines", "cluster"),
    DAYS: ("lines", "cluster"),
    WINDOWS: ("lines", "cluster"),
    "draw customers": ("customers", "cluster"),
    FEATURES: ("lines", "cluster"),
    "predict and explain": ("customers", "cluster"),
    "rows": ("customers", "cluster"),
    "profile": ("lines", "cluster"),
    "facts": ("customers", "driver"),
    DELIVER: ("customers", "driver"),
    "deliver: prepare": ("customers", "driver"),
    "deliver: stage": ("customers", "driver"),
    "deliver: write": ("customers", "driver"),
}
"""What a step grows with, and who does it on a cluster; all others are of a fixed size."""
READING = """
Every size has 20 lines a customer, made by `benchmarks/portfolio.py`. *Train* draws customers
(`training.max_rows: 400000`, one cutoff), learns, judges and registers; *score* scores everybody
and delivers rows, history and receipt to a fresh SQLite database, without the portfolio's columns.
Each ran once, in a process of its own. The *slope* is that of the logarithm of the seconds over the
logarithm of the lines, by least squares: 1 is linear, less has a fixed share. *Own memory* is the
most that the process held at a time of what no file holds (RssAnon); *peak* counts pages of mapped
files too, which the system may take back whenever it needs them.
""".strip()


@dataclass(frozen=True, slots=True)
class Size:
    """What one size took.

    Attributes:
        millions: Its lines.
        costs: Per command, what its process used.
        steps: Per command, what each step cost.
        delivered_bytes: The database's size after the delivery.
    """

    millions: int
    costs: Mapping[str, Cost]
    steps: Mapping[str, Mapping[str, Spent]]
    delivered_bytes: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Size":
        """The size that `dataclasses.asdict` gave."""
        return cls(
            millions=values["millions"],
            costs={command: Cost(**cost) for command, cost in values["costs"].items()},
            steps={
                command: {step: Spent(**spent) for step, spent in steps.items()}
                for command, steps in values["steps"].items()
            },
            delivered_bytes=values["delivered_bytes"],
        )

    @property
    def wall_seconds(self) -> float:
        """Of all commands."""
        return sum(cost.wall_seconds for cost in self.costs.values())


def slope(lines: Sequence[float], seconds: Sequence[float]) -> float | None:
    """How the seconds grow: the slope of their logarithm; None where there is but one size.

    Example:
        >>> round(slope([5, 20, 50], [10.0, 40.0, 100.0]), 3)
        1.0
    """
    if len(lines) < 2 or min(seconds) <= 0:
        return None
    return float(np.polyfit(np.log(lines), np.log(seconds), 1)[0])


def tables(found: Sequence[Size]) -> str:
    """All tables, as Markdown."""
    parts = ["## The whole\n", whole_table(found)]
    for command in found[0].costs:
        parts += [f"\n## {command.capitalize()}, step by step\n", step_table(found, command)]
    return "\n".join(parts)


def whole_table(found: Sequence[Size]) -> str:
    """What each size took as a whole, and the slopes."""
    rows = []
    for size in found:
        peak = max(cost.peak_bytes for cost in size.costs.values())
        own = max(cost.own_peak_bytes for cost in size.costs.values())
        rows.append(
            [
                f"{size.millions} million lines",
                f"{size.millions / LINES_A_CUSTOMER:g}",
                *(f"{cost.wall_seconds:.0f}" for cost in size.costs.values()),
                f"{size.wall_seconds:.0f}",
                f"{sum(cost.cpu_seconds for cost in size.costs.values()):.0f}",
                f"{sum(cost.cpu_seconds for cost in size.costs.values()) / size.millions:.1f}",
                f"{own / 1e9:.2f}",
                f"{peak / 1e9:.2f}",
            ]
        )
    lines = [size.millions for size in found]
    walls = [[size.costs[c].wall_seconds for size in found] for c in found[0].costs]
    walls.append([size.wall_seconds for size in found])
    slopes = [_told(slope(lines, wall)) for wall in walls]
    rows.append(["slope", "", *slopes, "", "", "", ""])
    header = [
        *("size", "million customers", *(f"{c} s" for c in found[0].costs), "both s", "CPU s"),
        *("CPU s a million lines", "own memory GB", "peak GB"),
    ]
    return table(header, rows)


def step_table(found: Sequence[Size], command: str) -> str:
    """The wall seconds of each step at each size, and its slope."""
    lines = [size.millions for size in found]
    names = dict.fromkeys(name for size in found for name in size.steps[command])
    walls = {
        name: [size.steps[command].get(name, NOTHING).wall for size in found] for name in names
    }
    walls["the rest"] = [
        size.costs[command].wall_seconds - sum(s.wall for s in size.steps[command].values())
        for size in found
    ]
    rows = [
        [
            name,
            *(f"{seconds:.1f}" for seconds in wall),
            _told(slope(lines, wall)) if max(wall) >= SMALLEST_SECONDS else "–",
        ]
        for name, wall in walls.items()
    ]
    return table(["step, wall s", *(f"{n} million" for n in lines), "slope"], rows)


def paper_table(
    largest: Size,
    *,
    millions: int = BILLION,
    customers: int = ITS_CUSTOMERS,
    cores: int = CORES,
) -> str:
    """What each step would take of a cluster, as the largest size tells it.

    Args:
        largest: What was measured.
        millions: The lines to tell it for, in millions.
        customers: Their customers, likewise.
        cores: The cores of the cluster; what one machine does has its own two.
    """
    times = {
        "lines": millions / largest.millions,
        "customers": customers / (largest.millions / LINES_A_CUSTOMER),
        "fixed": 1.0,
    }
    rows: list[tuple[float, list[str]]] = []
    total = 0.0
    for command, steps in largest.steps.items():
        for step, spent in steps.items():
            grows, where = GROWTH.get(step, ("fixed", "driver"))
            cpu, wall = times[grows] * spent.cpu, times[grows] * spent.wall
            seconds = cpu / cores if where == "cluster" else wall
            total += seconds
            if max(spent.cpu, spent.wall) >= SMALLEST_SECONDS:
                each = "–" if grows == "fixed" else f"{spent.cpu / largest.millions:.2f}"
                name, hours = f"{command}: {step}", f"{cpu / 3600:.1f}"
                row = [name, grows, where, each, hours, f"{seconds / 60:.1f}"]
                rows.append((seconds, row))
    rows.sort(key=lambda row: -row[0])
    cells = [row for _, row in rows]
    cells.append(["all steps, one after the other", "", "", "", "", f"{total / 60:.0f}"])
    header = ["step", "grows with", "where", "CPU s a million lines", "CPU hours", "minutes"]
    return table(header, cells, texts=3)


def page(found: Sequence[Size], *, command: str, memory_limit: str, machine: Iterable[str]) -> str:
    """The whole page.

    Args:
        found: What was measured, ascending.
        command: What measures it.
        memory_limit: The engine's.
        machine: What it ran on, a fact each.
    """
    return (
        "# Large on one machine, measured\n\n"
        f"Written by `{command}` on {'; '.join(machine)}. Do not edit.\n\n"
        f"{READING} The engine had 2 threads and `engine.memory_limit: {memory_limit}`.\n\n"
        f"{tables(found)}\n\n"
        "## One billion lines, on paper\n\n"
        f"{ITS_CUSTOMERS} million customers with {BILLION:,} million lines, on a cluster of "
        f"{CORES} cores, extrapolated from {found[-1].millions} million lines; how to read it is "
        "told in [scale](../explanation/scale.md#one-billion-on-paper).\n\n"
        f"{paper_table(found[-1])}\n"
    )


def _told(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
