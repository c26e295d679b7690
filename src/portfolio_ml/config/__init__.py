"""YAML and environment -> frozen, validated settings.

Every fault in a file is reported at once, with its path. Secrets come from the environment, as
`${NAME}` in a value or as `PORTFOLIO_ML__SECTION__KEY`, and are never printed: this is the only
package that reads the environment.
"""

from portfolio_ml.config.loading import load_settings, settings_from
from portfolio_ml.config.sections import (
    CsvFormat,
    DuckDB,
    ExcludedPeriod,
    ParquetTarget,
    SqlTarget,
    Target,
    TransactionsSource,
)
from portfolio_ml.config.settings import ENVIRONMENT_PREFIX, Settings

__all__ = [
    "ENVIRONMENT_PREFIX",
    "CsvFormat",
    "DuckDB",
    "ExcludedPeriod",
    "ParquetTarget",
    "Settings",
    "SqlTarget",
    "Target",
    "TransactionsSource",
    "load_settings",
    "settings_from",
]
