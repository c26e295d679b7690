"""What a champion keeps of the portfolio that it was trained on.

Scoring reads the same quintiles, tiers, customer-base parameters and activity window until the
next champion, so that a row is the same scored alone or among all.
"""

import json
from dataclasses import dataclass, replace

from portfolio_ml.errors import DataError
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import (
    Computed,
    FeatureTable,
    Horizons,
    at,
    computed,
    definitions_hash,
)
from portfolio_ml.untrusted import json_value

FILE = "portfolio.json"
MAX_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Frozen:
    """The portfolio as of the last day that a champion knew.

    Attributes:
        reference: What was fitted across customers.
        activity_days: The activity window.
        horizons: How far the targets look ahead.
        features: The features that were computed, in the order of the table's columns.
        features_hash: The digest of their definitions.
    """

    reference: Reference
    activity_days: int
    horizons: Horizons
    features: tuple[str, ...]
    features_hash: str

    def table(self, inputs: Inputs, *as_of_days: int) -> FeatureTable:
        """The features that the champion learnt from, under the portfolio that it froze.

        Raises:
            DataError: The portfolio's tables no longer have them, or this version defines them
                otherwise.
        """
        known = self._known(inputs)
        references = dict.fromkeys(as_of_days, self.reference)
        return at(known, as_of_days, horizons=self.horizons, references=references)

    def computed(self, inputs: Inputs, *as_of_days: int) -> Computed:
        """The same, not yet collected; errors are those of `table`."""
        references = dict.fromkeys(as_of_days, self.reference)
        known = self._known(inputs)
        return computed(known, as_of_days, horizons=self.horizons, references=references)

    def _known(self, inputs: Inputs) -> Inputs:
        """The inputs with just the features that the champion learnt from."""
        known = replace(inputs, catalogue=inputs.catalogue.only(self.features))
        defined = definitions_hash(known.catalogue, self.horizons)
        if defined != self.features_hash:
            raise DataError(
                "the champion learnt from other feature definitions than this version computes",
                saw=f"{self.features_hash} instead of {defined}",
                do="retrain with portfolio-ml train",
            )
        return known

    def to_json(self) -> bytes:
        """The portfolio as JSON; keys are sorted."""
        values = {
            "reference": self.reference.to_dict(),
            "activity_days": self.activity_days,
            "churn_days": self.horizons.churn_days,
            "value_days": self.horizons.value_days,
            "features": list(self.features),
            "features_hash": self.features_hash,
        }
        return json.dumps(values, sort_keys=True, indent=1, allow_nan=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Frozen":
        """The portfolio that `to_json` gave.

        Raises:
            DataError: It cannot be read.
        """
        try:
            values = json_value(content, most=MAX_BYTES)
            return cls(
                reference=Reference.from_dict(values["reference"]),
                activity_days=_days(values["activity_days"]),
                horizons=Horizons(_days(values["churn_days"]), _days(values["value_days"])),
                features=tuple(map(str, values["features"])),
                features_hash=str(values["features_hash"]),
            )
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ):
            raise DataError(
                "the champion's portfolio cannot be read",
                where=FILE,
                do="retrain with portfolio-ml train",
            ) from None


def _days(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < 1_000_000:
        raise ValueError(f"a number of days is needed, saw {value!r}")
    return value
