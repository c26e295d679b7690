"""YAML and environment -> frozen, validated settings.

Every fault in a file is reported at once, with its path. Secrets come from the environment, as
`${NAME}` in a value or as `PORTFOLIO_ML__SECTION__KEY`, and are never printed: this is the only
module that reads the environment.
"""

import os
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.schema import TRANSACTIONS

ENVIRONMENT_PREFIX = "PORTFOLIO_ML__"
MAX_CONFIG_BYTES = 1_000_000


def _no_switch(value: object) -> object:
    """YAML reads `on` and `no` as truth values, which would pass as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"input should be a number, not {str(value).lower()}")  # noqa: TRY004
    return value


_PLAINLY = {
    "model_type": "input should be a mapping of keys to values",
    "dict_type": "input should be a mapping of keys to values",
    "tuple_type": "input should be a list",
}

Url = Annotated[str, Field(repr=False)]  # it may hold a password
Count = Annotated[PositiveInt, BeforeValidator(_no_switch)]
Whole = Annotated[int, BeforeValidator(_no_switch)]
Number = Annotated[float, BeforeValidator(_no_switch)]


class Section(BaseModel):
    """A frozen part of the settings that knows no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        is_known = False
    else:  # these are the machine's own, or copies that databases do not know
        is_known = name.partition("/")[0] not in {"localtime", "posix", "posixrules", "right"}
    if not is_known:
        raise ValueError(f"{name!r} is no time zone; use a name such as Europe/Berlin")
    return name


def _known_columns(columns: dict[str, str]) -> dict[str, str]:
    known = TRANSACTIONS.names
    faults = [
        f"{name!r} is no column of transactions"
        + (f", did you mean {guess!r}?" if (guess := nearest(name, known)) else "")
        for name in columns
        if name not in known
    ]
    missing = [c.name for c in TRANSACTIONS.columns if c.required and c.name not in columns]
    if missing:
        faults.append(f"{_listed(missing)} must be mapped")
    theirs = list(columns.values())
    if twice := sorted({c for c in theirs if theirs.count(c) > 1}):
        faults.append(f"{_listed(twice)} must not be mapped more than once")
    if faults:
        raise ValueError(" and ".join(faults) + f" (the columns are {_listed(known)})")
    return columns


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


class TransactionsSource(Section):
    """Where the transactions are, and what their columns are called there.

    `source` is a built-in data set (`cdnow`, `grocery`), a path or glob (`.csv`, `.parquet`), or
    a database URL with `table` or `query`.
    """

    source: Url
    columns: Annotated[dict[str, str], AfterValidator(_known_columns)] | None = None
    table: str | None = None
    query: str | None = None

    @property
    def is_database(self) -> bool:
        """Whether `source` is a URL, and not a file or a built-in data set."""
        return ":/" in self.source  # one slash may be a slip, and a password still no file name

    @model_validator(mode="after")
    def _is_read_one_way(self) -> Self:
        given = sum(way is not None for way in (self.table, self.query))
        if self.is_database and given != 1:
            raise ValueError("a database needs either table or query")
        if given and not self.is_database:
            raise ValueError("table and query are for a database URL only")
        return self


class Data(Section):
    """The tables and how much of them may be refused."""

    transactions: TransactionsSource
    max_quarantined_share: Number = Field(default=0.05, ge=0, le=1)


class DuckDB(Section):
    """Tables are computed in this process, out of core."""

    kind: Literal["duckdb"] = "duckdb"
    threads: Count | None = None
    memory_limit: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B|%)$")
    temp_directory: Path | None = None


class Activity(Section):
    """When a customer counts as active."""

    window_days: Count | Literal["auto"] = "auto"


class Churn(Section):
    """No purchase within the horizon."""

    horizon_days: Count = 90


class LifetimeValue(Section):
    """Net spend within the horizon, with an interval of the given coverage."""

    horizon_days: Count = 90
    coverage: Number = Field(default=0.8, gt=0.5, lt=1)


class Segments(Section):
    """How many segments; `auto` chooses by stability and separation."""

    count: Annotated[Whole, Field(ge=2, le=20)] | Literal["auto"] = "auto"


class Targets(Section):
    """What is predicted."""

    churn: Churn = Churn()
    lifetime_value: LifetimeValue = LifetimeValue()
    segments: Segments = Segments()


class Training(Section):
    """Which snapshots the models learn from."""

    snapshots: Count = 8
    step_days: Count = 30
    max_rows: Count = 2_000_000
    seed: Whole = Field(default=7, ge=0, lt=2**31)


class Backtest(Section):
    """How the recipe is judged."""

    cutoffs: Count = 3
    bootstrap: Annotated[Whole, Field(ge=100, le=10_000)] = 500


class Gate(Section):
    """How much worse than the champion a challenger may be at its 90 % lower bound."""

    max_loss: Number = Field(default=0.002, ge=0, le=1)


class Tracking(Section):
    """The MLflow tracking server or database, and the experiment's name."""

    uri: Url = "sqlite:///mlflow.db"
    experiment: str | None = None


class SqlTarget(Section):
    """A table of the package's own in a SQL database."""

    kind: Literal["sql"]
    url: Url
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
        spill = self.engine.temp_directory
        engine = self.engine.model_copy(update={"temp_directory": spill and base.resolve() / spill})
        copy = self.model_copy(update={"engine": engine})
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
    unset: dict[str, str] = {}
    values = _substituted(_read_yaml(file), unset)
    return _validated(values, unset, base=file.parent, where=str(file))


