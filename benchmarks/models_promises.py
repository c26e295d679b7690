"""What the models promise, and whether the figures keep it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from benchmarks.models_figures import RESIDUALS, TARGETS, Gain
from benchmarks.models_line import Result
from benchmarks.models_lines import LINES, Line
from benchmarks.models_opponents import REGULARISED, RULES

SHORTFALL = 0.003
LARGEST_CALIBRATION_ERROR = 0.02
SLOPES = (0.85, 1.15)
LARGEST_BIAS = 0.12
HORIZONS_OF_HISTORY = 3
SMALLEST_TIER = 200
COVERAGE_SHORTFALL = 0.02
NEARER_ON = 4

MEASURES = {"auroc": "AUROC", "normalised_gini": "Gini"}
LINE_OF = {line.name: line for line in LINES}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a promise is kept on a line.

    Attributes:
        line: The line's name; `all` for a promise over all lines.
        promise: What is promised.
        is_kept: Whether the figures keep it.
        figure: The figures.
    """

    line: str
    promise: str
    is_kept: bool
    figure: str


def verdicts(results: Sequence[Result]) -> list[Verdict]:
    """The verdicts of every line that was judged, and of those promises that need all lines."""
    found = [
        verdict
        for result in results
        for rule in RULES_OF_A_LINE
        for verdict in rule(result, LINE_OF[result.line])
    ]
    return [*found, *_nearer_bias(results)]


def _reference(result: Result, line: Line) -> Iterator[Verdict]:
    published = line.published.reference
    for metric, wanted in (("auroc", published.auroc), ("normalised_gini", published.gini)):
        value = result.value("winner", metric)
        yield Verdict(
            line.name,
            f"{MEASURES[metric]} reaches the reference, up to {SHORTFALL}",
            round(value, 3) >= round(wanted - SHORTFALL, 3),
            f"{value:.3f}, reference {wanted:.3f}",
        )


def _ahead(result: Result, line: Line) -> Iterator[Verdict]:
    for opponent in ("customer_base", *RULES):
        gains = {
            metric: result.gains[target]["all"][
                result.customer_base[target] if opponent == "customer_base" else opponent
            ]
            for target, metric in zip(TARGETS, MEASURES, strict=True)
        }
        yield Verdict(
            line.name,
            f"ahead of {opponent.replace('_', ' ')} in one measure, behind in none",
            is_ahead(gains),
            ", ".join(
                f"{MEASURES[metric]} {g.estimate:+.3f} ({g.low:+.3f} to {g.high:+.3f})"
                for metric, g in gains.items()
            ),
        )


def is_ahead(gains: Mapping[str, Gain]) -> bool:
    """Whether an interval lies above zero, and none below.

    Example:
        >>> is_ahead({"auroc": Gain(0.02, 0.01, 0.03), "gini": Gain(-0.01, -0.02, 0.01)})
        True
    """
    return any(g.low > 0 for g in gains.values()) and not any(g.high < 0 for g in gains.values())


def _log_loss(result: Result, line: Line) -> Iterator[Verdict]:
    value, beside = (result.value(name, "log_loss") for name in ("winner", REGULARISED))
    for whose, wanted in (("published", line.published.log_loss), ("measured here", beside)):
        yield Verdict(
            line.name,
            f"log loss at or below that of the well-regularised LightGBM, {whose}",
            round(value, 3) <= round(wanted, 3),
            f"{value:.3f}, theirs {wanted:.3f}",
        )


def _calibration(result: Result, line: Line) -> Iterator[Verdict]:
    if not _has_history(result, line):
        return
    slope = result.value("winner", "calibration_slope")
    error = result.value("winner", "calibration_error")
    low, high = SLOPES
    yield Verdict(
        line.name,
        f"calibration slope between {low} and {high}",
        low <= slope <= high,
        f"{slope:.3f}",
    )
    yield Verdict(
        line.name,
        f"debiased calibration error at most {LARGEST_CALIBRATION_ERROR}",
        error <= LARGEST_CALIBRATION_ERROR,
        f"{error:.3f}",
    )


def _bias(result: Result, line: Line) -> Iterator[Verdict]:
    if _has_history(result, line):
        bias = result.value("winner", "total_bias")
        promise = f"total bias within {LARGEST_BIAS:.0%}"
        yield Verdict(line.name, promise, abs(bias) <= LARGEST_BIAS, f"{bias:+.3f}")


def _coverage(result: Result, line: Line) -> Iterator[Verdict]:
    for name, tier in result.tiers.items():
        if tier.customers >= SMALLEST_TIER:
            least = least_coverage(result.coverage, tier.customers)
            yield Verdict(
                line.name,
                f"interval coverage of tier {name}",
                tier.coverage >= least,
                f"{tier.coverage:.3f} of {tier.customers:,}, at least {least:.3f}",
            )


def least_coverage(target: float, customers: int) -> float:
    """The target, less 2 points and what chance may take from so many customers.

    Example:
        >>> round(least_coverage(0.8, 400), 4)
        0.7408
    """
    return target - COVERAGE_SHORTFALL - 1.96 * sqrt(target * (1 - target) / customers)


def _interval_score(result: Result, line: Line) -> Iterator[Verdict]:
    ours, plain = (result.intervals[name]["interval_score"] for name in ("package", RESIDUALS))
    yield Verdict(
        line.name,
        "interval score below that of the training residuals' plain quantiles",
        ours < plain,
        f"{ours:.1f}, theirs {plain:.1f}",
    )


def _nearer_bias(results: Sequence[Result]) -> Iterator[Verdict]:
    """How often the total bias is nearer to zero; only where all lines were judged."""
    if {result.line for result in results} != {*LINE_OF}:
        return
    ours = [result.value("winner", "total_bias") for result in results]
    theirs = {
        "published": [LINE_OF[result.line].published.bias for result in results],
        "measured here": [result.value(REGULARISED, "total_bias") for result in results],
    }
    for whose, others in theirs.items():
        pairs = [*zip(ours, others, strict=True)]
        nearer = sum(abs(own) < abs(other) for own, other in pairs)
        yield Verdict(
            "all",
            f"total bias nearer to zero than the well-regularised LightGBM's, {whose}, on at "
            f"least {NEARER_ON} lines",
            nearer >= NEARER_ON,
            f"{nearer}: " + ", ".join(f"{own:+.2f} to {other:+.2f}" for own, other in pairs),
        )


def _has_history(result: Result, line: Line) -> bool:
    return result.history_days >= HORIZONS_OF_HISTORY * line.horizon_days


RULES_OF_A_LINE: tuple[Callable[[Result, Line], Iterator[Verdict]], ...] = (
    _reference,
    _ahead,
    _log_loss,
    _calibration,
    _bias,
    _coverage,
    _interval_score,
)
