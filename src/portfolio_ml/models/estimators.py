"""The models as scikit-learn estimators, for those who bring features of their own.

They fit the same regularised trees, with the number of rounds chosen on held-out groups, and the
same calibration, on plain arrays and frames.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from portfolio_ml.models.calibration import fit_calibration
from portfolio_ml.models.trees import FOLDS, Fit, Objective, fit_trees, is_learnable

Floats = NDArray[np.float64]


class ChurnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no types
    """Calibrated probabilities of a binary outcome; missing values are allowed.

    Args:
        seed: Makes folds and trees reproducible.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> recency = rng.uniform(0, 365, (400, 1))
        >>> churned = rng.random(400) < recency[:, 0] / 365
        >>> p = ChurnClassifier().fit(recency, churned).predict_proba([[10.0], [350.0]])[:, 1]
        >>> bool(p[0] < 0.3 < 0.7 < p[1])
        True
    """

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit on rows; all rows of one group (a customer) lie on one side of a fold.

        Args:
            X: Features, shape (rows, features).
            y: The outcome, two classes, shape (rows,).
            groups: A number per customer, shape (rows,); each row its own where not given.

        Raises:
            ValueError: There are not two classes, too few groups, or not a group a row.
        """
        features, labels = validate_data(
            self, X, y, ensure_all_finite="allow-nan", dtype=np.float32
        )
        check_classification_targets(labels)
        self.classes_, outcome = np.unique(labels, return_inverse=True)
        if len(self.classes_) != 2:
            raise ValueError(
                f"Only binary classification is supported: the outcome has "
                f"{len(self.classes_)} class"
            )
        fitted = _fitted(features, outcome.astype(np.float64), groups, "binary", self.seed)
        self.trees_ = fitted.trees
        self.calibration_ = fit_calibration(fitted.held_out, outcome.astype(bool))
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Calibrated probabilities of both classes, shape (rows, 2)."""
        check_is_fitted(self)
        features = validate_data(
            self, X, ensure_all_finite="allow-nan", dtype=np.float32, reset=False
        )
        second = self.calibration_(self.trees_.predict(features))
        return np.column_stack([1 - second, second])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The more probable class, shape (rows,)."""
        probabilities = self.predict_proba(X)
        chosen: NDArray[Any] = self.classes_[(probabilities[:, 1] > 0.5).astype(int)]
        return chosen

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's, without types
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


class LifetimeValueRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # no types
    """Expected spend, with a Tweedie deviance: many zeros and a long tail; missing values allowed.

    Args:
        seed: Makes folds and trees reproducible.
    """

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit on rows; all rows of one group (a customer) lie on one side of a fold.

        Args:
            X: Features, shape (rows, features).
            y: Spend, currency units, at least 0, shape (rows,).
            groups: A number per customer, shape (rows,); each row its own where not given.

        Raises:
            ValueError: Spend is below 0 or too rarely above it, there are too few groups, or not
                a group a row.
        """
        features, spend = validate_data(
            self, X, y, ensure_all_finite="allow-nan", dtype=np.float32, y_numeric=True
        )
        if (spend < 0).any():
            raise ValueError("Negative values in y: spend is at least 0; model returns apart")
        outcome = np.asarray(spend, dtype=np.float64)
        self.trees_ = _fitted(features, outcome, groups, "tweedie", self.seed).trees
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Expected spend, currency units, shape (rows,)."""
        check_is_fitted(self)
        features = validate_data(
            self, X, ensure_all_finite="allow-nan", dtype=np.float32, reset=False
        )
        expected: Floats = self.trees_.predict(features)
        return expected

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's, without types
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.input_tags.allow_nan = True
        return tags


def _fitted(
    X: NDArray[np.float32],
    outcome: Floats,
    groups: ArrayLike | None,
    objective: Objective,
    seed: int,
) -> Fit:
    check_consistent_length(X, groups)
    customer = np.arange(len(X)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(np.unique(customer)) < FOLDS:
        raise ValueError(
            f"n_samples={len(X)} in {len(np.unique(customer))} groups: at least {FOLDS} are needed"
        )
    if objective == "tweedie" and not is_learnable(outcome > 0, customer, seed):
        raise ValueError(
            f"too few groups with a spend above 0: each of {FOLDS} folds is predicted from the "
            "others, which need some"
        )
    return fit_trees(
        X,
        outcome,
        names=tuple(f"feature_{k}" for k in range(X.shape[1])),
        customer=customer,
        objective=objective,
        seed=seed,
    )
