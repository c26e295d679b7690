"""A registered model's data files, fetched from wherever MLflow keeps artifacts.

What lies there is looked at first: only the folder of exactly the recorded files, none of them
larger than a model's may be, is fetched at all. Nothing beside it is ever run here; but a model
that would run something else for those who serve it, such as a pickle or a `code` folder, is no
longer the one that was registered, and is refused.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from portfolio_ml.errors import DataError, ServiceUnavailableError
from portfolio_ml.models.files import ModelFiles, demand_names, most_bytes, verify
from portfolio_ml.untrusted import file_bytes

FILES = "files"

_MAX_MLMODEL_BYTES = 1_000_000
_SERVED = {
    *("MLmodel", "served_model.py", "artifacts/"),
    *("conda.yaml", "python_env.yaml", "requirements.txt"),
    *("input_example.json", "serving_input_example.json"),
    *("registered_model_meta", "__pycache__/"),  # left by those who serve it
}
_LOADER = re.compile(rb"^    loader_module: mlflow\.pyfunc\.loaders\.code_model$", re.MULTILINE)
_ADVICE = "restore the artifact, or take the alias champion off this version and retrain"


def fetched(
    artifacts: Any,  # noqa: ANN401 - MLflow's module, without types
    model: str,
    expected: Mapping[str, str],
    *,
    location: str,
    uri: str,
) -> ModelFiles:
    """The model's data files, each with the digest that was recorded.

    Args:
        artifacts: `mlflow.artifacts`.
        model: The model's address, such as `models:/shop-churn/1`, by which errors name it.
        expected: Per file the SHA-256 on record.
        location: Where the registry says that it lies. MLflow would ask for it anew, in several
            requests, for every look at the model's address.
        uri: The tracking server.

    Raises:
        DataError: They are not the recorded files, or too large, or something else lies beside
            them.
        ServiceUnavailableError: They cannot be fetched.
    """
    inside = f"artifacts/{FILES}"

    def listed(path: str = "") -> dict[str, int | None]:
        """The sizes of what lies there; the names of folders end with a slash."""
        found = artifacts.list_artifacts(artifact_uri=_below(location, path), tracking_uri=uri)
        return {
            PurePosixPath(each.path).name + ("/" if each.is_dir else ""): each.file_size
            for each in found
        }

    with tempfile.TemporaryDirectory() as own, _told(model):

        def local(path: str) -> Path:
            there = _below(location, path)
            return Path(
                artifacts.download_artifacts(artifact_uri=there, tracking_uri=uri, dst_path=own)
            )

        sizes = listed(inside)
        if not sizes:
            raise DataError(
                "there are no files where the registry says that the model lies",
                where=model,
                do="restore them; MLflow keeps absolute paths: a store that was moved must return "
                "to its place, or its models be trained anew",
            )
        demand_names(sizes, expected)
        _demand_sizes(sizes, most_bytes, f"{model}/{inside}")
        _demand_served(listed(), model, local)
        data = local(inside)
        files = {name: file_bytes(data / name, most=most_bytes(name)) for name in expected}
    verify(files, expected)
    return files


def _below(location: str, path: str) -> str:
    """The address of a path below a location, whose last part may end with a slash."""
    return f"{location.rstrip('/')}/{path}".rstrip("/")


def _demand_sizes(sizes: Mapping[str, int | None], most: Callable[[str], int], where: str) -> None:
    """Refuse what is empty or too large; some stores tell no sizes."""
    for name, size in sizes.items():
        if size is not None and not 0 < size <= most(name):
            raise DataError(
                "a file has no size that a model's file may have",
                where=f"{where}/{name}",
                saw=f"{size:,} bytes",
                do=_ADVICE,
            )


def _demand_served(
    there: Mapping[str, int | None], model: str, local: Callable[[str], Path]
) -> None:
    """Refuse a model that would load other code than it was registered with."""
    if alien := sorted({*there} - _SERVED):
        raise _other_code(model, f"{', '.join(alien):.80}")
    _demand_sizes({"MLmodel": there.get("MLmodel", 0)}, lambda _: _MAX_MLMODEL_BYTES, model)
    told = file_bytes(local("MLmodel"), most=_MAX_MLMODEL_BYTES)
    if told.count(b"loader_module") != 1 or not _LOADER.search(told):
        raise _other_code(model, "another loader in MLmodel")
    if b"\n    code: null\n" not in told or b"python_model" in told:
        raise _other_code(model, "code in MLmodel")


def _other_code(model: str, saw: str) -> DataError:
    return DataError(
        "the registered model would load other code than it was registered with",
        where=model,
        saw=saw,
        do=_ADVICE,
    )


@contextmanager
def _told(model: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # those of HTTP are among them
        raise ServiceUnavailableError(
            "the model's files cannot be fetched", where=model, saw=type(error).__name__
        ) from error
