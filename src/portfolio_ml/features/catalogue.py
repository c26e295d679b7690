"""Every feature, in the order of the table's columns, and which of them a portfolio can have."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType

from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.features.account import account_features, texts
from portfolio_ml.features.basket import BASKET
from portfolio_ml.features.calendar import CALENDAR
from portfolio_ml.features.channel import CHANNEL
from portfolio_ml.features.engagement import engagement_features
from portfolio_ml.features.expectations import EXPECTATIONS
from portfolio_ml.features.feature import Feature, Stage, features_hash
from portfolio_ml.features.margin import MARGIN
from portfolio_ml.features.returns import RETURNS
from portfolio_ml.features.rfm import RFM, SCORES
from portfolio_ml.features.rhythm import RHYTHM
from portfolio_ml.features.trend import TREND
from portfolio_ml.features.windows import WINDOWS
from portfolio_ml.schema import ATTRIBUTE, TRAINING_ROWS
from portfolio_ml.wording import counted

FROM_TRANSACTIONS: tuple[Feature, ...] = (
    *RFM, *WINDOWS, *RHYTHM, *TREND, *BASKET, *RETURNS, *MARGIN, *CALENDAR, *CHANNEL, *SCORES,
    *EXPECTATIONS,
)  # fmt: skip


RESERVED = frozenset({"customer", "future_margin", *TRAINING_ROWS.names})
"""Names that no feature may take: the other columns of the tables that features stand in.

One of an outcome's name would be replaced by the outcome in what is written for training.
"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The features that a portfolio's tables allow.

    Attributes:
        features: In the order of the table's columns.
        left_out: Per feature that could not be, the columns and tables that are absent.
    """

    features: tuple[Feature, ...]
    left_out: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def model_inputs(self) -> tuple[str, ...]:
        """The columns that models learn from, in order."""
        return tuple(feature.name for feature in self.features if feature.is_model_input)

    @property
    def hash(self) -> str:
        """The digest of the definitions."""
        return features_hash(self.features)

    def of_stage(self, stage: Stage) -> tuple[Feature, ...]:
        """The features that one step of the query computes.

        Example:
            >>> [feature.name for feature in catalogue().of_stage(Stage.MODEL)][:2]
            ['p_alive', 'p_no_purchase']
        """
        return tuple(feature for feature in self.features if feature.stage is stage)

    def only(self, names: Collection[str]) -> "Catalogue":
        """The features of these names.

        Raises:
            DataError: One of them is not here, with the columns that it would need.
        """
        if missing := [name for name in names if name not in self.names]:
            needs = sorted({need for name in missing for need in self.left_out.get(name, ())})
            needy = [name for name in missing if name in self.left_out]
            whose = " and others need" if len(needy) > 1 else " needs"
            raise DataError(
                f"the champion learnt from {counted(len(missing), 'feature')} that this portfolio "
                "lacks",
                saw=f"no {', '.join(needs)}, which {needy[0]}{whose}"
                if needy
                else f"nothing that gives {missing[0]}",
                do="map what is missing, or retrain with portfolio-ml train"
                if needy
                else "name its module, kind of interaction or attribute in the config again, or "
                "retrain with portfolio-ml train",
            )
        return replace(self, features=tuple(f for f in self.features if f.name in {*names}))


def catalogue(
    have: Collection[str] = (),
    *,
    attributes: Collection[str] = (),
    kinds: Iterable[str] = (),
    own: Iterable[Feature] = (),
) -> Catalogue:
    """The features for a portfolio.

    Args:
        have: The optional columns and tables that are there, such as `category`, `interactions`.
        attributes: The columns of its customers table that may be used.
        kinds: The kinds of interactions that get features of their own.
        own: The user's own features.

    Raises:
        ConfigError: One of the user's own needs what is not there, or takes a name in use; an
            attribute takes the name of a column that features are computed from; or features of
            several kinds of interactions would have the same name.
    """
    kinds = tuple(kinds)
    ours = _standard(tuple(attributes), kinds)
    present = [f for f in ours if _absent(f, have) == ()]
    left_out = {f.name: _absent(f, have) for f in ours if _absent(f, have)}
    _demand_once(kinds, present)
    _demand_apart(attributes, present)
    chosen = _with_own(present, tuple(own), have)
    return Catalogue(chosen, MappingProxyType(left_out))


@cache
def _standard(attributes: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[Feature, ...]:
    """The package's own features, the same ones for the same attributes and kinds."""
    features = (*FROM_TRANSACTIONS, *account_features(attributes), *engagement_features(kinds))
    # Customer-base models come last: they need what the stages before give.
    return tuple(sorted(features, key=lambda feature: feature.stage is Stage.MODEL))


def _absent(feature: Feature, have: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(feature.needs - {*have}))


def _demand_once(kinds: Collection[str], features: Iterable[Feature]) -> None:
    """Refuse kinds of interactions that would give features one name."""
    times = Counter(feature.name for feature in features)
    if twice := next((name for name in times if times[name] > 1), None):
        raise ConfigError(
            f"several features would be called {twice!r}",
            where="data.interactions.kinds",
            saw=", ".join(map(repr, kinds)),
            do="name each kind once, none that differs from another in capitals or signs alone, "
            "and none 'interaction', as which all kinds together go",
        )


def _demand_apart(attributes: Collection[str], features: Iterable[Feature]) -> None:
    """Refuse attributes that would stand for another column, or be lost behind it."""
    taken = {"customer", "as_of", *(feature.name for feature in features)}
    for name in texts(attributes):
        if name in taken or name.startswith("reference_"):
            raise ConfigError(
                f"the customers' attribute {name!r} has the name of a feature or column of ours",
                where="data.customers.columns",
                do=f"map it under another name, such as own_{name}: {name}, or leave it out",
            )


def _with_own(
    present: list[Feature], own: tuple[Feature, ...], have: Collection[str]
) -> tuple[Feature, ...]:
    taken = {feature.name for feature in present} | RESERVED
    for feature in own:
        if not ATTRIBUTE.fullmatch(feature.name) or feature.name.startswith("reference_"):
            raise ConfigError(
                f"{feature.name!r} is no name for a feature",
                where="features",
                do="use small letters, digits and _, begin with a letter, and not with reference_",
            )
        if absent := _absent(feature, have):
            raise ConfigError(
                f"the feature {feature.name!r} needs {', '.join(absent)}",
                where="features",
                saw="no such column or table in this portfolio",
                do="map it under data, or leave the feature out",
            )
        if feature.name in taken:
            raise ConfigError(
                f"there is a feature or column {feature.name!r} already",
                where="features",
                do="give it another name",
            )
        taken.add(feature.name)
    expectations = [f for f in present if f.stage is Stage.MODEL]
    return (*(f for f in present if f.stage is not Stage.MODEL), *own, *expectations)
