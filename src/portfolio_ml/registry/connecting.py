"""From the settings to an open store: MLflow imported, quiet, and pointed at the address."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.errors import ConfigError
from portfolio_ml.registry.address import (
    address_of,
    artifacts_beside,
    demand_answer,
    has_tables,
)
from portfolio_ml.registry.beginning import alone_at_first, make_whole
from portfolio_ml.registry.faults import told
from portfolio_ml.registry.store import Store

_SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the scheduler tries again; MLflow's 7 take minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # where results go
    "MLFLOW_PRINT_MODEL_URLS_ON_CREATION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The portfolio's store for the length of a `with` block.

    The experiment is created when missing; beside an SQLite store its artifacts lie in
    `mlartifacts`.

    Raises:
        ConfigError: The store's address cannot be used.
        TryAgainLaterError: Another process has locked it.
        ServiceUnavailableError: The store does not answer.
    """
    address = address_of(settings.tracking.uri, base=settings.base)
    demand_answer(address)
    with _pointed(address) as mlflow:
        with alone_at_first(address):
            make_whole(address)
            number = _experiment(mlflow, address, settings.experiment) or _begun(
                mlflow, address, settings.experiment
            )
        mlflow.set_experiment(experiment_id=number)
        yield Store(mlflow, address, experiment_id=number, portfolio=settings.name)


@contextmanager
def looking(settings: Settings) -> Iterator[Store | None]:
    """The same for those who only look: None where there is no store or experiment yet.

    Nothing is created, and no run should be begun.
    """
    address = address_of(settings.tracking.uri, base=settings.base)
    if not has_tables(address, base=settings.base):
        yield None
        return
    demand_answer(address)
    with _pointed(address) as mlflow:
        number = _experiment(mlflow, address, settings.experiment)
        yield (
            Store(mlflow, address, experiment_id=number, portfolio=settings.name)
            if number
            else None
        )


@contextmanager
def _pointed(address: str) -> Iterator[Any]:
    """MLflow, quiet, pointed at the address for the length of a `with` block."""
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # MLflow's own deprecations are no news to its users
        mlflow = _mlflow()
        before = mlflow.get_tracking_uri()
        try:
            with told(mlflow, address):
                mlflow.set_tracking_uri(address)
                yield mlflow
        finally:
            mlflow.set_tracking_uri(before)


def _mlflow() -> Any:  # noqa: ANN401 - a module without types
    """MLflow, imported when it is needed: it takes seconds."""
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: PLC0415 - only those who open a store wait for it

    return mlflow


def _experiment(mlflow: Any, address: str, name: str) -> str | None:  # noqa: ANN401 - a module
    """The experiment's number; None where there is none of that name."""
    try:
        found = mlflow.MlflowClient(address, address).get_experiment_by_name(name)
    except ImportError as error:
        raise ConfigError(
            "the tracking store needs a driver that is not installed",
            where=redacted(address),
            saw=str(error),
        ) from None
    return None if found is None else str(found.experiment_id)


def _begun(mlflow: Any, address: str, name: str) -> str:  # noqa: ANN401 - a module
    """A new experiment; its artifacts lie beside an SQLite store."""
    client = mlflow.MlflowClient(address, address)
    return str(client.create_experiment(name, artifact_location=artifacts_beside(address)))


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)  # what goes wrong is told once, by us
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
