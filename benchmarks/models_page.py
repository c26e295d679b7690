"""The benchmark's tables, as Markdown that reads well on a console too."""

from collections.abc import Iterable, Iterator, Sequence
from math import isnan

from benchmarks.markdown import table
from benchmarks.models_costs import Spent
from benchmarks.models_figures import RESIDUALS, TARGETS
from benchmarks.models_line import Result
from benchmarks.models_lines import SOURCE_OF_FIGURES, Line
from benchmarks.models_opponents import ONE_SNAPSHOT, REGULARISED
from benchmarks.models_promises import LINE_OF, Verdict
from portfolio_ml.judgement import Population

LABELS = {
    "bg_nbd": "BG/NBD",
    "mbg_nbd": "MBG/NBD",
    "pareto_nbd": "Pareto/NBD",
    ONE_SNAPSHOT: "LightGBM, one snapshot, as it comes",
    REGULARISED: "the same, well regularised",
    "past_spend": "past spend",
}
COLUMNS = {
    "auroc": ("AUROC", ".3f"),
    "log_loss": ("log loss", ".3f"),
    "calibration_slope": ("slope", ".2f"),
    "calibration_error": ("cal. error", ".3f"),
    "normalised_gini": ("Gini", ".3f"),
    "total_bias": ("bias", "+.3f"),
}
READING = (
    "Two figures stand for all customers and for the active ones alone. Of the rules "
    "(persistence, recency, past spend) only the order means something. Differences come with "
    f"90 % intervals of the paired bootstrap over customers. *Plain quantiles of {RESIDUALS}* "
    "are those of the chosen model's errors on its own training rows, around its predictions."
)
POPULATIONS: tuple[Population, ...] = ("all", "active")


def overview(results: Sequence[Result]) -> str:
    """AUROC and Gini of every line, beside the figures of the plan."""
    rows = []
    for result in results:
        line = LINE_OF[result.line]
        published = line.published
        pairs = (published.customer_base, published.regularised, published.reference)
        rows.append(
            [
                _title(line),
                *(_pair(result.value(n, "auroc"), result.value(n, "normalised_gini"))
                  for n in ("winner", "customer_base", REGULARISED)),
                *(_pair(pair.auroc, pair.gini) for pair in pairs),
            ]
        )  # fmt: skip
    header = [
        "AUROC of churn / Gini of value",
        "package",
        "customer base",
        "LightGBM reg.",
        "plan: customer base",
        "plan: LightGBM reg.",
        "plan: reference",
    ]
    return table(header, rows)


def details(result: Result) -> str:
    """Every figure of one line."""
    line = LINE_OF[result.line]
    winners = (f"{_label(result.winners[t])} for {_short(t)}" for t in TARGETS)
    facts = (
        f"{result.customers:,} customers, {result.active:,} of them active",
        f"{result.history_days} days of history",
        f"`train` judged its candidates as of {', '.join(result.cutoffs)}",
        f"it chose {', '.join(winners)}",
        f"{sum(result.seconds.values()):.0f} s",
    )
    title = f"### {_title(line)} (`{line.name}`)"
    tables = (_figures(result), _gains(result), _intervals(result))
    return "\n\n".join([title, "; ".join(facts) + ".", *tables])


def _figures(result: Result) -> str:
    rows = []
    for name in result.kinds:
        cells = [
            [_number(result.value(name, metric, population), form) for population in POPULATIONS]
            for metric, (_, form) in COLUMNS.items()
        ]
        chosen = " and ".join(_short(t) for t in TARGETS if result.winners[t] == name)
        label = f"{_label(name)}, chosen for {chosen}" if chosen else _label(name)
        rows.append([label, *(" / ".join(pair) for pair in cells)])
    return table(["all / active", *(label for label, _ in COLUMNS.values())], rows)


def _gains(result: Result) -> str:
    rows = []
    for name in result.kinds:
        cells = []
        for target in TARGETS:
            for population in POPULATIONS:
                gain = result.gains[target][population].get(name)
                told = f"{gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if gain else ""
                cells.append(told)
        if any(cells):
            rows.append([_label(name), *cells])
    header = ["chosen model minus", "AUROC", "AUROC, active", "Gini", "Gini, active"]
    return table(header, rows)


def _intervals(result: Result) -> str:
    rows = [
        [
            "chosen model" if name == "package" else f"plain quantiles of {name}",
            f"{found['coverage']:.3f}",
            f"{found['mean_width']:.1f}",
            f"{found['interval_score']:.1f}",
        ]
        for name, found in result.intervals.items()
    ]
    tiers = [
        [f"tier {name}", f"{tier.coverage:.3f}", f"{tier.customers:,}"]
        for name, tier in result.tiers.items()
    ]
    header = [f"intervals of {result.coverage:.0%}", "coverage", "mean width", "interval score"]
    return table(header, rows) + "\n\n" + table(["chosen model", "coverage", "customers"], tiers)


def verdict_table(found: Sequence[Verdict]) -> str:
    """Each promise with its figure, the missed ones told in capitals."""
    rows = [[v.line, v.promise, "kept" if v.is_kept else "MISSED", v.figure] for v in found]
    return table(["line", "promise", "", "figure"], rows, texts=4)


def cost_table(spent: Sequence[Spent]) -> str:
    """Each cost, and whether it is as low as promised."""
    rows = [[s.what, "kept" if s.is_kept else "MISSED", s.figure] for s in spent]
    return table(["cost", "", "figure"], rows, texts=3)


def verdict_counts(found: Sequence[Verdict]) -> str:
    """How many promises are kept."""
    kept = sum(v.is_kept for v in found)
    return f"{kept} of {len(found)} promises are kept."


def page(
    results: Sequence[Result],
    found: Sequence[Verdict],
    *,
    command: str,
    machine: Iterable[str],
    faults: Iterable[str],
    spent: Sequence[Spent],
) -> str:
    """The whole page.

    Args:
        results: The lines that were judged.
        found: The verdicts on them.
        command: What was run.
        machine: What it ran on, a fact each.
        faults: Why other lines were not judged.
        spent: What fitting costs; empty where it was not measured.
    """
    parts = [
        "# The models, measured",
        f"Written by `{command}` on {'; '.join(machine)}. Do not edit.",
        *_summary(results, found),
        *faults,
        *(["## Costs", cost_table(spent)] if spent else []),
        "## Line by line",
        READING,
        *(details(result) for result in results),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(results: Sequence[Result], found: Sequence[Verdict]) -> Iterator[str]:
    yield (
        "Per line the models learn from the history of the day alone, with the package's defaults "
        "and nothing but the data's columns and the horizon set. They predict every customer with "
        "a purchase in history, and are judged on what followed. *Package* is the candidate that "
        "`train` chooses by its own backtest on earlier days. All others are fitted here, on the "
        "same history: the best customer-base model is the best in hindsight, and LightGBM learns "
        "from the package's features on the latest day whose outcomes are known. The columns "
        f"*plan* are the {SOURCE_OF_FIGURES}."
    )
    yield overview(results)
    yield "## Promises"
    yield verdict_counts(found)
    yield verdict_table(found)


def _title(line: Line) -> str:
    return f"{line.title}, {line.as_of}, {line.horizon_days} d"


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " "))


def _short(target: str) -> str:
    return "churn" if target == "churn" else "value"


def _pair(auroc: float, gini: float) -> str:
    return f"{auroc:.3f} / {gini:.3f}"


def _number(value: float, form: str) -> str:
    return "–" if isnan(value) else f"{value:{form}}"
