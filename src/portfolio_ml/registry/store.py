"""Runs, registered models and aliases in one MLflow store."""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError
from portfolio_ml.models.files import DESCRIPTION, ModelFiles, digests
from portfolio_ml.models.serving import outputs
from portfolio_ml.registry.address import (
    address_of,
    artifacts_beside,
    demand_answer,
    without_secrets,
)
from portfolio_ml.registry.fetching import FILES, fetched
from portfolio_ml.registry.figures import Figure
from portfolio_ml.untrusted import file_bytes

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
TARGETS = ("churn", "lifetime_value", "segments")

_DIGEST_TAG = "sha256."
_MAX_TEXT_BYTES = 100_000
_MAX_PARAM = 500
_MAX_METRICS = 1000  # MLflow takes no more at once
_SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the scheduler tries again; MLflow's 7 take minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a registered model: its data files, checked against their digests."""

    target: str
    version: str
    files: ModelFiles


class Store:
    """One portfolio's experiment and registered models in an MLflow store."""

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
        tags = {"mlflow.runName": name, "portfolio": self._portfolio}
        if parent:
            tags["mlflow.parentRunId"] = parent
        run_id: str = self._client.create_run(self._experiment_id, tags=tags).info.run_id
        try:
            yield run_id
        except BaseException:
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
    ) -> None:
        """Add to a run: parameters, metrics, tags, and files by artifact path."""
        kinds = self._mlflow.entities
        metrics = [
            kinds.Metric(f.name, f.value, 0, f.step) for f in figures if np.isfinite(f.value)
        ]
        self._client.log_batch(
            run_id,
            params=[kinds.Param(k, str(v)[:_MAX_PARAM]) for k, v in (params or {}).items()],
            tags=[kinds.RunTag(k, v) for k, v in (tags or {}).items()],
        )
        for start in range(0, len(metrics), _MAX_METRICS):
            self._client.log_batch(run_id, metrics=metrics[start : start + _MAX_METRICS])
        if files:
            with tempfile.TemporaryDirectory() as folder:
                for path, content in files.items():
                    target = Path(folder, path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                self._client.log_artifacts(run_id, folder)

    def register(self, target: str, run_id: str, files: ModelFiles) -> str:
        """Log the files as a model of the run and register them; gives the version.

        Args:
            target: One of `TARGETS`.
            run_id: The run that made them.
            files: The model as data.
        """
        names = json.loads(files[DESCRIPTION])["names"]
        example = pd.DataFrame({name: np.arange(1, 4, dtype=np.float32) for name in names})
        answer = pd.DataFrame(outputs(files, example))
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder, FILES)
            data.mkdir()
            for name, content in files.items():
                (data / name).write_bytes(content)
            model_id = self._log_model(target, run_id, data, example, answer)
        created = self._client.create_model_version(
            self._name(target),
            source=f"models:/{model_id}",
            run_id=run_id,
            model_id=model_id,
            tags={_DIGEST_TAG + name: digest for name, digest in digests(files).items()},
        )
        return str(created.version)

    def promote(self, target: str, version_number: str) -> None:
        """Make a version the champion; the champion before becomes `previous`."""
        before = self._alias(target, CHAMPION)
        if before is not None and before != version_number:
            self._client.set_registered_model_alias(self._name(target), PREVIOUS, before)
        self._client.set_registered_model_alias(self._name(target), CHAMPION, version_number)
        if self._alias(target, CHALLENGER) == version_number:
            self._client.delete_registered_model_alias(self._name(target), CHALLENGER)

    def challenge(self, target: str, version_number: str) -> None:
        """Mark a version as the challenger that was refused."""
        self._client.set_registered_model_alias(self._name(target), CHALLENGER, version_number)

    def champion(self, target: str) -> Registered | None:
        """The champion's files, each with the digest that was recorded; None without one.

        Raises:
            DataError: A file is not the one that was registered.
        """
        number = self._alias(target, CHAMPION)
        if number is None:
            return None
        found = self._client.get_model_version(self._name(target), number)
        expected = {
            name.removeprefix(_DIGEST_TAG): digest
            for name, digest in found.tags.items()
            if name.startswith(_DIGEST_TAG)
        }
        if not expected:
            raise DataError(
                "the champion's digests are not on record",
                where=f"{self._name(target)} version {number}",
                do="take the alias champion off this version and retrain",
            )
        files = self._downloaded(f"models:/{self._name(target)}/{number}", expected)
        return Registered(target, number, files)

    def text_beside(self, target: str, version_number: str, path: str) -> str | None:
        """A text that the version's run keeps under an artifact path; None where it has none."""
        run_id = self._client.get_model_version(self._name(target), version_number).run_id
        there = {each.path: each.file_size for each in self._client.list_artifacts(run_id)}
        if not 0 < (there.get(path) or 0) <= _MAX_TEXT_BYTES:
            return None
        with tempfile.TemporaryDirectory() as folder:
            local = Path(self._client.download_artifacts(run_id, path, folder))
            return file_bytes(local, most=_MAX_TEXT_BYTES).decode(errors="replace")

    def registered_at(self, target: str, version_number: str) -> datetime:
        """When a version was registered, in UTC."""
        found = self._client.get_model_version(self._name(target), version_number)
        return datetime.fromtimestamp(found.creation_timestamp // 1000, tz=UTC)

    def _downloaded(self, model: str, expected: Mapping[str, str]) -> ModelFiles:
        return fetched(self._mlflow.artifacts, model, expected, uri=self._uri)

    def _log_model(
        self, target: str, run_id: str, data: Path, example: pd.DataFrame, answer: pd.DataFrame
    ) -> str:
        with self._mlflow.start_run(run_id=run_id, nested=True):
            info = self._mlflow.pyfunc.log_model(
                name=target,
                python_model=str(Path(__file__).with_name("served_model.py")),
                artifacts={FILES: str(data)},
                signature=self._mlflow.models.infer_signature(example, answer),
                input_example=example,
                pip_requirements=[f"portfolio-ml=={version('portfolio-ml')}"],
            )
        return str(info.model_id)

    def _name(self, target: str) -> str:
        return f"{self._portfolio}-{target.replace('_', '-')}"

    def _alias(self, target: str, alias: str) -> str | None:
        found = self._client.search_registered_models(f"name = '{self._name(target)}'")
        number = found[0].aliases.get(alias) if found else None
        return None if number is None else str(number)

    def prepare(self) -> None:
        """Make sure that the registered models exist."""
        for target in TARGETS:
            name = self._name(target)
            if not self._client.search_registered_models(f"name = '{name}'"):
                self._client.create_registered_model(name)


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The portfolio's store for the length of a `with` block.

    The experiment is created when missing; beside an SQLite store its artifacts lie in
    `mlartifacts`.

    Raises:
        ConfigError: The store's address cannot be used.
        ServiceUnavailableError: The store does not answer.
    """
    uri = settings.tracking.uri
    address = address_of(uri, base=settings.base)
    demand_answer(address)
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # MLflow's own deprecations are no news to its users
        mlflow = _mlflow()
        before = mlflow.get_tracking_uri()
        try:
            mlflow.set_tracking_uri(address)
            experiment_id = _experiment_id(mlflow, address, settings.experiment)
            yield Store(mlflow, address, experiment_id=experiment_id, portfolio=settings.name)
        except mlflow.exceptions.MlflowException as error:
            raise ServiceUnavailableError(
                "the tracking store does not do what is asked",
                where=redacted(uri),
                saw=without_secrets(str(error), address),
                do="check tracking.uri and that the store is up",
            ) from None  # MLflow's own message may show the password
        finally:
            mlflow.set_tracking_uri(before)


def _mlflow() -> Any:  # noqa: ANN401 - a module without types
    """MLflow, imported when it is needed: it takes seconds."""
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: PLC0415 - only those who open a store wait for it

    return mlflow


def _experiment_id(mlflow: Any, address: str, name: str) -> str:  # noqa: ANN401 - a module
    try:
        client = mlflow.MlflowClient(address, address)
        found = client.get_experiment_by_name(name)
    except ImportError as error:
        raise ConfigError(
            "the tracking store needs a driver that is not installed",
            where=redacted(address),
            saw=str(error),
        ) from None
    number = (
        client.create_experiment(name, artifact_location=artifacts_beside(address))
        if found is None
        else found.experiment_id
    )
    mlflow.set_experiment(experiment_id=number)
    return str(number)


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
