"""Everything one portfolio's runs need, as one frozen value."""

from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from portfolio_ml.config.data_sections import Data
from portfolio_ml.config.delivery_sections import (
    HubSpotTarget,
    SalesforceTarget,
    State,
    Target,
)
from portfolio_ml.config.engine_sections import AnyEngine, DuckDB
from portfolio_ml.config.portfolio_sections import Portfolio
from portfolio_ml.config.scoring_sections import Acting, Report, Scoring
from portfolio_ml.config.target_sections import Activity, Lifecycle, Targets
from portfolio_ml.config.training_sections import (
    Backtest,
    ExcludedPeriod,
    Gate,
    Tracking,
    Training,
    Tuning,
)
from portfolio_ml.errors import nearest

ENVIRONMENT_PREFIX = "PORTFOLIO_ML__"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        is_known = False
    else:  # these are the machine's own, or copies that databases do not know
        is_known = name.partition("/")[0] not in {"localtime", "posix", "posixrules", "right"}
    if not is_known:
        area, _, place = name.partition("/")
        there = (zone for zone in available_timezones() if zone.startswith(f"{area}/"))
        guess = nearest(name, there) if place else None
        do = f"did you mean {guess!r}?" if guess else "use a name such as Europe/Berlin"
        raise ValueError(f"{name!r} is no time zone; {do}")
    return name


class Settings(BaseSettings):
    """Everything one portfolio's runs need; frozen.

    Relative paths are relative to the folder of the config file, `base`.

    Attributes:
        name: What the portfolio is called: letters, digits, `_` and `-`.
        timezone: The zone whose days count, such as `Europe/Berlin`.
        currency: What the amounts are in, such as EUR; without it, what the rows say.
        data: The tables, and when they are refused.
        excluded_periods: Days that no outcome window may touch.
        features: Modules with features of your own: Python files, or installed modules.
        engine: Where tables are computed.
        activity: When a customer counts as active.
        lifecycle: When an active customer counts as new, developing, mature or a veteran.
        targets: What is predicted.
        training: Which snapshots the models learn from.
        backtest: How the recipe is judged.
        tuning: Where trials of other parameters are kept.
        gate: When a challenger may take over.
        acting: What acting on a customer costs and brings; without it, no threshold is advised.
        tracking: Where runs and models are kept.
        scoring: What the scores tell.
        portfolio: What the portfolio's own figures are told.
        delivery: Where the scores are written to.
        state: Where deliveries keep what they must know of each other.
        report: The HTML page.
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
    excluded_periods: tuple[ExcludedPeriod, ...] = ()
    features: tuple[str, ...] = ()
    engine: AnyEngine = DuckDB()
    activity: Activity = Activity()
    lifecycle: Lifecycle = Lifecycle()
    targets: Targets = Targets()
    training: Training = Training()
    backtest: Backtest = Backtest()
    tuning: Tuning = Tuning()
    gate: Gate = Gate()
    acting: Acting | None = None
    tracking: Tracking = Tracking()
    scoring: Scoring = Scoring()
    portfolio: Portfolio = Portfolio()
    delivery: tuple[Target, ...] = ()
    state: State = State()
    report: Report = Report()

    _base: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)
    _written: Any = PrivateAttr(default=None)

    @field_validator("acting")
    @classmethod
    def _takes_costs_off_once(cls, acting: Acting | None, info: ValidationInfo) -> Acting | None:
        targets = info.data.get("targets")
        is_margin = targets is not None and targets.lifetime_value.measure == "margin"
        if acting is not None and is_margin and acting.margin_share != 1:
            raise ValueError("value is margin already (measure: margin), so leave out margin_share")
        return acting

    @field_validator("delivery")
    @classmethod
    def _writes_to_each_object_once(cls, delivery: tuple[Target, ...]) -> tuple[Target, ...]:
        """One table of the state database says what an object of a CRM over HTTP should hold."""
        seen = set()
        for target in delivery:
            if isinstance(target, HubSpotTarget | SalesforceTarget):
                name = f"{target.kind}'s {target.object}"
                if name in seen:
                    raise ValueError(
                        f"two targets write to {name}: name all columns in one of them, or give "
                        "another account a config with a state database of its own"
                    )
                seen.add(name)
        return delivery

    @field_validator("state")
    @classmethod
    def _holds_an_outbox(cls, state: State, info: ValidationInfo) -> State:
        over_http = [
            target.kind
            for target in info.data.get("delivery", ())
            if isinstance(target, HubSpotTarget | SalesforceTarget)
        ]
        if over_http and state.url.startswith(("mariadb", "mysql")):
            raise ValueError(f"{over_http[0]} needs a state database in SQLite or PostgreSQL")
        return state

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
    def file(self) -> Path | None:
        """The config file, as it was called; None where the settings came from a mapping."""
        return self._file

    @property
    def experiment(self) -> str:
        """The MLflow experiment: the configured one, or the portfolio's name."""
        return self.tracking.experiment or self.name

    @property
    def written(self) -> object:
        """What the file says, before `${NAME}` was filled in; None where there is no file."""
        return self._written

    def located(self, base: Path, *, file: Path | None = None, written: object = None) -> Self:
        """A copy whose relative paths start from `base`, and which knows its file and its text."""
        spill = self.engine.temp_directory
        engine = self.engine.model_copy(update={"temp_directory": spill and base.resolve() / spill})
        copy = self.model_copy(update={"engine": engine})
        copy._base, copy._file, copy._written = base.resolve(), file, written  # noqa: SLF001 - its own class
        return copy

    def resolve(self, path: Path) -> Path:
        """A path of the config, made absolute."""
        return path if path.is_absolute() else self._base / path
