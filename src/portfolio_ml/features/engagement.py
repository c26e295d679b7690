"""How a customer and we were in touch: interactions, and contacts that we made."""

from collections.abc import Iterator, Sequence

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage
from portfolio_ml.features.windows import inside
from portfolio_ml.timeline import in_window

FAMILY = "engagement"
WINDOW_DAYS = (30, 90, 365)
LEVEL_DAYS = 180
# Values are added up in millionths, whole numbers that add up alike in any order: the mean does
# not depend on how threads share the rows.
VALUE_SCALE = 1_000_000.0

_AGE = nw.col("age_days")


def engagement_features(kinds: Sequence[str] = ()) -> tuple[Feature, ...]:
    """The features of interactions and contacts.

    Args:
        kinds: The kinds of interactions that get features of their own.

    Example:
        >>> [feature.name for feature in engagement_features(["survey"])][-2:]
        ['survey_value_365d', 'survey_value_change']
    """
    anything = nw.lit(value=True)
    return (
        *_touches("interactions", Stage.INTERACTIONS, anything, "interactions"),
        *_values("interaction", anything, "interactions with a value"),
        *_touches("contacts", Stage.CONTACTS, anything, "contacts that were not held out"),
        *(feature for kind in kinds for feature in _of_kind(kind)),
    )


def _of_kind(kind: str) -> Iterator[Feature]:
    name = "".join(c if c.isalnum() else "_" for c in kind.casefold())
    is_kind = nw.col("kind") == kind
    yield from _touches(f"{name}_interactions", Stage.INTERACTIONS, is_kind, f"{kind} interactions")
    yield from _values(name, is_kind, f"{kind} interactions with a value")


def _touches(name: str, stage: Stage, chosen: nw.Expr, words: str) -> Iterator[Feature]:
    needs = frozenset({"contacts" if stage is Stage.CONTACTS else "interactions"})
    for days in WINDOW_DAYS:
        yield Feature(
            name=f"{name}_{days}d",
            family=FAMILY,
            unit="events",
            window=f"last {days} days",
            formula=f"number of {words} in the last {days} days",
            stage=stage,
            value=inside(chosen.cast(nw.Float64), days),
            needs=needs,
        )
    yield Feature(
        name=f"last_{name}_days",
        family=FAMILY,
        unit="days",
        null="there was none",
        formula=f"as-of day minus the day of the last of the {words}",
        stage=stage,
        value=nw.when(chosen).then(_AGE).min(),
        needs=needs,
    )


def _values(name: str, chosen: nw.Expr, words: str) -> Iterator[Feature]:
    value = (nw.col("value") * VALUE_SCALE).round()
    needs = frozenset({"interactions", "interactions.value"})

    def level(inside_window: nw.Expr) -> nw.Expr:
        return nw.when(chosen & inside_window).then(value).mean() / VALUE_SCALE

    yield Feature(
        name=f"{name}_value_365d",
        family=FAMILY,
        unit="as given",
        window="last 365 days",
        null="none in the window",
        formula=f"mean value of the {words}, such as satisfaction",
        stage=Stage.INTERACTIONS,
        value=level(in_window(_AGE, 365)),
        needs=needs,
    )
    yield Feature(
        name=f"{name}_value_change",
        family=FAMILY,
        unit="as given",
        null=f"none in the last {LEVEL_DAYS} days, or none before",
        formula=f"mean value of the {words} in the last {LEVEL_DAYS} days minus the mean before",
        stage=Stage.INTERACTIONS,
        value=level(in_window(_AGE, LEVEL_DAYS)) - level(~in_window(_AGE, LEVEL_DAYS)),
        needs=needs,
    )
