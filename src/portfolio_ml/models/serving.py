"""A registered model's predictions, whatever its kind, from its data files and named columns."""

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


def outputs(files: Mapping[str, bytes], table: Columns) -> dict[str, NDArray[Any]]:
    """The predictions for each row of `table`, by output column.

    Churn gives p_churn; lifetime value gives ltv, ltv_low and ltv_high; segments give segment_id
    and segment_name.

    Raises:
        DataError: A feature column is missing, or the files are no model.
    """
    kind = kind_of(files)
    if kind == CHURN:
        churn = ChurnModel.from_files(files)
        return {"p_churn": churn.predict(_features(table, churn.names))}
    if kind == LIFETIME_VALUE:
        value = LifetimeValueModel.from_files(files)
        features = _features(table, value.names)
        ltv, low, high = value.forecast(features)
        return {"ltv": ltv, "ltv_low": low, "ltv_high": high}
    if kind == SEGMENTS:
        segments = SegmentModel.from_files(files)
        segment_id, segment_name = segments.assigned(_features(table, segments.names))
        return {"segment_id": segment_id, "segment_name": segment_name}
    raise DataError("the files are of no known kind of model", saw=repr(kind))


def _features(table: Columns, names: tuple[str, ...]) -> NDArray[np.float32]:
    present = list(table.columns)
    for name in names:
        if name not in present:
            raise missing_column(name, present, where="the model's input")
    return np.column_stack([np.asarray(table[name], dtype=np.float32) for name in names])
