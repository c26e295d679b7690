"""Which kinds of interactions tell satisfaction by their value, and which are complaints.

That is configured; without it, their names tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw

from portfolio_ml.config import Satisfaction
from portfolio_ml.engine import Frame
from portfolio_ml.features.inputs import Inputs

_SATISFACTION = ("satisf", "survey", "nps", "csat", "rating", "review")
_COMPLAINTS = ("complain", "claim", "dispute", "reklam")


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of interactions that say how customers feel.

    Attributes:
        values: Those whose value tells satisfaction, more being better.
        complaints: Those that are complaints.
    """

    values: tuple[str, ...]
    complaints: tuple[str, ...]

    @property
    def words(self) -> str:
        """The first, for people.

        Example:
            >>> Kinds(("nps", "survey"), ()).words
            'nps and survey'
        """
        return " and ".join(self.values)


def kinds_of(frame: Frame, inputs: Inputs, settings: Satisfaction) -> Kinds:
    """Which kinds of interactions say how customers feel, as configured or by their names."""
    found = inputs.engine.collect(frame.group_by("kind").agg(count=nw.len()).sort("kind"))
    there: list[str] = found["kind"].to_pylist()
    has_value = "value" in frame.collect_schema().names()

    def named(chosen: Sequence[str] | None, words: Sequence[str]) -> tuple[str, ...]:
        if chosen is not None:
            return tuple(kind for kind in there if kind in chosen)
        return tuple(k for k in there if any(word in k.casefold() for word in words))

    complaints = named(settings.complaints, _COMPLAINTS)
    values = named(settings.kinds, _SATISFACTION) if has_value else ()
    return Kinds(tuple(kind for kind in values if kind not in complaints), complaints)
