"""Runs in one MLflow experiment, with what each is told."""

import getpass
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from portfolio_ml.registry.dataset import Dataset
from portfolio_ml.registry.faults import is_lost
from portfolio_ml.registry.figures import Figure
from portfolio_ml.registry.recovery import WRITER
from portfolio_ml.writers import Writer, at_work

_MAX_PARAM = 500
_MAX_METRICS = 1000  # MLflow takes no more at once


class Runs:
    """One portfolio's runs in an experiment of an MLflow store."""

    def __init__(
        self,
        mlflow: Any,  # noqa: ANN401 - a module without types
        uri: str,
        *,
        experiment_id: str,
        portfolio: str,
    ) -> None:
        self._mlflow = mlflow
        self._client = mlflow.MlflowClient(uri, uri)
        self._uri = uri
        self._experiment_id = experiment_id
        self._portfolio = portfolio

    @contextmanager
    def run(self, name: str, *, parent: str | None = None) -> Iterator[str]:
        """A run for the length of a `with` block; gives its id. It fails if the block does."""
        writer = str(Writer.this())
        tags = {"mlflow.runName": name, "portfolio": self._portfolio, WRITER: writer}
        tags["mlflow.user"] = user()
        if parent:
            tags["mlflow.parentRunId"] = parent
        run_id: str = self._client.create_run(self._experiment_id, tags=tags).info.run_id
        with at_work(run_id):
            try:
                yield run_id
            except BaseException as error:
                # a store that failed is not asked again; the next training cleans up
                if not (isinstance(error, Exception) and is_lost(error)):
                    with suppress(Exception):
                        self._client.set_terminated(run_id, "FAILED")
                raise
            self._client.set_terminated(run_id, "FINISHED")

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        figures: Sequence[Figure] = (),
        tags: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        """Add to a run: parameters, metrics, tags, files by artifact path, and what it learnt from.

        Of the data only its name, digest, columns and counts are kept.
        """
        kinds = self._mlflow.entities
        self._client.log_batch(
            run_id,
            params=[kinds.Param(k, str(v)[:_MAX_PARAM]) for k, v in (params or {}).items()],
            tags=[kinds.RunTag(k, v) for k, v in (tags or {}).items()],
        )
        self._log_figures(run_id, figures)
        if dataset is not None:
            self._client.log_inputs(run_id, datasets=[dataset.as_input(kinds)])
        if files:
            with tempfile.TemporaryDirectory() as folder:
                for path, content in files.items():
                    target = Path(folder, path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                self._client.log_artifacts(run_id, folder)

    def _log_figures(
        self, run_id: str, figures: Sequence[Figure], *, model_id: str | None = None
    ) -> None:
        """Add metrics to a run, and to a model of it where one is named."""
        metrics = [
            self._mlflow.entities.Metric(f.name, f.value, 0, f.step, model_id=model_id)
            for f in figures
            if np.isfinite(f.value)
        ]
        for start in range(0, len(metrics), _MAX_METRICS):
            self._client.log_batch(run_id, metrics=metrics[start : start + _MAX_METRICS])


def user() -> str:
    """Who runs this, by the system's account."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may know no name for its user
        return "unknown"
