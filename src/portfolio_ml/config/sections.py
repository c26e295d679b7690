"""The sections of a config file, each frozen and without unknown keys."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

from portfolio_ml.schema import Measure


def _no_switch(value: object) -> object:
    """YAML reads `on` and `no` as truth values, which would pass as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"input should be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic collects ValueError
    return value


Url = Annotated[str, Field(repr=False)]  # it may hold a password
Count = Annotated[PositiveInt, BeforeValidator(_no_switch)]
Whole = Annotated[int, BeforeValidator(_no_switch)]
Number = Annotated[float, BeforeValidator(_no_switch)]


class Section(BaseModel):
    """A frozen part of the settings that knows no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ExcludedPeriod(Section):
    """Days that no snapshot's outcome window may touch: a strike, a pandemic.

    Training snapshots that would touch it are skipped and earlier ones take their place;
    evaluation cutoffs step back until they are clear. The purchases of these days stay in the
    history. `first` and `last` are both excluded.

    Attributes:
        first: The first day.
        last: The last day.
        reason: Why, for people.
    """

    first: date
    last: date
    reason: str = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.last < self.first:
            raise ValueError("last lies before first")
        return self


_MEMORY = r"^\d+(\.\d+)?\s?([KMGT]i?B|%)$"


class DuckDB(Section):
    """Tables are computed in this process, out of core.

    Attributes:
        kind: Which engine it is.
        threads: How many threads it uses; without it, one for each core.
        memory_limit: How much memory it may take before it spills to disk, such as `4GB` or `80%`.
        temp_directory: The folder that it spills to, and that copies of files are made in.
    """

    kind: Literal["duckdb"] = "duckdb"
    threads: Count | None = None
    memory_limit: str | None = Field(default=None, pattern=_MEMORY)
    temp_directory: Path | None = None


def _as_text(value: object) -> object:
    """Spark's settings are texts; YAML reads some of them as numbers and truth values."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


SparkOption = Annotated[
    str, BeforeValidator(_as_text, json_schema_input_type=str | bool | int | float)
]


class Spark(Section):
    """Tables are read, validated and computed by Spark, on one machine or many.

    This process sees headers of files, aggregates and samples, and never holds a table of rows.

    Attributes:
        kind: Which engine it is.
        master: Where Spark runs, such as `local[4]` or `spark://host:7077`; without this and
            `remote`, in the session that is active, or as Spark itself is configured.
        remote: A Spark Connect server, such as `sc://host:15002`.
        options: Spark's own settings by name, such as `spark.executor.memory`.
        temp_directory: A folder that this process and all of Spark's workers see; tables pass
            through it, and what is left behind by a worker that died is removed from it.
        memory_limit: How much memory the one worker that reckons the portfolio's figures may give
            to tables before it spills to that folder, such as `8GB`; arrays of one number for
            each customer come on top.
    """

    kind: Literal["spark"]
    master: str | None = Field(
        default=None,
        pattern=r"^(local(\[[\d*, ]+\])?|local-cluster\[.+\]|spark://.+:\d+|yarn|k8s://.+)$",
    )
    remote: str | None = Field(default=None, pattern=r"^sc://.+", repr=False)
    options: dict[str, SparkOption] = Field(default={}, repr=False)
    temp_directory: Path | None = None
    memory_limit: str = Field(default="4GB", pattern=_MEMORY)

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if self.master and self.remote:
            raise ValueError("name a master or a remote, not both")
        return self


def _duckdb_unless_told(section: object) -> object:
    if isinstance(section, Mapping) and "kind" not in section:
        return {"kind": "duckdb", **section}
    return section


AnyEngine = Annotated[
    DuckDB | Spark, Field(discriminator="kind"), BeforeValidator(_duckdb_unless_told)
]


class Activity(Section):
    """When a customer counts as active.

    Attributes:
        window_days: A customer is active who bought within so many days; `auto` takes them from the
            time to the next purchase day.
    """

    window_days: Count | Literal["auto"] = "auto"


