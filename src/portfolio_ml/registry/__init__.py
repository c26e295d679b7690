"""The only MLflow door: runs are tracked, models registered, champions found here."""

from portfolio_ml.registry.address import has_begun
from portfolio_ml.registry.connecting import looking, opened
from portfolio_ml.registry.dataset import Dataset
from portfolio_ml.registry.environment import commit, packages
from portfolio_ml.registry.figures import Figure, figures_of
from portfolio_ml.registry.promotions import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    ChampionChangedError,
    Move,
)
from portfolio_ml.registry.recovery import Tidied
from portfolio_ml.registry.store import TARGETS, Registered, Store

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PREVIOUS",
    "TARGETS",
    "ChampionChangedError",
    "Dataset",
    "Figure",
    "Move",
    "Registered",
    "Store",
    "Tidied",
    "commit",
    "figures_of",
    "has_begun",
    "looking",
    "opened",
    "packages",
]
