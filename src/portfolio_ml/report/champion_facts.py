"""The models in force in short: what each is, learnt from and leans on, and its limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from portfolio_ml.models.files import ModelFiles
from portfolio_ml.models.importance import importance
from portfolio_ml.report.limits import LIMITS
from portfolio_ml.scoring import Champions
from portfolio_ml.timeline import to_date

SHOWN_FEATURES = 8


@dataclass(frozen=True, slots=True)
class Leaning:
    """What the trees of one part of a model gain most from.

    Attributes:
        part: The part, such as `amount of those who buy`.
        features: The names of the first, and each one's share of the gain, largest first.
    """

    part: str
    features: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ChampionFacts:
    """One model in force.

    Attributes:
        target: What it predicts.
        version: As it is registered.
        candidate: Which of the candidates it is; empty for segments.
        learned_until: The last day of the history that it was trained on.
        features: How many features it is given.
        leanings: What its trees gain most from; empty without trees.
        limits: What it cannot tell, in sentences.
    """

    target: str
    version: str
    candidate: str
    learned_until: date
    features: int
    leanings: tuple[Leaning, ...]
    limits: tuple[str, ...]


def champion_facts(champions: Champions) -> tuple[ChampionFacts, ...]:
    """The models in force in short, target by target."""
    churn, value = champions.churn, champions.lifetime_value
    segments = champions.segments
    return (
        _of(champions, "churn", churn.candidate, churn.names, churn.to_files()),
        _of(champions, "lifetime_value", value.candidate, value.names, value.to_files()),
        _of(champions, "segments", "", segments.names, {}),
    )


def _of(
    champions: Champions, target: str, candidate: str, names: tuple[str, ...], files: ModelFiles
) -> ChampionFacts:
    return ChampionFacts(
        target=target,
        version=str(champions.versions[target]),
        candidate=candidate,
        learned_until=to_date(champions.frozen[target].reference.day),
        features=len(names),
        leanings=tuple(_leaning(part, shares) for part, shares in importance(files).items()),
        limits=LIMITS[target],
    )


def _leaning(part: str, shares: Mapping[str, float]) -> Leaning:
    return Leaning(part, tuple(shares.items())[:SHOWN_FEATURES])
