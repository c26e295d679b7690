"""Churn, lifetime value and segments from transaction history.

```python
import portfolio_ml as pml

features = pml.build_features(purchases, as_of="1998-06-30")
settings = pml.load_settings("cdnow.yaml")
training = pml.train(settings)
scores = pml.score(settings)
```

The names below are imported when they are first used, so that importing the package is instant.
"""

from importlib import import_module

_HOMES = {
    "build_features": "notebook",
    "backtest": "notebook",
    "tune": "notebook",
    "train": "notebook",
    "promote": "notebook",
    "rollback": "notebook",
    "champion_record": "notebook",
    "score": "notebook",
    "monitor": "notebook",
    "portfolio_figures": "notebook",
    "training_table": "notebook",
    "validate": "notebook",
    "guess_config": "notebook",
    "contributions": "notebook",
    "picture": "notebook",
    "dataset": "datasets",
    "load_settings": "config",
    "settings_from": "config",
    "ChurnClassifier": "models.estimators",
    "LifetimeValueRegressor": "models.estimators",
    "Feature": "features.feature",
    "Stage": "features.feature",
    "share": "features.feature",
    "change": "features.feature",
    "PortfolioError": "errors",
    "QuarantineWarning": "errors",
}

__all__ = [  # noqa: PLE0604 - the names are the table's
    *_HOMES
]


def __getattr__(name: str) -> object:
    """The public name, from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'portfolio_ml' has no attribute {name!r}")
    return getattr(import_module(f"portfolio_ml.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
