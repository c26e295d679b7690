"""A judgement as MLflow metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of a run; steps number the cutoffs, and the mean over them has its own name."""

    name: str
    value: float
    step: int = 0


def figures_of(
    target: str, judged: Mapping[str, Any], *, champion: str | None = None
) -> tuple[Figure, ...]:
    """Every figure of a judgement, as `Judgement.to_dict` gives it, or of the segments.

    The winner's metrics are named plainly (`auroc`, with the cutoffs as steps, and `auroc_mean`),
    a baseline's carry its name (`recency.auroc_mean`), gains the opponent's (`gain.recency.auroc`);
    those over the champion's recipe, where another won, are `gain.champion.auroc`, too.
    Those of the advice whom to act on begin with `acting`.

    Args:
        target: What the model predicts.
        judged: How it did.
        champion: The candidate that the champion in force is, or None.

    Example:
        >>> figures_of("segments", {"stability": 0.9, "separation": 0.3})[0]
        Figure(name='stability', value=0.9, step=0)
    """
    if target == "segments":
        measured = {k: judged[k] for k in ("stability", "separation")}
        return tuple(Figure(name, value) for name, value in measured.items())
    return (*_scores(judged), *_gains(judged, champion), *_acting(judged.get("acting")))


def _scores(judged: Mapping[str, Any]) -> Iterator[Figure]:
    steps = {day: step for step, day in enumerate(judged["cutoffs"])}
    for score in judged["scores"]:
        prefix = "" if score["model"] == judged["winner"] else f"{score['model']}."
        suffix = "" if score["population"] == "all" else "_active"
        name = f"{prefix}{score['metric']}{suffix}"
        if score["cutoff"] is None:
            yield Figure(f"{name}_mean", score["value"])
        else:
            yield Figure(name, score["value"], steps[score["cutoff"]])


def _acting(advice: Mapping[str, Any] | None) -> Iterator[Figure]:
    if advice is None:
        return
    for name in ("advised", "break_even", "everybody"):
        point = advice[name]
        for part, value in point["profit"].items():
            yield Figure(f"acting.{name}.profit.{part}", value)
        yield Figure(f"acting.{name}.contacts", point["contacts"])
        if point["threshold"] is not None:
            yield Figure(f"acting.{name}.threshold", point["threshold"])


def _gains(judged: Mapping[str, Any], champion: str | None) -> Iterator[Figure]:
    for metric, opponents in judged["gains"].items():
        for opponent, gain in opponents.items():
            names = [opponent, "champion"] if opponent == champion else [opponent]
            for name, part in product(names, ("estimate", "low", "high")):
                yield Figure(f"gain.{name}.{metric}.{part}", gain[part])
