"""Every feature, in the order of the table's columns."""

from portfolio_ml.features.expectations import EXPECTATIONS
from portfolio_ml.features.feature import Feature, Stage
from portfolio_ml.features.rfm import RFM, SCORES
from portfolio_ml.features.rhythm import RHYTHM
from portfolio_ml.features.trend import TREND
from portfolio_ml.features.windows import WINDOWS

CATALOGUE: tuple[Feature, ...] = (*RFM, *WINDOWS, *RHYTHM, *TREND, *SCORES, *EXPECTATIONS)

MODEL_INPUTS: tuple[str, ...] = tuple(f.name for f in CATALOGUE if f.is_model_input)


def of_stage(stage: Stage) -> tuple[Feature, ...]:
    """The features that one step of the query computes.

    Example:
        >>> [feature.name for feature in of_stage(Stage.MODEL)][:2]
        ['p_alive', 'p_no_purchase']
    """
    return tuple(f for f in CATALOGUE if f.stage is stage)