class Lifecycle(Section):
    """How an active customer's stage follows from its tenure, for display alone.

    Attributes:
        new_days: Up to so many days after the first purchase a customer is *new*.
        mature_days: After so many days a customer is *mature*, and *developing* in between.
        declining_below: Who is mature and whose `spend_trend` lies below is a *veteran*; the
            spend of the last 365 days / that of the 365 before, minus 1.
    """

    new_days: Count = 365
    mature_days: Count = 730
    declining_below: Annotated[Number, Field(ge=-1, allow_inf_nan=False)] = -0.25

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.new_days >= self.mature_days:
            raise ValueError("new_days must be below mature_days: between them lies developing")
        return self


class Churn(Section):
    """No purchase within the horizon.

    Attributes:
        horizon_days: How many days after the as-of date are looked at.
    """

    horizon_days: Count = 90


class LifetimeValue(Section):
    """Net spend, or margin, within the horizon, with an interval of the given coverage.

    Attributes:
        horizon_days: How many days after the as-of date are looked at.
        measure: What value is: `revenue` is net spend, and `margin` what is left of it after the
            cost of the goods; margin needs the column `cost` of the transactions.
        coverage: The share of customers whose value should lie within the interval.
    """

    horizon_days: Count = 90
    measure: Measure = "revenue"
    coverage: Number = Field(default=0.8, gt=0.5, lt=1)


class Segments(Section):
    """How many segments; `auto` chooses by stability and separation.

    Attributes:
        count: How many, or `auto`.
    """

    count: Annotated[Whole, Field(ge=2, le=20)] | Literal["auto"] = "auto"


class Targets(Section):
    """What is predicted.

    Attributes:
        churn: Who will not buy again within the horizon.
        lifetime_value: What each customer will spend within the horizon.
        segments: Which customers are alike.
    """

    churn: Churn = Churn()
    lifetime_value: LifetimeValue = LifetimeValue()
    segments: Segments = Segments()


class Trees(Section):
    """How trees are held back from learning what is chance.

    Attributes:
        leaves: The leaves of a tree, at most.
        learning_rate: The share of its correction that a tree is let make.
        l2: How strongly the values of the leaves are pulled to 0.
        min_leaf_rows: The rows in a leaf, at least; without it, one row in 200, from 20 to 1000.
        feature_fraction: The share of the features that a tree sees.
        bagging_fraction: The share of the rows that a tree sees.
    """

    leaves: Annotated[Whole, Field(ge=2, le=63)] = 7
    learning_rate: Number = Field(default=0.05, ge=0.01, le=0.5)
    l2: Number = Field(default=10.0, ge=0, le=10_000)
    min_leaf_rows: Count | None = None
    feature_fraction: Number = Field(default=0.4, ge=0.1, le=1)
    bagging_fraction: Number = Field(default=0.8, ge=0.1, le=1)


class TargetTrees(Section):
    """The trees of each target; the command `tune` says which parameters are worth writing here.

    Attributes:
        churn: Those of churn.
        lifetime_value: Those of lifetime value.
    """

    churn: Trees = Trees()
    lifetime_value: Trees = Trees()


class Distributed(Section):
    """The final trees are fitted on every row, not on a sample, by the workers of a Dask cluster.

    Each holds its share of the rows in memory, about four times over while it fits. The number
    of trees, calibration, intervals and the backtest still rest on at most `max_rows`.

    Attributes:
        workers: Among how many workers the rows are parted; another number gives slightly other
            trees. Without a scheduler, so many are started on this machine.
        scheduler: The address of a running Dask scheduler whose workers are used, such as
            `tcp://host:8786`.
        folder: Where the rows are laid out while the trees are fitted, a Parquet file for each
            worker, which must see it under this path; needed with a scheduler. Without one, it is
            the engine's temporary folder.
    """

    workers: Annotated[Whole, Field(ge=1, le=1_000)]
    scheduler: str | None = Field(default=None, pattern=r"^(tcp|tls)://[^\s/]+:\d+$")
    folder: Path | None = None

    @model_validator(mode="after")
    def _reaches_its_workers(self) -> Self:
        if self.scheduler is not None and self.folder is None:
            raise ValueError("a scheduler's workers read the rows from a folder: set folder")
        return self


