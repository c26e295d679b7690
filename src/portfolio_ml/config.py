"""YAML and environment -> frozen, validated settings.

Every fault in a file is reported at once, with its path. Secrets come from the environment, as
`${NAME}` in a value or as `PORTFOLIO_ML__SECTION__KEY`, and are never printed: this is the only
module that reads the environment.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.schema import TRANSACTIONS

ENVIRONMENT_PREFIX = "PORTFOLIO_ML__"
MAX_CONFIG_BYTES = 1_000_000


class Section(BaseModel):
    """A frozen part of the settings that knows no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone; use a name such as Europe/Berlin") from error
    return name


def _known_columns(columns: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(columns) - set(TRANSACTIONS.names))
    if unknown:
        raise ValueError(f"{unknown} are no columns of transactions; known: {TRANSACTIONS.names}")
    missing = [c.name for c in TRANSACTIONS.columns if c.required and c.name not in columns]
    if missing:
        raise ValueError(f"{missing} must be mapped")
    twice = sorted({c for c in columns.values() if list(columns.values()).count(c) > 1})
    if twice:
        raise ValueError(f"{twice} are mapped to more than one column")
    return columns


class TransactionsSource(Section):
    """Where the transactions are, and what their columns are called there.

    `source` is a built-in data set (`cdnow`, `grocery`), a path or glob (`.csv`, `.parquet`), or
    a database URL with `table` or `query`.
    """

    source: str
    columns: Annotated[dict[str, str], AfterValidator(_known_columns)] | None = None
    table: str | None = None
    query: str | None = None


class Data(Section):
    """The tables and how much of them may be refused."""

    transactions: TransactionsSource
    max_quarantined_share: float = Field(default=0.05, ge=0, le=1)


class DuckDB(Section):
    """Tables are computed in this process, out of core."""

    kind: Literal["duckdb"] = "duckdb"
    threads: PositiveInt | None = None
    memory_limit: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B|%)$")
    temp_directory: Path | None = None


class Activity(Section):
    """When a customer counts as active."""

    window_days: PositiveInt | Literal["auto"] = "auto"


class Churn(Section):
    """No purchase within the horizon."""

    horizon_days: PositiveInt = 90


class LifetimeValue(Section):
    """Net spend within the horizon, with an interval of the given coverage."""

    horizon_days: PositiveInt = 90
    coverage: float = Field(default=0.8, gt=0.5, lt=1)


class Segments(Section):
    """How many segments; `auto` chooses by stability and separation."""

    count: Annotated[int, Field(ge=2, le=20)] | Literal["auto"] = "auto"


class Targets(Section):
    """What is predicted."""

    churn: Churn = Churn()
    lifetime_value: LifetimeValue = LifetimeValue()
    segments: Segments = Segments()


class Training(Section):
    """Which snapshots the models learn from."""

    snapshots: PositiveInt = 8
    step_days: PositiveInt = 30
    max_rows: PositiveInt = 2_000_000
    seed: int = Field(default=7, ge=0, lt=2**31)


class Backtest(Section):
    """How the recipe is judged."""

    cutoffs: PositiveInt = 3
    bootstrap: Annotated[int, Field(ge=100, le=10_000)] = 500


class Gate(Section):
    """How much worse than the champion a challenger may be at its 90 % lower bound."""

    max_loss: float = Field(default=0.002, ge=0, le=1)


class Tracking(Section):
    """The MLflow tracking server or database, and the experiment's name."""

    uri: str = "sqlite:///mlflow.db"
    experiment: str | None = None


class SqlTarget(Section):
    """A table of the package's own in a SQL database."""

    kind: Literal["sql"]
    url: str
    table: str = "customer_scores"


class ParquetTarget(Section):
    """One Parquet file, replaced whole."""

    kind: Literal["parquet"]
    path: Path


Target = Annotated[SqlTarget | ParquetTarget, Field(discriminator="kind")]


class Report(Section):
    """Where the page is written."""

    path: Path = Path("report.html")


class Settings(BaseSettings):
    """Everything one portfolio's runs need; frozen.

    Relative paths are relative to the folder of the config file, `base`.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    currency: str = Field(default="", max_length=8)
    data: Data
    engine: DuckDB = DuckDB()
    activity: Activity = Activity()
    targets: Targets = Targets()
    training: Training = Training()
    backtest: Backtest = Backtest()
    gate: Gate = Gate()
    tracking: Tracking = Tracking()
    delivery: tuple[Target, ...] = ()
    report: Report = Report()

    _base: Path = PrivateAttr(default_factory=Path.cwd)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self._base

    @property
    def experiment(self) -> str:
        """The MLflow experiment: the configured one, or the portfolio's name."""
        return self.tracking.experiment or self.name

    def located(self, base: Path) -> Self:
        """A copy whose relative paths start from `base`."""
        copy = self.model_copy()
        copy._base = base.resolve()  # noqa: SLF001 - its own class
        return copy

    def resolve(self, path: Path) -> Path:
        """A path of the config, made absolute."""
        return path if path.is_absolute() else self._base / path


def load_settings(path: Path | str) -> Settings:
    """The settings in a YAML file, completed from the environment.

    Raises:
        ConfigError: The file is not there, is no YAML, or breaks a rule; every fault is named.
    """
    file = Path(path)
    values = _substituted(_read_yaml(file), file)
    try:
        return Settings(**values).located(file.parent)
    except ValidationError as error:
        raise ConfigError(
            _faults(error), where=str(file), do="correct these keys and run it again"
        ) from None


def settings_from(values: Mapping[str, Any], *, base: Path | str = ".") -> Settings:
    """The settings in a mapping, as a notebook would give them.

    Raises:
        ConfigError: The values break a rule; every fault is named.
    """
    try:
        return Settings(**values).located(Path(base))
    except ValidationError as error:
        raise ConfigError(_faults(error), where="the given settings") from None


def _read_yaml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        there = "a folder" if file.is_dir() else "no such file"
        raise ConfigError("there is no config to read", where=str(file), saw=there)
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise ConfigError("the config is too large", where=str(file), do="keep it under 1 MB")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"the config is no valid YAML{line}", where=str(file)) from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError("the config must be a mapping of keys to values", where=str(file))
    return values


def _substituted(values: Any, file: Path, path: str = "") -> Any:  # noqa: ANN401 - any YAML value
    if isinstance(values, dict):
        return {k: _substituted(v, file, f"{path}.{k}".strip(".")) for k, v in values.items()}
    if isinstance(values, list):
        return [_substituted(v, file, f"{path}[{i}]") for i, v in enumerate(values)]
    if isinstance(values, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: _variable(found[1], file, path), values)
    return values


def _variable(name: str, file: Path, path: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(
            f"{path} needs the environment variable {name}", where=str(file), do=f"set {name}"
        )
    return value


def _faults(error: ValidationError) -> str:
    return "the config has faults: " + "; ".join(_fault_lines(error))


def _fault_lines(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            key = str(fault["loc"][-1])
            guess = nearest(key, _keys_beside(fault["loc"]))
            message = "unknown key" + (f", did you mean {guess!r}?" if guess else "")
        yield f"{path}: {message[:1].lower()}{message[1:]}"


def _keys_beside(location: tuple[int | str, ...]) -> tuple[str, ...]:
    model: Any = Settings
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = getattr(field, "annotation", None)
    return tuple(getattr(model, "model_fields", ()))
