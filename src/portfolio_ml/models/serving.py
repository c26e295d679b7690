"""A registered model's predictions, whatever its kind, from its data files and named columns.

Files are parsed once, by `model_of`; `predictions` then takes any number of tables.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.errors import DataError, missing_column
from portfolio_ml.models.churn import KIND as CHURN
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.files import kind_of
from portfolio_ml.models.lifetime_value import KIND as LIFETIME_VALUE
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.segments import KIND as SEGMENTS
from portfolio_ml.models.segments import SegmentModel


class Columns(Protocol):
    """A table whose columns are found by name."""

    @property
    def columns(self) -> Any:  # noqa: ANN401 - pandas calls it an Index
        """The names."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any array-like column
        """One column."""


Model = ChurnModel | LifetimeValueModel | SegmentModel

_KINDS: Mapping[str, type[Model]] = {
    CHURN: ChurnModel,
    LIFETIME_VALUE: LifetimeValueModel,
    SEGMENTS: SegmentModel,
}


def model_of(files: Mapping[str, bytes]) -> Model:
    """The model in the files, ready to predict.

    Raises:
        DataError: The files are no model.
    """
    kind = kind_of(files)
    if kind not in _KINDS:
        raise DataError("the files are of no known kind of model", saw=f"{kind!r:.80}")
    return _KINDS[kind].from_files(files)


def predictions(model: Model, table: Columns) -> dict[str, NDArray[Any]]:
    """The predictions for each row of `table`, by output column.

    Churn gives p_churn; lifetime value gives ltv, ltv_low and ltv_high; segments give segment_id
    and segment_name.

    Raises:
        DataError: A feature column is missing.
    """
    features = _features(table, model.names)
    if isinstance(model, ChurnModel):
        return {"p_churn": model.predict(features)}
    if isinstance(model, LifetimeValueModel):
        ltv, low, high = model.forecast(features)
        return {"ltv": ltv, "ltv_low": low, "ltv_high": high}
    segment_id, segment_name = model.assigned(features)
    return {"segment_id": segment_id, "segment_name": segment_name}


def outputs(files: Mapping[str, bytes], table: Columns) -> dict[str, NDArray[Any]]:
    """The same, for a model that predicts once.

    Raises:
        DataError: A feature column is missing, or the files are no model.
    """
    return predictions(model_of(files), table)


def _features(table: Columns, names: tuple[str, ...]) -> NDArray[np.float32]:
    present = list(table.columns)
    for name in names:
        if name not in present:
            raise missing_column(name, present, where="the model's input")
    return np.column_stack([np.asarray(table[name], dtype=np.float32) for name in names])