class Training(Section):
    """Which snapshots the models learn from, and how their trees are held back.

    Attributes:
        snapshots: How many dates back in time to learn from, at most.
        step_days: How many days they lie apart.
        max_rows: How many rows to compute and learn from, of all dates together and give or take
            chance; of a larger portfolio, whole customers are drawn before anything is computed.
        seed: What decides wherever chance does; the same seed gives the same models.
        trees: How the models' trees are held back.
        distributed: Where the final trees are fitted on every row, if `max_rows` does not do.
    """

    snapshots: Count = 8
    step_days: Count = 30
    max_rows: Count = 2_000_000
    seed: Whole = Field(default=7, ge=0, lt=2**31)
    trees: TargetTrees = TargetTrees()
    distributed: Distributed | None = None


class Backtest(Section):
    """How the recipe is judged.

    Attributes:
        cutoffs: How many dates the recipe is refitted and judged at, one horizon apart.
        bootstrap: How often customers are drawn anew, to tell how sure a figure is.
    """

    cutoffs: Count = 3
    bootstrap: Annotated[Whole, Field(ge=100, le=10_000)] = 500


class Gate(Section):
    """How much worse than the champion a challenger may be at its 90 % lower bound.

    Attributes:
        max_loss: How much of the primary metric may be lost.
    """

    max_loss: Number = Field(default=0.002, ge=0, le=1)


class Acting(Section):
    """What a contact costs and brings, from which the backtest advises whom to act on.

    Attributes:
        contact_cost: What one contact costs, offers included, in the currency of the amounts.
        success_rate: The share of customers about to leave whom a contact keeps.
        margin_share: The share of spend that is left after costs; 1 where value is margin already.
        capacity: How many customers can be contacted in one campaign, at most.
    """

    contact_cost: Number = Field(ge=0, allow_inf_nan=False)
    success_rate: Number = Field(gt=0, le=1)
    margin_share: Number = Field(default=1.0, gt=0, le=1)
    capacity: Count | None = None


class Tracking(Section):
    """The MLflow tracking server or database, and the experiment's name.

    Attributes:
        uri: The server's URL, or that of a database such as `sqlite:///mlflow.db`.
        experiment: What the experiment is called; without it, as the portfolio is.
    """

    uri: Url = "sqlite:///mlflow.db"
    experiment: str | None = None


class Tuning(Section):
    """Where the search for better parameters keeps its trials, to go on from.

    Attributes:
        url: A database of its own, never MLflow's.
    """

    url: Url = "sqlite:///tuning.db"


class Bands(Section):
    """Where a churn probability is called low, medium or high.

    A customer keeps the band of the last delivery until the probability has passed its edge by
    `margin`, so that who stands on an edge does not change bands every night.

    Attributes:
        medium: From this probability on it is medium.
        high: From this probability on it is high.
        margin: How far beyond an edge the probability must lie for the band to change.
    """

    medium: Number = Field(default=0.4, gt=0, lt=1)
    high: Number = Field(default=0.7, gt=0, lt=1)
    margin: Number = Field(default=0.03, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.medium >= self.high:
            raise ValueError("medium must lie below high")
        return self


class Scoring(Section):
    """What the scores tell.

    Attributes:
        reasons: How many churn reasons a customer gets, at most; 0 for none.
        bands: Where a churn probability is called low, medium or high.
        portfolio: Whether the rows tell what the portfolio's figures say of each customer:
            potential, win-back, next category, best representative, place on the daily list. These
            look at everybody, so that `score --customers` scores everybody, too; and the night
            takes longer.
        bundle: A folder with exported models, to score with instead of the registry's.
        bundle_digest: The digest that `models export` printed for that folder.
    """

    reasons: Annotated[Whole, Field(ge=0, le=10)] = 3
    bands: Bands = Bands()
    portfolio: bool = True
    bundle: Path | None = None
    bundle_digest: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _is_trusted_by_digest(self) -> Self:
        if (self.bundle is None) != (self.bundle_digest is None):
            raise ValueError("bundle and bundle_digest go together")
        return self


class Report(Section):
    """The page on customers and models.

    Attributes:
        path: The HTML file; its facts are written beside it, as JSON.
        customers: How many of the customers worth attention are on it one by one: the first by
            their place on the daily list, then by what is at stake.
    """

    path: Path = Path("report.html")
    customers: Annotated[Whole, Field(ge=0, le=20_000)] = 2_000
