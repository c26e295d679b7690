"""Trees fitted by the workers of a cluster, each on the rows that it reads itself.

LightGBM's Dask estimator fits them: every worker keeps its rows, and only histograms pass between
them. Each is told which rows are its own, so that the same rows, number of workers and seed give
the same trees, whichever machines they are.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.models.cluster import Cluster, hushed
from portfolio_ml.models.trees import Objective, TreeParameters, Trees, load, options_of
from portfolio_ml.partitions import OUTCOMES, Partition

if TYPE_CHECKING:
    import dask.array as da
    from distributed import Future

Outcome = Literal["churn", "silence", "amount"]
"""What trees are fitted to: no purchase, no spend, or the spend of those who buy."""
Grow = Callable[[Outcome, TreeParameters, int], Trees]
"""Trees for an outcome, held back by the parameters, as many as the number says."""
Part = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]
"""A worker's features, shape (rows, features), the outcome, and what each row weighs."""

# The same parameters as scikit-learn's wrapper calls them, which Dask's is one of.
_WRAPPED = {
    "min_data_in_leaf": "min_child_samples",
    "lambda_l2": "reg_lambda",
    "feature_fraction": "colsample_bytree",
    "bagging_fraction": "subsample",
    "bagging_freq": "subsample_freq",
    "seed": "random_state",
}


@dataclass(frozen=True, slots=True)
class Grower:
    """A cluster with rows to learn from; its `grow` is a `Grow`.

    Attributes:
        cluster: The workers.
        partitions: The rows of each, in their order.
        names: The features, in order.
        seed: Makes the trees reproducible.
    """

    cluster: Cluster
    partitions: tuple[Partition, ...]
    names: tuple[str, ...]
    seed: int

    @property
    def rows(self) -> int:
        """How many rows the workers have among them."""
        return sum(partition.rows for partition in self.partitions)

    def grow(self, outcome: Outcome, parameters: TreeParameters, rounds: int) -> Trees:
        """Trees fitted on all rows.

        Args:
            outcome: What they are fitted to.
            parameters: How they are held back.
            rounds: How many there are.

        Raises:
            ConfigError: A worker does not see the rows.
            ServiceUnavailableError: A worker is gone, or cannot fit them.
        """
        objective: Objective = "tweedie" if outcome == "amount" else "binary"
        options = options_of(parameters, objective, sum(self._sizes(outcome)), self.seed)
        # A regressor for chances, too: a classifier numbers the outcomes that a worker sees, and
        # where that is a single one it would number it as 0.
        model = lgb.DaskLGBMRegressor(
            client=self.cluster.client,
            n_estimators=rounds,
            tree_learner="data",
            feature_pre_filter=False,  # a worker would judge by its own rows what can be split
            **{_WRAPPED.get(name, name): value for name, value in options.items()},
        )
        with hushed():
            return self.cluster.watched(partial(self._fitted, model, outcome))

    def _sizes(self, outcome: Outcome) -> list[int]:
        return [p.bought if outcome == "amount" else p.rows for p in self.partitions]

    def _fitted(self, model: lgb.DaskLGBMRegressor, outcome: Outcome) -> Trees:
        client, sizes = self.cluster.client, self._sizes(outcome)
        try:
            with client.as_current():
                if self.cluster.is_own:
                    client.run(_say_nothing)
                parts = [self._part(k, outcome, size) for k, size in enumerate(sizes)]
                client.gather([self._on(k, len, part) for k, part in enumerate(parts)])
                model.fit(
                    self._array(parts, 0, [(size, len(self.names)) for size in sizes]),
                    self._array(parts, 1, [(size,) for size in sizes]),
                    sample_weight=self._array(parts, 2, [(size,) for size in sizes]),
                    feature_name=list(self.names),
                )
        except FileNotFoundError as error:
            raise _unseen(self.partitions[0].file.parent, self.cluster.where) from error
        except (lgb.basic.LightGBMError, MemoryError) as error:
            raise ServiceUnavailableError(
                "the workers cannot fit the trees",
                where=self.cluster.where,
                saw=str(error).partition("\n")[0] or type(error).__name__,
                do="look at their logs, set more workers, or leave training.distributed out",
            ) from error
        return load(model.booster_.model_to_string(), names=self.names)

    def _part(self, number: int, outcome: Outcome, size: int) -> "Future":
        """A worker's rows, read by itself."""
        return self._on(
            number, read, self.partitions[number].file, self.names, outcome=outcome, size=size
        )

    def _array(
        self, parts: Sequence["Future"], place: int, shapes: Sequence[tuple[int, ...]]
    ) -> "da.Array":
        """What stands at one place of every worker's rows, where it is."""
        import dask.array as da  # noqa: PLC0415 - an extra

        dtype = np.float32 if place == 0 else np.float64
        return da.concatenate(
            [
                da.from_delayed(self._on(k, itemgetter(place), part), shape, dtype)
                for k, (part, shape) in enumerate(zip(parts, shapes, strict=True))
            ]
        )

    def _on(
        self, number: int, work: Callable[..., Any], *given: object, **told: object
    ) -> "Future":
        """The work done by the worker of that number and no other."""
        return self.cluster.client.submit(
            work,
            *given,
            workers=[self.cluster.workers[number]],
            allow_other_workers=False,
            pure=False,
            **told,
        )


def read(file: Path, names: Sequence[str], *, outcome: Outcome, size: int) -> Part:
    """The rows of a partition as arrays, a batch at a time, so that nothing holds them twice.

    Args:
        file: What `partitions.lay_out` wrote.
        names: The features, in order.
        outcome: What is to be learnt; the rows with a purchase alone where that is the amount.
        size: How many rows those are.
    """
    features = np.empty((size, len(names)), np.float32)
    labels, weights = np.empty(size), np.empty(size)
    done = 0
    with pq.ParquetFile(file) as rows:
        for batch in rows.iter_batches(columns=[*names, *OUTCOMES]):
            part = batch
            if outcome == "amount":
                part = batch.filter(pa.array(batch["future_spend"].to_numpy() > 0))
            place = slice(done, done + part.num_rows)
            for column, name in enumerate(names):
                features[place, column] = part[name].to_numpy(zero_copy_only=False)
            labels[place] = _labels(part, outcome)
            weights[place] = part["weight"].to_numpy()
            done += part.num_rows
    return features, labels, weights


def _labels(rows: pa.RecordBatch, outcome: Outcome) -> NDArray[Any]:
    if outcome == "churn":
        churned: NDArray[Any] = rows["churned"].to_numpy(zero_copy_only=False)
        return churned
    spend: NDArray[np.float64] = rows["future_spend"].to_numpy()
    return spend if outcome == "amount" else spend <= 0


def _say_nothing() -> None:
    """What LightGBM tells of its network would stand among the results of the command.

    Its own logger is one per thread, and nobody knows which of a worker's threads will fit.
    """
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def _unseen(folder: Path, where: str) -> ConfigError:
    return ConfigError(
        "the workers do not see the rows that were laid out for them",
        where=f"training.distributed.folder, {where}",
        saw=f"no {folder} there",
        do="name a folder that this machine and all workers see under the same path",
    )
