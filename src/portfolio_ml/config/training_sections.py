"""The sections of the config on how models are learned, judged and kept."""

from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from portfolio_ml.config.section import Count, Number, Section, Url, Whole


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