def settings_from(values: Mapping[str, Any], *, base: Path | str = ".") -> Settings:
    """The settings in a mapping, as a notebook would give them.

    Raises:
        ConfigError: The values break a rule; every fault is named.

    Example:
        >>> shop = settings_from({"name": "shop", "data": {"transactions": {"source": "cdnow"}}})
        >>> shop.targets.churn.horizon_days
        90
    """
    return _validated(dict(values), {}, base=Path(base), where="the given settings")


class _PlainLoader(yaml.SafeLoader):
    """YAML in which nothing is said twice and nothing stands for something else."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            at = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _NotPlainError(at, "an alias; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise _NotPlainError(key.start_mark, f"the key {key.value!r} a second time")
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _NotPlainError(yaml.MarkedYAMLError):
    """What a config has no use for."""

    def __init__(self, mark: yaml.Mark | None, saw: str) -> None:
        super().__init__(problem_mark=mark)
        self.saw = saw


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.load(_text(file), Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The values' own constructors let through what they stumble over, such as 2024-02-31.
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "the config is no valid YAML" + (f" at line {mark.line + 1}" if mark else ""),
            where=str(file),
            saw=getattr(error, "saw", None),
        ) from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError("the config must be a mapping of keys to values", where=str(file))
    return values


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            there = "a folder" if file.is_dir() else "no such file"
            raise ConfigError("there is no config to read", where=str(file), saw=there)
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError("the config is too large", where=str(file), do="keep it under 1 MB")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            "the config cannot be read", where=str(file), saw=error.strerror
        ) from None


def _substituted(value: Any, unset: dict[str, str], path: str = "") -> Any:  # noqa: ANN401 - any YAML value
    """The value with its `${NAME}` filled in; those that cannot be are told in `unset`, by path."""
    if isinstance(value, dict):
        return {k: _substituted(v, unset, _joined(path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_substituted(v, unset, _joined(path, i)) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in re.findall(r"\$\{([^}]*)\}", value):
        if not re.fullmatch(r"\w+", name):
            unset[path] = "${...} must hold the name of an environment variable"
        elif name not in os.environ:
            unset[path] = f"needs the environment variable {name}, which is not set"
    if path in unset:
        return value
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ[found[1]], value)


def _validated(
    values: dict[str, Any], unset: Mapping[str, str], *, base: Path, where: str
) -> Settings:
    # Names that begin with an underscore would steer the settings library itself.
    own = {k: v for k, v in values.items() if isinstance(k, str) and not k.startswith("_")}
    faults = [f"{path}: {message}" for path, message in unset.items()]
    faults += [f"{key}: unknown key" for key in values if key not in own]
    faults += _unknown_variables()
    try:
        settings = Settings(**own)
    except ValidationError as error:
        faults += _fault_lines(error, unset)
    except SettingsError as error:
        faults.append(f"a variable {ENVIRONMENT_PREFIX}... is no valid JSON: {error}")
    if faults:
        raise ConfigError(
            "the config has faults: " + "; ".join(faults),
            where=where,
            do="correct these keys and run it again",
        )
    return settings.located(base)


def _unknown_variables() -> Iterator[str]:
    sections = Settings.model_fields
    for name in sorted(os.environ):
        section = name.upper().removeprefix(ENVIRONMENT_PREFIX).partition("__")[0].lower()
        if name.upper().startswith(ENVIRONMENT_PREFIX) and section not in sections:
            yield f"the environment's {name}: unknown key{_hint(section, sections)}"


def _fault_lines(error: ValidationError, unset: Mapping[str, str]) -> Iterator[str]:
    """One line per place at fault, but none for a place whose value is not known."""
    messages: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        is_unknown = fault["type"] == "extra_forbidden"
        *inner, last = fault["loc"]
        path = _joined(_path(inner), last) if is_unknown else _path(fault["loc"])
        message = _PLAINLY.get(fault["type"], fault["msg"]).removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        if is_unknown:
            message = f"unknown key{_hint(str(last), _keys_at(inner))}"
        messages.setdefault(path, []).append(message)
    for path, said in messages.items():
        if not any(_is_within(path, other) or _is_within(other, path) for other in unset):
            yield f"{path}: {', or '.join(said)}"


def _hint(key: str, known: Iterable[str]) -> str:
    guess = nearest(key, known)
    return f", did you mean {guess!r}?" if guess else ""


def _path(location: Sequence[int | str]) -> str:
    """Where a fault lies in the file, without the names of the kinds that were tried there."""
    path = ""
    for before, part in pairwise(("", *location)):
        is_kind = isinstance(before, int) or not str(part).isidentifier()
        if isinstance(part, int) or not is_kind:
            path = _joined(path, part)
    return path


def _joined(path: str, part: int | str) -> str:
    return f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}".lstrip(".")


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def _keys_at(location: Sequence[int | str]) -> Iterator[str]:
    models: list[Any] = [Settings]
    for part in location:
        inner = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [model for annotation in inner for model in _models_in(annotation)] or models
    for model in models:
        yield from model.model_fields


def _models_in(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    if hasattr(annotation, "model_fields"):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
