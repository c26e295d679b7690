"""Champion or challenger: may the new model replace the old one?

The recipes of both were refitted at the same cutoffs, and the champion as it stands was asked where
it did not know the outcomes (`incumbent`): there the challenger must not lose more than `max_loss`,
for recipes alone do not tell a training that went wrong. A challenger becomes champion if the lower
end of the paired 90 % interval against the champion's recipe exceeds `-max_loss`, it is ahead of
the best baseline, and it is not worse in calibration, total bias and coverage. Without a champion
the better of the candidates and the best baseline becomes it: the customer-base model is both, and
is among the candidates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal

from portfolio_ml.judgement import Judgement
from portfolio_ml.metrics import METRICS, Difference
from portfolio_ml.models.segment_identity import Migration
from portfolio_ml.models.segments import LOWEST_STABILITY, SMALLEST_SHARE, SegmentModel
from portfolio_ml.wording import model_name

# How much worse than the champion's a calibration error, total bias or coverage gap may be.
TOLERANCE = {"calibration_error": 0.01, "total_bias": 0.05, "coverage": 0.03}
# The customers who must keep their segment for its names to mean what they meant yesterday. Refits
# of CDNOW, Complete Journey, Online Retail and resellers one to three months on kept 90 to 97 %, or
# 70 to 84 % where another number or kind of segments won.
LOWEST_STAYING = 0.5


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a challenger becomes champion, and why.

    Attributes:
        target: What it predicts.
        is_promoted: Whether it becomes champion.
        reasons: Each rule that was tried, with the figures seen, as a sentence.
    """

    target: str
    is_promoted: bool
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain JSON values."""
        return {
            "target": self.target,
            "is_promoted": self.is_promoted,
            "reasons": list(self.reasons),
        }


def decide(
    judgement: Judgement,
    *,
    champion: str | None,
    max_loss: float,
    coverage: float,
    over_champion: Mapping[str, Difference] | None = None,
) -> Decision:
    """The decision on a supervised target.

    Args:
        judgement: How the candidates did in the backtest.
        champion: The candidate that the champion in force is, or None.
        max_loss: How much of the primary metric may be lost at the interval's lower end.
        coverage: The nominal coverage of value intervals.
        over_champion: Per metric, the winner's gain over the champion as it stands, on outcomes
            later than its last label; None where there are none.
    """
    opening = _against_baseline(judgement)
    if champion is None:
        return Decision(judgement.target, True, (opening, "there is no champion yet"))
    if champion not in judgement.predictions.candidates:
        named = model_name(champion, judgement.target)
        sentence = f"the champion's recipe ({named}) can no longer be fitted"
        return Decision(judgement.target, True, (opening, sentence))
    over_best = judgement.gains[judgement.primary][judgement.best_baseline]
    is_ahead = champion == judgement.winner or over_best.estimate > 0
    tried = [*_against_champion(judgement, champion, max_loss, coverage)]
    tried += _as_it_stands(judgement, over_champion or {}, max_loss)
    sentences = tuple(sentence for _, sentence in tried)
    is_promoted = is_ahead and all(passed for passed, _ in tried)
    return Decision(judgement.target, is_promoted, (opening, *sentences))


def decide_unjudged(target: str, *, champion: str | None, why: str) -> Decision:
    """The decision on a customer-base model that no outcome has judged.

    It replaces nothing but its like: a champion with trees was judged once.

    Args:
        target: What it predicts.
        champion: The candidate that the champion in force is, or None.
        why: What was missing.
    """
    opening = f"the customer-base model was not judged: {why}"
    if champion is None:
        return Decision(target, True, (opening, "there is no champion yet"))
    named = model_name(champion, target)
    is_alike = champion == "customer_base"
    ending = f"the champion is a {named} too" if is_alike else f"the champion ({named}) stays"
    return Decision(target, is_alike, (opening, ending))


def decide_segments(
    model: SegmentModel,
    *,
    count: int | Literal["auto"],
    has_champion: bool,
    migration: Migration | None,
) -> Decision:
    """The decision on segments: none too small, stable under resampling, few customers moved.

    Without a champion they become it, for without any nobody could be scored.

    Args:
        model: The new segments.
        count: How many were asked for; then none is too small, and new numbers move customers.
        has_champion: Whether there is one.
        migration: From the champion's segments; None where those cannot be found any more.
    """
    is_asked, share = count != "auto", model.smallest_share
    tried = [
        (
            is_asked or share >= SMALLEST_SHARE,
            f"the smallest segment holds {share:.1%} of customers",
        ),
        (model.stability >= LOWEST_STABILITY, f"stability is {model.stability:.2f}"),
    ]
    if not has_champion:
        tried.append((True, "there is no champion yet"))
    elif migration is None:
        sentence = "the champion's segments cannot be found in today's features: all ids are new"
        tried.append((True, sentence))
    else:
        staying = migration.staying_share
        is_other_count = is_asked and len(model.ids) != migration.segments_before
        sentence = f"{staying:.1%} of customers stay in their segment"
        tried.append((is_other_count or staying >= LOWEST_STAYING, sentence))
    is_promoted = not has_champion or all(ok for ok, _ in tried)
    return Decision("segments", is_promoted, tuple(text for _, text in tried))


def _against_baseline(judgement: Judgement) -> str:
    gain = judgement.gains[judgement.primary][judgement.best_baseline]
    label = METRICS[judgement.primary].label
    winner, baseline = (
        model_name(name, judgement.target) for name in (judgement.winner, judgement.best_baseline)
    )
    if isnan(gain.estimate):
        return (
            f"{label} is not defined on what followed the cutoffs, where all customers did the "
            f"same: {winner} is shown to be no better than {baseline}"
        )
    return (
        f"the gain of {winner} over {baseline} in {label} is {gain.estimate:+.4f} "
        f"({gain.low:+.4f} to {gain.high:+.4f})"
    )


def _as_it_stands(
    judgement: Judgement, gains: Mapping[str, Difference], max_loss: float
) -> Iterator[tuple[bool, str]]:
    """Whether the newcomer loses too much to the champion itself.

    In the primary metric it may lose no more than `max_loss`; in what candidates are chosen by, as
    log loss, nothing beyond that which is sure.
    """
    for metric, gain in gains.items():
        lost = gain.estimate if metric == judgement.primary else gain.high
        seen = f"{gain.estimate:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        sentence = (
            f"{METRICS[metric].label} against the champion as it stands, on outcomes that it did "
            f"not know: {seen}, allowed {-max_loss:+.4f}"
        )
        yield not lost < -max_loss, sentence


def _against_champion(
    judgement: Judgement, champion: str, max_loss: float, coverage: float
) -> Iterator[tuple[bool, str]]:
    named = model_name(champion, judgement.target)
    if champion == judgement.winner:
        yield True, f"the champion's recipe ({named}) won again, refitted on newer data"
        return
    gain = judgement.gains[judgement.primary][champion]
    label = METRICS[judgement.primary].label
    yield (
        gain.low > -max_loss,
        (
            f"{label} against the champion's recipe ({named}): {gain.estimate:+.4f}, "
            f"at worst {gain.low:+.4f}, allowed {-max_loss:+.4f}"
        ),
    )
    for metric, tolerance in TOLERANCE.items():
        ours, theirs = (judgement.value(m, metric) for m in (judgement.winner, champion))
        if ours != ours or theirs != theirs:  # noqa: PLR0124 - NaN: the metric is not of this target
            continue
        ideal, label = {"coverage": coverage}.get(metric, 0.0), metric.replace("_", " ")
        ours, theirs = abs(ours - ideal), abs(theirs - ideal)
        yield (
            ours <= theirs + tolerance,
            f"{label} is {ours:.3f} from ideal, the champion's recipe {theirs:.3f}",
        )
