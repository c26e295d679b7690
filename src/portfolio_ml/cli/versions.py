"""The versions that a report of a problem should name; none of it is imported for that."""

import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "duckdb",
    "lightgbm",
    "mlflow",
    "narwhals",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "sqlalchemy",
)
"""What every installation has."""
OPTIONAL = ("dask", "httpx2", "optuna", "psycopg", "pymysql", "pyspark")
"""What some have."""


def versions() -> dict[str, str | None]:
    """The package, Python, the platform and each library with its version; None: not installed.

    Example:
        >>> [*versions()][:3]
        ['portfolio-ml', 'python', 'platform']
    """
    return {
        "portfolio-ml": _version("portfolio-ml"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: _version(name) for name in (*LIBRARIES, *OPTIONAL)},
    }


def is_told(name: str, found: str | None) -> bool:
    """Whether people are told of it: extras that are not installed are none of their business."""
    return found is not None or name not in OPTIONAL


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
