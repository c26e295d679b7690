"""The registered model as MLflow serves it: a models-from-code pyfunc over the data files.

For people and servers. Batch scoring never loads this; it reads the data files itself.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from portfolio_ml.models.files import most_bytes
from portfolio_ml.models.serving import model_of, predictions
from portfolio_ml.untrusted import file_bytes


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]  # no types
    """Predictions from a frame of feature columns."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's, without types
        """Read and parse the model's data files, once for all predictions."""
        folder = Path(context.artifacts["files"])
        self._model = model_of(
            {
                path.name: file_bytes(path, most=most_bytes(path.name))
                for path in sorted(folder.iterdir())
            }
        )

    def predict(
        self,
        context: Any,  # noqa: ANN401 - MLflow's, without types
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row of predictions per row of features; see the model's signature."""
        del context, params
        return pd.DataFrame(predictions(self._model, model_input))


mlflow.models.set_model(ServedModel())
