"""What a backtest, a search and the gate say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from portfolio_ml.display import SmallTable
from portfolio_ml.gate import Decision
from portfolio_ml.judgement import Judgement
from portfolio_ml.metrics import METRICS
from portfolio_ml.report.words import earned, whom_to_act_on
from portfolio_ml.results.numbers import rate
from portfolio_ml.tuning import Tuned
from portfolio_ml.wording import TARGET_NAMES, counted, model_name

CHOSEN = "chosen"


NO_COSTS = (
    "No threshold for acting is advised: the config says nothing of what a contact costs and "
    "brings (acting: {contact_cost: ..., success_rate: ...})"
)


NOBODY_ACTIVE = "No threshold for acting is advised: nobody was active at a cutoff"


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


def gain_over(model: str, judged: Judgement) -> str:
    """The chosen model's gain over another, with its 90 % interval."""
    if model == judged.winner:
        return CHOSEN
    gain = judged.gains[judged.primary][model]
    return f"{gain.estimate:+.3f} ({gain.low:+.3f}, {gain.high:+.3f})"


def _small_gain(tuned: Tuned) -> str:
    if (gain := tuned.gain) is None:
        return "-"
    return f"{gain.estimate:+.4f} ({gain.low:+.4f}, {gain.high:+.4f})"


def _verdict(decision: Decision) -> str:
    return "accepted" if decision.is_promoted else "refused"


def _with_mean(judged: Judgement, model: str) -> str:
    return f"{rate(judged.value(model, judged.primary))} {model_name(model, judged.target)}"
