"""YAML and environment -> frozen, validated settings.

Every fault in a file is reported at once, with its path. Secrets come from the environment, as
`${NAME}` in a value or as `PORTFOLIO_ML__SECTION__KEY`, and are never printed: this is the only
package that reads the environment.
"""

from portfolio_ml.config.data_sections import (
    CsvFormat,
    CustomersSource,
    OpportunitiesSource,
    TableSource,
)
from portfolio_ml.config.delivery_sections import (
    CsvTarget,
    HubSpotTarget,
    ParquetTarget,
    SalesforceTarget,
    SqlTarget,
    Target,
    history_beside,
)
from portfolio_ml.config.engine_sections import DuckDB, Spark
from portfolio_ml.config.json_schema import json_schema
from portfolio_ml.config.loading import load_settings, settings_from, variables
from portfolio_ml.config.portfolio_sections import (
    DailyList,
    FiguresInParquet,
    FiguresInSql,
    FiguresTarget,
    Goal,
    Loyalty,
    Portfolio,
    Representatives,
    Response,
    Satisfaction,
    Terms,
)
from portfolio_ml.config.scoring_sections import Bands
from portfolio_ml.config.settings import ENVIRONMENT_PREFIX, Settings
from portfolio_ml.config.shown import public_yaml
from portfolio_ml.config.target_sections import Lifecycle
from portfolio_ml.config.training_sections import Distributed, ExcludedPeriod

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Bands",
    "CsvFormat",
    "CsvTarget",
    "CustomersSource",
    "DailyList",
    "Distributed",
    "DuckDB",
    "ExcludedPeriod",
    "FiguresInParquet",
    "FiguresInSql",
    "FiguresTarget",
    "Goal",
    "HubSpotTarget",
    "Lifecycle",
    "Loyalty",
    "OpportunitiesSource",
    "ParquetTarget",
    "Portfolio",
    "Representatives",
    "Response",
    "SalesforceTarget",
    "Satisfaction",
    "Settings",
    "Spark",
    "SqlTarget",
    "TableSource",
    "Target",
    "Terms",
    "history_beside",
    "json_schema",
    "load_settings",
    "public_yaml",
    "settings_from",
    "variables",
]
