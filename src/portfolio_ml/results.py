"""What a run's results say, as small tables and sentences.

The command line, a console and a notebook each draw them in their own way.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from portfolio_ml.champions import Succession
from portfolio_ml.display import SmallTable
from portfolio_ml.gate import Decision
from portfolio_ml.judgement import Judgement
from portfolio_ml.metrics import METRICS
from portfolio_ml.monitoring.outcomes import Promise
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.registry import CHALLENGER, CHAMPION, PREVIOUS, Move
from portfolio_ml.report.words import earned, whom_to_act_on
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.tuning import Tuned
from portfolio_ml.wording import TARGET_NAMES, counted, model_name

CHOSEN = "chosen"
NO_COSTS = (
    "No threshold for acting is advised: the config says nothing of what a contact costs and "
    "brings (acting: {contact_cost: ..., success_rate: ...})"
)
NOBODY_ACTIVE = "No threshold for acting is advised: nobody was active at a cutoff"
_SHORT = {"churn": "Churn", "lifetime_value": "Value"}


def judgement_table(judged: Judgement) -> SmallTable:
    """The primary metric of every model, cutoff by cutoff, and the chosen model's gain over it."""
    models = (*judged.predictions.candidates, *judged.predictions.baselines)
    return SmallTable.of(
        f"{TARGET_NAMES[judged.target]}: {METRICS[judged.primary].label} by cutoff, "
        "and the chosen model's gain (90 %)",
        ["", *map(str, judged.cutoffs), "mean", "gain"],
        [
            [
                model_name(model, judged.target),
                *(rate(judged.value(model, judged.primary, cutoff=d)) for d in judged.cutoffs),
                rate(judged.value(model, judged.primary)),
                gain_over(model, judged),
            ]
            for model in models
        ],
    )


def summary_table(judgements: Sequence[Judgement]) -> SmallTable:
    """One row per target: the chosen model, the best baseline, and the gain over it."""
    return SmallTable.of(
        "The models, over the backtest's cutoffs",
        ["", "measured by", "model", "best baseline", "gain (90 %)"],
        [
            [
                TARGET_NAMES[judged.target],
                METRICS[judged.primary].label,
                *(_with_mean(judged, model) for model in (judged.winner, judged.best_baseline)),
                gain_over(judged.best_baseline, judged),
            ]
            for judged in judgements
        ],
    )


def acting_table(judged: Judgement) -> SmallTable | None:
    """What acting from some thresholds on would have earned; None where no cost is known."""
    if (advice := judged.acting) is None:
        return None
    named = {
        "advised": advice.advised,
        "break-even, if all predictions held": advice.break_even,
        "all with value at risk": advice.everybody,
    }
    return SmallTable.of(
        "Whom to act on: a campaign at each cutoff, within capacity, would have earned",
        ["active customers", "value at risk from", "contacts", "profit (90 %)"],
        [
            [
                name,
                "nobody" if point.threshold is None else f"{point.threshold:,.2f}",
                f"{point.contacts:,.0f}",
                earned(point.profit),
            ]
            for name, point in named.items()
        ],
    )


def acting_lines(judged: Judgement) -> list[str]:
    """Whom to act on, in sentences; why nothing is advised where no cost is known."""
    if judged.acting is not None:
        return [*whom_to_act_on(judged.acting)]
    return [NO_COSTS if judged.predictions.is_active.any() else NOBODY_ACTIVE]


def gate_table(decisions: Mapping[str, Decision], versions: Mapping[str, str]) -> SmallTable:
    """What the gate decided on each version, and why."""
    return SmallTable.of(
        "The gate",
        ["target", "version", "decision", "reasons"],
        [
            [
                TARGET_NAMES[target],
                versions[target],
                _verdict(decision),
                "; ".join(decision.reasons),
            ]
            for target, decision in decisions.items()
        ],
    )


def gate_lines(decisions: Mapping[str, Decision], versions: Mapping[str, str]) -> list[str]:
    """What the gate decided on each version, and why."""
    return [
        f"{TARGET_NAMES[target]}: version {versions[target]} "
        f"{_verdict(decision)}: {'; '.join(decision.reasons)}"
        for target, decision in decisions.items()
    ]


def champions_table(successions: Sequence[Succession]) -> SmallTable:
    """The versions of every target that have an alias."""
    return SmallTable.of(
        "The versions in use",
        ["target", CHAMPION, PREVIOUS, CHALLENGER],
        [
            [
                TARGET_NAMES[each.target],
                *(each.aliases.get(alias, "-") for alias in (CHAMPION, PREVIOUS, CHALLENGER)),
            ]
            for each in successions
        ],
    )


def moves_table(moves: Sequence[Move]) -> SmallTable:
    """Promotions and rollbacks: when, what, by whom and why."""
    return SmallTable.of(
        "How the champions changed",
        ["when (UTC)", "target", "version", "instead of", "what", "by", "why"],
        [
            [
                f"{move.at:%Y-%m-%d %H:%M}",
                TARGET_NAMES[move.target],
                move.version,
                move.before or "-",
                move.action,
                move.by,
                move.reason,
            ]
            for move in moves
        ],
    )


