"""The nightly job beside plain ways: its promises, and the page that tells them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.children import Cost
from benchmarks.markdown import table
from benchmarks.score_package import DELIVERY
from benchmarks.steps import NOTHING, Spent

PLAIN_SHORT, PLAIN_WHOLE = "plain, short", "plain, all features"
LEAST_SPEED = 5.0
LARGEST_PEAK_BYTES = 6_000_000_000
LONGEST_AGAIN = 0.5
LONGEST_BESIDE_COPY = 8.0
READING = (
    "*Package* is `portfolio-ml score` as a scheduler calls it on a host without MLflow: it "
    "imports, loads and validates the lines, computes the whole catalogue, scores with the "
    "champions of a bundle, tells reasons, and delivers scores, history and receipt in one "
    "transaction. *Again* is the same run once more, which has nothing to change. *Plain, all "
    "features* is the same job done plainly (`benchmarks/score_whole.py`): the catalogue in "
    "pandas, but for the columns of the customer-base models, LightGBM and k-means of about the "
    "same size on all its columns, SHAP for the customers at risk, rows as wide, and `to_sql` into "
    "a table that is replaced and to the end of a history; nothing is checked, and nothing is "
    "undone where it fails. *Plain, short* is what a good data scientist writes in an afternoon "
    "(`benchmarks/score_plain.py`), which is less: some 25 columns, half as many in a row, and no "
    "history. All models were trained before, on a sample, off the clock. CPU seconds are those of "
    "the process; the server's come beside them. A step's seconds are its own, without those of "
    "the steps that it calls."
)


@dataclass(frozen=True, slots=True)
class Night:
    """One run of the nightly job.

    Attributes:
        cost: What its process used.
        server_seconds: The CPU seconds of the database server.
        steps: What each step cost; what is left is the start of the process and its end.
    """

    cost: Cost
    server_seconds: float
    steps: Mapping[str, Spent]

    @property
    def delivery_seconds(self) -> float:
        """The wall seconds of the delivery, from scored rows to the end of the transaction."""
        return sum(self.steps.get(step, NOTHING).wall for step in DELIVERY)


@dataclass(frozen=True, slots=True)
class Nights:
    """All runs of one benchmark.

    Attributes:
        customers: How many customers were delivered.
        lines: How many lines their history has.
        short: The plain way with what an afternoon has time for.
        whole: The package's job done plainly.
        first: The package's first run.
        again: The same once more.
        copy_seconds: A bare COPY of the delivered rows, by the clock.
    """

    customers: int
    lines: int
    short: Night
    whole: Night
    first: Night
    again: Night
    copy_seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a promise is kept.

    Attributes:
        promise: What is promised.
        is_kept: Whether the figure keeps it.
        figure: What was measured.
    """

    promise: str
    is_kept: bool
    figure: str


def verdicts(found: Nights) -> list[Verdict]:
    """The four promises."""
    speed, cpu = _times(found.whole, found.first)
    beside_short = "{:.2f} and {:.2f}".format(*_times(found.short, found.first))
    peak = max(found.first.cost.peak_bytes, found.again.cost.peak_bytes)
    delivery, again = found.first.delivery_seconds, found.again.delivery_seconds
    beside_copy = delivery / found.copy_seconds
    return [
        Verdict(
            f"at least {LEAST_SPEED:g} times as fast as the same job done plainly",
            speed >= LEAST_SPEED,
            f"{speed:.2f} times by the clock, {cpu:.2f} in CPU seconds; beside the short one "
            f"{beside_short}",
        ),
        Verdict(
            f"peak memory under {LARGEST_PEAK_BYTES / 1e9:g} GB",
            peak < LARGEST_PEAK_BYTES,
            f"{peak / 1e9:.2f} GB",
        ),
        Verdict(
            f"delivering unchanged rows takes at most {LONGEST_AGAIN:g} of the first delivery",
            again <= LONGEST_AGAIN * delivery,
            f"{again / delivery:.2f}: {again:.1f} s of {delivery:.1f} s",
        ),
        Verdict(
            f"the first delivery takes at most {LONGEST_BESIDE_COPY:g} times a bare COPY",
            beside_copy <= LONGEST_BESIDE_COPY,
            f"{beside_copy:.1f} times: {delivery:.1f} s beside {found.copy_seconds:.1f} s",
        ),
    ]


def _times(plain: Night, package: Night) -> tuple[float, float]:
    """How many times as long a plain night takes, by the clock and in CPU seconds."""
    one, other = plain.cost, package.cost
    return one.wall_seconds / other.wall_seconds, one.cpu_seconds / other.cpu_seconds


def run_table(found: Nights) -> str:
    """What each run used as a whole."""
    rows = [
        [
            label,
            f"{night.cost.wall_seconds:.1f}",
            f"{night.cost.cpu_seconds:.1f}",
            f"{night.server_seconds:.1f}",
            f"{night.cost.peak_bytes / 1e9:.2f}",
        ]
        for label, night in (
            (PLAIN_SHORT, found.short),
            (PLAIN_WHOLE, found.whole),
            ("package", found.first),
            ("package, again", found.again),
        )
    ]
    return table(["run", "wall s", "CPU s", "server CPU s", "peak GB"], rows)


def step_table(night: Night) -> str:
    """What each step of a run cost, and its share of the run's wall seconds.

    Example:
        >>> cost = Cost(wall_seconds=4.0, cpu_seconds=3.0, peak_bytes=1)
        >>> print(step_table(Night(cost, 0.0, {"predict": Spent(3.0, 2.0)})))
        | step          | wall s | CPU s | share |
        |---------------|-------:|------:|------:|
        | predict       |    3.0 |   2.0 |  75 % |
        | start and end |    1.0 |   1.0 |  25 % |
    """
    cost, told = night.cost, sum(night.steps.values(), NOTHING)
    rest = Spent(cost.wall_seconds, cost.cpu_seconds) - told
    rows = [
        [step, f"{s.wall:.1f}", f"{s.cpu:.1f}", f"{100 * s.wall / cost.wall_seconds:.0f} %"]
        for step, s in (*night.steps.items(), ("start and end", rest))
    ]
    return table(["step", "wall s", "CPU s", "share"], rows)


def verdict_table(found: Sequence[Verdict]) -> str:
    """Each promise with its figure, the missed ones told in capitals."""
    rows = [[v.promise, "kept" if v.is_kept else "MISSED", v.figure] for v in found]
    return table(["promise", "", "figure"], rows, texts=3)


def page(found: Nights, *, command: str, machine: Iterable[str]) -> str:
    """The whole page.

    Args:
        found: What was measured.
        command: What was run.
        machine: What it ran on, a fact each.
    """
    parts = [
        "# The nightly job, measured",
        f"Written by `{command}` on {'; '.join(machine)}. Do not edit.",
        f"{found.customers:,} customers, scored from {found.lines:,} lines; each run made once.",
        READING,
        run_table(found),
        "## Promises",
        verdict_table(verdicts(found)),
        "## Where the time goes",
        "The package, first run:",
        step_table(found.first),
        "The same once more:",
        step_table(found.again),
        "The same job done plainly:",
        step_table(found.whole),
        "The short one:",
        step_table(found.short),
    ]
    return "\n\n".join(parts) + "\n"
