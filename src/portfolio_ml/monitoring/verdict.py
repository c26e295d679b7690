"""Keep the champions, watch them, or retrain: what drift and matured outcomes add up to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from portfolio_ml import stored
from portfolio_ml.metrics import METRICS
from portfolio_ml.monitoring.drift import Drift
from portfolio_ml.monitoring.outcomes import Matured, decisive
from portfolio_ml.wording import TARGET_NAMES, counted

Level = Literal["keep", "watch", "retrain"]
LEVELS: tuple[Level, ...] = ("keep", "watch", "retrain")

FEATURES_TO_RETRAIN = 3
"""Windows of one length make three features: fewer may be a single coincidence."""
SHIFT_TO_RETRAIN = 0.05
_SHOWN = 4
_LABELS = {"coverage": "coverage"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the champions, and why.

    Attributes:
        level: `keep`, `watch` or `retrain`.
        reasons: Each finding as a sentence, those that weigh most first.
    """

    level: Level
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What a monitoring saw and says.

    Attributes:
        as_of: The last day of the history that it saw.
        versions: Per target, the champion's registered version.
        known_until: The last day that the churn champion knew.
        drifts: Every column, today against training.
        matured: How delivered scores did, by target, version and group of customers.
        verdict: What follows.
        contacts: What contacts brought beside customers who were held out: the rows of the
            portfolio's figure `response`; none where no contacts tell who was held out.
    """

    as_of: date
    versions: Mapping[str, str]
    known_until: date
    drifts: tuple[Drift, ...]
    matured: tuple[Matured, ...]
    verdict: Verdict
    contacts: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What it saw as plain JSON values."""
        return {
            "as_of": self.as_of.isoformat(),
            "verdict": self.verdict.level,
            "reasons": list(self.verdict.reasons),
            "versions": dict(self.versions),
            "known_until": self.known_until.isoformat(),
            "drift": [drift.to_dict() for drift in self.drifts],
            "outcomes": [matured.to_dict() for matured in self.matured],
            "contacts": [dict(row) for row in self.contacts],
        }

    def to_json(self) -> bytes:
        """All of it as JSON, from which `from_json` makes the same again."""
        return stored.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Monitoring":
        """What `to_json` wrote.

        Raises:
            DataError: It did not write this.
        """
        return stored.from_json(
            cls, text, what="what a monitoring saw", do="run portfolio-ml monitor again"
        )


def verdict(
    drifts: Sequence[Drift],
    matured: Sequence[Matured],
    *,
    versions: Mapping[str, str],
    unknown: str | None = None,
) -> Verdict:
    """What drift and matured outcomes add up to.

    Retrain where the champion's scores came out surely worse than promised, where its scores or
    what buyers spend against their own past have drifted, where something that was always bought
    has vanished, or where several features have drifted. A feature or two are to be watched.

    Args:
        drifts: Every column, today against training.
        matured: How delivered scores did.
        versions: Per target, the champion's version: only its failings count.
        unknown: Why there is no drift to tell, in a sentence; None where there is.
    """
    findings = [*_broken(matured, versions), *_drifted(drifts)]
    findings.sort(key=lambda finding: -LEVELS.index(finding[0]))
    level = findings[0][0] if findings else "keep"
    reasons = [sentence for _, sentence in findings]
    if unknown:
        reasons.append(unknown)
    elif not any(drift.has_drifted for drift in drifts):
        judged = sum(drift.state == "stable" for drift in drifts)
        reasons.append(f"none of {counted(judged, 'column')} has drifted beyond its natural course")
    reasons += _untold(matured, versions)
    return Verdict(level, tuple(reasons))


def _broken(matured: Sequence[Matured], versions: Mapping[str, str]) -> Iterator[tuple[Level, str]]:
    for of in decisive(matured):
        if of.version != versions.get(of.target):
            continue
        for metric in of.broken():
            seen, promise = of.figures[metric], of.promises[metric]
            label = METRICS[metric].label if metric in METRICS else _LABELS[metric]
            whom = "" if of.group == "all" else " on customers whom nobody contacted"
            yield (
                "retrain",
                (
                    f"{TARGET_NAMES[of.target].lower()}: {label} of version {of.version} came out "
                    f"at {seen.value:.3f} ({seen.low:.3f} to {seen.high:.3f}){whom}, where its "
                    f"backtest saw {promise.lowest:.3f} to {promise.highest:.3f}"
                ),
            )


def _drifted(drifts: Sequence[Drift]) -> Iterator[tuple[Level, str]]:
    news = [drift for drift in drifts if drift.has_drifted]
    for drift in news:
        if drift.family == "scores":
            yield "retrain", f"the score {drift.name} has drifted ({_figures(drift)})"
        elif drift.family == "behaviour":
            way = "more" if drift.shift > 0 else "less"
            yield (
                "retrain" if abs(drift.shift) >= SHIFT_TO_RETRAIN else "watch",
                (
                    f"those who buy spend {way} than they themselves used to, beyond what training "
                    f"saw ({_figures(drift)})"
                ),
            )
        elif drift.family == "mix" and drift.vanished:
            gone = ", ".join(map(repr, drift.vanished[:_SHOWN]))
            yield "retrain", f"nobody bought any more in {drift.name} {gone} in the last 30 days"
        elif drift.family == "mix":
            yield "watch", f"what is bought by {drift.name} has drifted ({_figures(drift)})"
    features = sorted(
        (drift for drift in news if drift.family == "features"), key=lambda d: -abs(d.shift)
    )
    if features:
        judged = sum(d.family == "features" and d.state in ("stable", "drifted") for d in drifts)
        named = ", ".join(drift.name for drift in features[:_SHOWN])
        more = "" if len(features) <= _SHOWN else ", ..."
        have = "has" if len(features) == 1 else "have"
        share = f"{len(features)} of {counted(judged, 'feature')}"
        sentence = f"{share} {have} drifted beyond the natural course: {named}{more}"
        yield ("retrain" if len(features) >= FEATURES_TO_RETRAIN else "watch"), sentence


def _untold(matured: Sequence[Matured], versions: Mapping[str, str]) -> Iterator[str]:
    for target in ("churn", "lifetime_value"):
        if not any(m.target == target and m.version == versions.get(target) for m in matured):
            yield (
                f"{TARGET_NAMES[target].lower()}: no delivered score of version "
                f"{versions.get(target)} has matured yet"
            )


def _figures(drift: Drift) -> str:
    return (
        f"PSI {drift.psi:.3f}, {drift.expected_psi:.3f} expected; "
        f"mean rank {drift.shift:+.3f}, +/-{drift.expected_shift:.3f} expected"
    )
