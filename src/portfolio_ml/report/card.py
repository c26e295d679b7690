"""A model's card: what it predicts, from which data, how good it was, for whom, and its limits.

Markdown for people, kept with the run that made the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portfolio_ml.gate import Decision
from portfolio_ml.judgement import PRIMARY
from portfolio_ml.metrics import METRICS
from portfolio_ml.report.evidence import ModelFacts, model_facts
from portfolio_ml.report.limits import LIMITS
from portfolio_ml.report.number import finite, percent, plain, signed
from portfolio_ml.report.words import figure_text, interval, meaning, setting, verdict
from portfolio_ml.wording import TARGET_NAMES, model_name, value_name

SHOWN_FEATURES = 10
_SECTIONS = {"activity": "Activity", "value_tier": "Value tier"}
_HORIZON = {"churn": "churn_horizon_days", "lifetime_value": "value_horizon_days"}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card is made from.

    Attributes:
        portfolio: The portfolio's name.
        target: What the model predicts.
        judgement: How it did, as `judgement.json` has it.
        importance: Per ensemble, each feature's share of the gain, largest first.
        params: What the training was told.
        tags: Its digests and versions.
        decision: What the gate decided.
        currency: What money is in; empty where nobody said.
        coverage: The share of outcomes meant to lie inside the value interval.
    """

    portfolio: str
    target: str
    judgement: Mapping[str, Any]
    importance: Mapping[str, Mapping[str, float]]
    params: Mapping[str, object]
    tags: Mapping[str, str]
    decision: Decision
    currency: str
    coverage: float


def card(facts: CardFacts) -> str:
    """The card as Markdown."""
    name = TARGET_NAMES[facts.target]
    parts = [f"# {name}: {facts.portfolio}", *_opening(facts), *_data(facts), *_figures(facts)]
    if facts.importance:
        parts += ["## What it leans on", *_leaning(facts.importance)]
    parts += ["## Limits", _listed(LIMITS[facts.target])]
    accepted = "accepted" if facts.decision.is_promoted else "refused"
    parts += [f"## The gate: {accepted}", _listed(facts.decision.reasons)]
    return "\n\n".join(parts) + "\n"


def _opening(facts: CardFacts) -> Iterator[str]:
    if facts.target == "segments":
        count = len(facts.judgement["profiles"])
        yield f"It puts every customer into one of {count} segments by how they buy."
        return
    candidate = model_name(str(facts.judgement["winner"]), facts.target)
    days = _horizon_days(facts)
    if facts.target == "churn":
        yield f"It predicts the chance of no purchase within {days} days, calibrated."
    else:
        unit = f" in {facts.currency}" if facts.currency else ""
        extended = facts.params["value_extended_days"]
        measure = value_name(str(facts.judgement.get("measure", "revenue")))
        yield (
            f"It predicts {measure}{unit} within {extended or days} days, with an interval meant "
            f"to hold {facts.coverage:.0%} of outcomes."
        )
    yield f"Model: {candidate}."


def _horizon_days(facts: CardFacts) -> int:
    """The horizon that outcomes were learnt and judged over."""
    return int(str(facts.params[_HORIZON[facts.target]]))


def _data(facts: CardFacts) -> Iterator[str]:
    told = {
        "History up to": facts.params["as_of"],
        "Rows": facts.params["rows_kept"],
        "Rows refused": facts.params["rows_quarantined"],
        "Snapshot dates": facts.params["snapshots"] or "none",
        "Excluded periods": facts.params["excluded_periods"],
        "Seed": facts.params["seed"],
        "Digest of the data": facts.tags["data_digest"],
        "Features": facts.tags["features_hash"],
        "Package": facts.tags["portfolio_ml_version"],
    }
    yield "## Data and dates"
    yield _table(["", ""], [[name, value] for name, value in told.items()])


def _figures(facts: CardFacts) -> Iterator[str]:
    if facts.target not in PRIMARY:
        yield "## Segments"
        yield _segments(facts.judgement)
        return
    yield "## How good it was"
    if not facts.judgement["cutoffs"]:
        yield "No outcome has judged it: the history is too short for a backtest."
        return
    coverage = facts.coverage if facts.target == "lifetime_value" else None
    model = model_facts(facts.judgement, coverage=coverage)
    yield setting(model, _horizon_days(facts))
    yield " ".join([verdict(model), *meaning(model)])
    yield _scores(model)
    yield f"### Gain in {model.primary_label} over others, with its 90 % interval"
    yield _opponents(model)
    for section, title in _SECTIONS.items():
        if rows := [s for s in facts.judgement["sections"] if s["section"] == section]:
            yield f"### {title}"
            yield _section(rows, model)


def _scores(model: ModelFacts) -> str:
    rows = [[f.label, figure_text(f, f.of_all), figure_text(f, f.of_active)] for f in model.figures]
    return _table(["metric, mean over dates", "all customers", "active ones"], rows)


def _opponents(model: ModelFacts) -> str:
    rows = [
        [
            model_name(o.name, model.target),
            "baseline" if o.is_baseline else "candidate",
            signed(o.gain.estimate, 4),
            interval(o.gain),
        ]
        for o in model.opponents
    ]
    return _table(["over", "", "gain", "90 % interval"], rows)


def _section(rows: Sequence[Mapping[str, Any]], model: ModelFacts) -> str:
    is_churn = model.target == "churn"
    outcome = "churn" if is_churn else f"mean {value_name(model.measure)}"
    names = ["", "rows", f"{outcome}, actual", "predicted", METRICS[model.primary].label]

    def shown(value: float) -> str:
        return percent(value) if is_churn else plain(value, 2)

    table = [
        [
            row["part"],
            plain(row["rows"]),
            shown(row["actual"]),
            shown(row["predicted"]),
            plain(finite(row["primary"]), 3),
            *([] if is_churn else [percent(finite(row["coverage"]))]),
        ]
        for row in rows
    ]
    return _table(names if is_churn else [*names, "inside the interval"], table)


def _segments(judgement: Mapping[str, Any]) -> str:
    rows = [
        [
            profile["id"],
            profile["name"],
            plain(profile["customers"]),
            percent(finite(profile["customer_share"])),
            percent(finite(profile["ltv_share"])),
            percent(finite(profile["p_churn"])),
        ]
        for profile in judgement["profiles"]
    ]
    told = (
        f"Stability (adjusted Rand index between bootstrap samples): "
        f"{judgement['stability']:.2f}. Separation (silhouette): {judgement['separation']:.2f}."
    )
    heads = ["id", "name", "customers", "share", "share of expected value", "mean churn"]
    return f"{told}\n\n{_table(heads, rows)}"


def _leaning(importance: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for part, shares in importance.items():
        first = [[name, percent(share)] for name, share in shares.items()][:SHOWN_FEATURES]
        yield _table([f"trees: {part}", "share of the gain"], first)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _listed(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