def tuned_table(found: Sequence[Tuned]) -> SmallTable:
    """What the search found per target, and what its best trial gains over the defaults."""
    return SmallTable.of(
        "The best trials, on customers whom the search did not look at",
        ["target", "trials", "measured by", "gain (90 %)", "advice"],
        [
            [
                TARGET_NAMES[tuned.target],
                tuned.trials,
                METRICS[tuned.metric].label,
                _small_gain(tuned),
                "try them" if tuned.is_advised else "keep the defaults",
            ]
            for tuned in found
        ],
    )


def tuned_yaml(found: Sequence[Tuned]) -> str:
    """What belongs into the config: the parameters that are advised, and where none are.

    Example:
        >>> from portfolio_ml.models.trees import DEFAULTS
        >>> print(tuned_yaml([Tuned("churn", "log_loss", 9, DEFAULTS, None)]))
        # churn: keep the defaults; of 9 trials, none surely gains
    """
    advised = [tuned for tuned in found if tuned.is_advised]
    lines = [
        f"# {tuned.target}: keep the defaults; "
        f"of {counted(tuned.trials, 'trial')}, none surely gains"
        for tuned in found
        if not tuned.is_advised
    ]
    if advised:
        lines += ["training:", "  trees:"]
    for tuned in advised:
        values = ", ".join(f"{name}: {value}" for name, value in asdict(tuned.best).items())
        lines.append(f"    {tuned.target}: {{{values}}}")
    return "\n".join(lines)


