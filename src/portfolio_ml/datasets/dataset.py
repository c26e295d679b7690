"""What a built-in data set is: its tables, what its columns are called, and a config for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import TRANSACTIONS


@dataclass(frozen=True, slots=True)
class Dataset:
    """A built-in data set and how its portfolio is described.

    Attributes:
        name: What the config's `source` calls it.
        title: What it is, for people.
        read: Gives its transactions as an Arrow table.
        columns: Their columns by the names of `schema.TRANSACTIONS`.
        horizon_days: A horizon that fits its history and repurchase time.
        tables: What gives its further tables, by the names of the config's sections; their
            columns go by our own names.
        is_simulated: Whether nobody ever bought what it tells of.
        currency: The currency of its amounts.
        timezone: The zone of its timestamps.
        sections: The sections of its config beside `data.transactions`, as YAML indented for
            their place under `data`.
        portfolio: The section `portfolio` of its config, as YAML.
    """

    name: str
    title: str
    read: Callable[[], pa.Table]
    columns: Mapping[str, str]
    horizon_days: int
    tables: Mapping[str, Callable[[], pa.Table]] = field(default_factory=dict)
    is_simulated: bool = False
    currency: str = "USD"
    timezone: str = "UTC"
    sections: str = ""
    portfolio: str = ""

    def table(self, name: str) -> pa.Table:
        """One of its tables, by the name of its section of the config.

        Raises:
            ConfigError: It has no such table; the message lists those it has.
        """
        if name == TRANSACTIONS.name:
            return self.read()
        if name not in self.tables:
            there = ", ".join((TRANSACTIONS.name, *self.tables))
            raise ConfigError(
                f"the built-in data set {self.name!r} has no {name}",
                where=f"data.{name}.source",
                saw=f"tables {there}" if self.tables else f"one table, {there}",
                do=f"leave data.{name} out, or name a file of your own",
            )
        return self.tables[name]()

    @property
    def config(self) -> str:
        """A complete config for the data set, as YAML."""
        mapping = "\n".join(f"      {ours}: {theirs}" for ours, theirs in self.columns.items())
        return _CONFIG.format(
            name=self.name,
            title=self.title,
            timezone=self.timezone,
            currency=self.currency,
            mapping=mapping,
            sections=self.sections,
            portfolio=self.portfolio,
            horizon=self.horizon_days,
        )


_CONFIG = """\
# {title}
name: {name}
timezone: {timezone}
currency: {currency}
data:
  transactions:
    source: {name}
    columns:
{mapping}
{sections}targets:
  churn: {{horizon_days: {horizon}}}
  lifetime_value: {{horizon_days: {horizon}, coverage: 0.8}}
  segments: {{count: auto}}
training: {{snapshots: 8, step_days: 30, seed: 7}}
backtest: {{cutoffs: 3, bootstrap: 500}}
tracking: {{uri: "sqlite:///mlflow.db"}}
delivery:
  - {{kind: sql, url: "sqlite:///crm.db", table: customer_scores}}
  - {{kind: parquet, path: scores.parquet}}
{portfolio}report: {{path: report.html}}
"""
