"""The files that installed distributions bring along."""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from portfolio_ml.errors import ConfigError

EXTRA = "portfolio-ml[demo]"


def file_of(distribution: str, name: str) -> Path:
    """A file that came with a distribution, which is not imported.

    Raises:
        ConfigError: The distribution is not installed, or lacks the file.
    """
    try:
        found = [f for f in files(distribution) or [] if f.name == name]
    except PackageNotFoundError:
        found = []
    if not found:
        raise ConfigError(
            f"this data set needs the files of the {distribution} distribution",
            do=f"install {EXTRA}",
        )
    return Path(str(found[0].locate()))