def receipt_line(receipt: Receipt) -> str:
    """What became of a delivery, in one line."""
    is_file = receipt.target.endswith(receipt.table)
    place = receipt.target if is_file else f"{receipt.target} {receipt.table}"
    if receipt.unchanged == receipt.rows:
        return f"{place}: nothing changed ({counted(receipt.unchanged, 'row')})"
    counts = {
        "written": receipt.sent,
        "unchanged": receipt.unchanged,
        "rejected": receipt.rejected,
        "unknown": receipt.unknown,
        "not in the CRM": receipt.absent,
        "erased": receipt.suppressed,
        "still to send": receipt.pending,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    late = " to the history only: newer scores stand" if receipt.status == "history_only" else ""
    return f"{place}: {told}{late}"


def deliveries_table(receipts: Sequence[Receipt]) -> SmallTable:
    """What became of every delivery."""
    return SmallTable.of(
        "Deliveries",
        ["target", "table", "rows", "written", "unchanged", "rejected"],
        [[r.target, r.table, r.rows, r.sent, r.unchanged, r.rejected] for r in receipts],
    )


def verdict_lines(seen: Monitoring) -> list[str]:
    """The verdict, and each of its reasons."""
    return [f"Verdict: {seen.verdict.level}", *(f"- {reason}" for reason in seen.verdict.reasons)]


def verdict_table(seen: Monitoring) -> SmallTable:
    """The verdict and its reasons."""
    caption = f"As of {seen.as_of}, champions that know all up to {seen.known_until}"
    reasons = "; ".join(seen.verdict.reasons)
    return SmallTable.of(caption, ["verdict", "reasons"], [[seen.verdict.level, reasons]])


def contacts_table(seen: Monitoring) -> SmallTable:
    """What contacts brought, beside customers who were held out."""

    def share(of: float | None) -> str:
        return "" if of is None else f"{of:.1%}"

    return SmallTable.of(
        "Contacted customers beside those held out: who bought within the churn horizon",
        ["action", "customers", "contacted", "bought", "held out", "bought", "uplift (90 %)"],
        [
            [
                row["action"],
                row["audience"],
                row["contacted"],
                share(row["contacted_share"]),
                row["held_out"],
                share(row["held_out_share"]),
                _uplift(row),
            ]
            for row in seen.contacts
            if row["contacted"] is not None
        ],
    )


def _uplift(row: Mapping[str, Any]) -> str:
    if row["uplift"] is None:
        return "too few to tell"
    return f"{row['uplift']:+.1%} ({row['uplift_low']:+.1%} to {row['uplift_high']:+.1%})"


def drift_table(seen: Monitoring, *, most: int = 12) -> SmallTable:
    """What has drifted, and then what strays farthest from training's path."""
    judged = [drift for drift in seen.drifts if drift.state in ("drifted", "stable")]
    ranked = sorted(judged, key=lambda d: (not d.has_drifted, -(d.psi - d.expected_psi)))
    left = len(seen.drifts) - len(judged)
    note = f"; {counted(left, 'column')} not comparable" if left else ""
    return SmallTable.of(
        f"Today against training: {counted(len(judged), 'column')}{note}",
        ["", "family", "state", "PSI", "expected", "mean rank", "expected", "q"],
        [
            [
                drift.name,
                drift.family,
                drift.state,
                f"{drift.psi:.3f}",
                f"{drift.expected_psi:.3f}",
                f"{drift.shift:+.3f}",
                f"±{drift.expected_shift:.3f}",
                f"{drift.q_value:.3f}",
            ]
            for drift in ranked[:most]
        ],
    )


def matured_table(seen: Monitoring) -> SmallTable:
    """How delivered scores did, with 90 % intervals, beside what the backtest saw."""
    rows = [
        [
            f"{_SHORT[of.target]} {of.version}",
            of.group.replace("_", " "),
            f"{of.rows:,}",
            METRICS[metric].label if metric in METRICS else metric.capitalize(),
            f"{rate(estimate.value)} ({rate(estimate.low)}, {rate(estimate.high)})",
            _promised(of.promises.get(metric)),
        ]
        for of in seen.matured
        for metric, estimate in of.figures.items()
    ]
    dates = {str(day) for of in seen.matured for day in (of.first, of.last)}
    return SmallTable.of(
        f"Delivered scores that have matured, as of {' to '.join(sorted({min(dates), max(dates)}))}"
        if dates
        else "No delivered score has matured",
        ["version", "customers", "scores", "measured by", "came out (90 %)", "backtest"],
        rows,
    )


def _promised(promise: Promise | None) -> str:
    return "-" if promise is None else f"{rate(promise.lowest)} to {rate(promise.highest)}"


def rows_table(caption: str, rows: Sequence[Mapping[str, Any]]) -> SmallTable:
    """Some rows of a table, numbers with two decimals."""
    return SmallTable.of(
        caption, [*rows[0]] if rows else [], [[*map(_plain, row.values())] for row in rows]
    )


def by_need(left_out: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The features that were left out, by what they need; those that most need come first.

    A column of a table that is absent itself is not named beside it.

    Example:
        >>> by_need({"a": ("cost",), "b": ("calls", "calls.value"), "c": ("calls",)})
        {('calls',): ('b', 'c'), ('cost',): ('a',)}
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for name, needs in left_out.items():
        absent = tuple(n for n in needs if "." not in n or n.partition(".")[0] not in needs)
        found.setdefault(absent, []).append(name)
    ranked = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    return {needs: tuple(names) for needs, names in ranked}


def left_out_text(left_out: Mapping[str, tuple[str, ...]]) -> str:
    """How many features need what is not there.

    Example:
        >>> left_out_text({"margin": ("cost",), "calls_30d": ("calls",), "calls_90d": ("calls",)})
        '2 features need calls; 1 needs cost'
    """
    counts: Counter[str] = Counter()
    for needs, names in by_need(left_out).items():
        tables = (need.partition(".") for need in needs)
        words = (f"columns of {name}" if column else name for name, _, column in tables)
        counts[" and ".join(dict.fromkeys(words))] += len(names)
    (first, count), *others = counts.most_common()
    told = [f"{counted(count, 'feature')} {_need(count)} {first}"]
    return "; ".join([*told, *(f"{count} {_need(count)} {words}" for words, count in others)])


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"


def refused_by_rule(quarantine: pa.Table) -> dict[str, str]:
    """How many rows broke each rule, the most frequent first, with the first of them."""
    counts = quarantine["rule"].value_counts().to_pylist()
    told = {}
    for rule, count in sorted(((c["values"], c["counts"]) for c in counts), key=lambda c: -c[1]):
        place = quarantine["rule"].index(rule).as_py()
        row = quarantine.slice(place, 1).to_pylist()[0]
        value = "no value" if row["value"] is None else repr(row["value"])
        shown = "" if row["column"] == "line" else f" with {value}"  # a whole line is too much
        such = f"such as row {row['row_number']:,} of {Path(row['source']).name}{shown}"
        told[rule] = f"{counted(count, 'row')}, {such}"
    return told


def gain_over(model: str, judged: Judgement) -> str:
    """The chosen model's gain over another, with its 90 % interval."""
    if model == judged.winner:
        return CHOSEN
    gain = judged.gains[judged.primary][model]
    return f"{gain.estimate:+.3f} ({gain.low:+.3f}, {gain.high:+.3f})"


def rate(value: float) -> str:
    """A metric's value; a dash where it does not exist."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _small_gain(tuned: Tuned) -> str:
    if (gain := tuned.gain) is None:
        return "-"
    return f"{gain.estimate:+.4f} ({gain.low:+.4f}, {gain.high:+.4f})"


def _verdict(decision: Decision) -> str:
    return "accepted" if decision.is_promoted else "refused"


def _with_mean(judged: Judgement, model: str) -> str:
    return f"{rate(judged.value(model, judged.primary))} {model_name(model, judged.target)}"


def _plain(value: object) -> object:
    if value is None or value != value:  # noqa: PLR0124 - NaN, as pandas has it for null
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else value
