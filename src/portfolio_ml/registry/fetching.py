"""A registered model's data files, fetched from wherever MLflow keeps artifacts.

What lies there is looked at first: only a folder of exactly the recorded files, none of them
larger than a model's may be, is fetched at all.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from portfolio_ml.errors import DataError, ServiceUnavailableError
from portfolio_ml.models.files import ModelFiles, demand_names, most_bytes, verify
from portfolio_ml.untrusted import file_bytes


def fetched(artifacts: Any, folder: str, expected: Mapping[str, str], *, uri: str) -> ModelFiles:  # noqa: ANN401 - MLflow's module, without types
    """The files in a folder of artifacts, each with the digest that was recorded.

    Args:
        artifacts: `mlflow.artifacts`.
        folder: The folder's address.
        expected: Per file the SHA-256 on record.
        uri: The tracking server.

    Raises:
        DataError: They are not the recorded files, or too large for a model's.
        ServiceUnavailableError: They cannot be fetched.
    """
    where = {"artifact_uri": folder, "tracking_uri": uri}
    with tempfile.TemporaryDirectory() as own:
        try:
            _demand_fetchable(artifacts.list_artifacts(**where), expected)
            local = Path(artifacts.download_artifacts(**where, dst_path=own))
        except OSError as error:  # those of HTTP are among them
            raise ServiceUnavailableError(
                "the model's files cannot be fetched", where=folder, saw=type(error).__name__
            ) from error
        files = {name: file_bytes(local / name, most=most_bytes(name)) for name in expected}
    verify(files, expected)
    return files


def _demand_fetchable(listed: Any, expected: Mapping[str, str]) -> None:  # noqa: ANN401 - MLflow's FileInfo, without types
    plain = {PurePosixPath(each.path).name: each.file_size for each in listed if not each.is_dir}
    folders = {PurePosixPath(each.path).name for each in listed if each.is_dir}
    demand_names({*plain} | {f"{name}/" for name in folders}, expected)
    for name, size in plain.items():
        if size is not None and not 0 < size <= most_bytes(name):
            raise DataError(
                "a file of the model has no size that a model's may have",
                where=f"{name}",
                saw=f"{size:,} bytes",
                do="restore the artifact, or take the alias champion off this version and retrain",
            )
