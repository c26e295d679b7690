"""Gross spend as a hurdle: the chance of a purchase, times what is spent where there is one.

Two ensembles (the two parts of Cragg 1971): P(no purchase), and the spend of those who buy, with a
Tweedie deviance, between a Poisson's, which few large spenders rule, and a gamma's, which does not
keep totals. It ranks customers by value about as well as a single ensemble (`make bench-ablations`,
`docs/reference/ablations.md`: mean normalised Gini .8096 against .8084; ahead on CDNOW and Online
Retail, level on the grocery data, behind on the resellers'), and its first part is the churn
model's where both look equally far ahead, so that churn and value tell one story.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.files import ModelFiles
from portfolio_ml.models.trees import Fit, TreeParameters, Trees, fit_trees, is_learnable, load
from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]

SILENCE = "no_purchase_trees.txt"
AMOUNT = "amount_trees.txt"


@dataclass(frozen=True, slots=True)
class Hurdle:
    """Both ensembles.

    Attributes:
        silence: P(no purchase within the horizon); None where all of the learned rows bought.
        amount: Gross spend within the horizon, currency units, given a purchase.
    """

    silence: Trees | None
    amount: Trees

    def predict(self, features: NDArray[np.float32], *, silence: Floats | None = None) -> Floats:
        """Expected gross spend, currency units, shape (rows,).

        Args:
            features: Shape (rows, features); NaN is null.
            silence: What the first part predicts, where that is known.
        """
        amount = self.amount.predict(features)
        if self.silence is None:
            return amount
        return (1 - (self.silence.predict(features) if silence is None else silence)) * amount

    def to_files(self) -> ModelFiles:
        """The ensembles as data."""
        silence = {SILENCE: self.silence.text.encode()} if self.silence else {}
        return {**silence, AMOUNT: self.amount.text.encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, names: tuple[str, ...]) -> "Hurdle":
        """The ensembles that `to_files` gave, for features of these names.

        Raises:
            DataError: A text is none that LightGBM could have written for these features.
            KeyError: There is no text of amounts.
        """
        texts = {file: files[file].decode() for file in (SILENCE, AMOUNT) if file in files}
        trees = {file: load(text, names=names) for file, text in texts.items()}
        return cls(trees.get(SILENCE), trees[AMOUNT])


@dataclass(frozen=True, slots=True)
class HurdleFit:
    """A fitted hurdle.

    Attributes:
        hurdle: Both ensembles, fitted on all rows.
        held_out: What ensembles predict that saw no row of the customer, shape (rows,).
    """

    hurdle: Hurdle
    held_out: Floats


def hurdle_of(silence: Fit | None, amount: Fit | None) -> HurdleFit | None:
    """Both parts as one; None without amounts. Where amounts are and silence is not, all buy."""
    if amount is None:
        return None
    if silence is None:
        return HurdleFit(Hurdle(None, amount.trees), amount.held_out)
    held_out = (1 - silence.held_out) * amount.held_out
    return HurdleFit(Hurdle(silence.trees, amount.trees), held_out)


def fit_silence_trees(
    snapshots: Snapshots,
    weight: Floats,
    *,
    seed: int,
    parameters: TreeParameters,
    final: Callable[[int], Trees] | None = None,
) -> Fit | None:
    """The trees of no spend within the value horizon; None where a fold lacks an outcome."""
    outcomes = (snapshots.spend > 0, snapshots.spend <= 0)
    if not all(is_learnable(outcome, snapshots.customer, seed) for outcome in outcomes):
        return None
    return fit_trees(
        snapshots.features,
        (snapshots.spend <= 0).astype(np.float64),
        names=snapshots.names,
        customer=snapshots.customer,
        objective="binary",
        seed=seed,
        weight=weight,
        parameters=parameters,
        final=final,
    )


def fit_amount_trees(
    snapshots: Snapshots,
    weight: Floats,
    *,
    seed: int,
    parameters: TreeParameters,
    final: Callable[[int], Trees] | None = None,
) -> Fit | None:
    """The trees of gross spend of those who buy; None where a fold holds nobody who does."""
    buys = snapshots.spend > 0
    if not is_learnable(buys, snapshots.customer, seed, in_each_fold=True):
        return None
    return fit_trees(
        snapshots.features,
        snapshots.spend,
        names=snapshots.names,
        customer=snapshots.customer,
        objective="tweedie",
        seed=seed,
        weight=weight,
        among=buys,
        parameters=parameters,
        final=final,
    )


def fit_value_trees(
    snapshots: Snapshots, weight: Floats, *, seed: int, parameters: TreeParameters
) -> HurdleFit | None:
    """Both parts with the same parameters; None where some fold holds nobody who buys."""
    silence = fit_silence_trees(snapshots, weight, seed=seed, parameters=parameters)
    return hurdle_of(silence, fit_amount_trees(snapshots, weight, seed=seed, parameters=parameters))
