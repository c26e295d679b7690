"""The only MLflow door: runs are tracked, models registered, champions found here."""

from portfolio_ml.registry.address import has_begun
from portfolio_ml.registry.figures import Figure, figures_of
from portfolio_ml.registry.store import TARGETS, Registered, Store, opened

__all__ = ["TARGETS", "Figure", "Registered", "Store", "figures_of", "has_begun", "opened"]
