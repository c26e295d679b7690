"""The walk, step by step: learn, score, report, and what lies on the way.

Each function takes an opened portfolio, walks downstream, and gives a frozen result. Nothing here
prints; `say` is told what is being done. The wall clock comes in as `Clock`.
"""

from portfolio_ml.delivering import Deliveries, Rehearsal
from portfolio_ml.opening import Opened, Validation, opened, validate
from portfolio_ml.pipeline.figures import delivered_figures, portfolio_figures
from portfolio_ml.pipeline.monitoring import monitor
from portfolio_ml.pipeline.reporting import Reported, report, write_report
from portfolio_ml.pipeline.scoring import (
    ScoringResult,
    contributions,
    fill,
    rehearse_score,
    score,
)
from portfolio_ml.pipeline.training import TrainingResult, backtest, features, train, tune
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.tuning import Budget, Tuned

__all__ = [
    "Budget",
    "Deliveries",
    "Opened",
    "Reckoned",
    "Rehearsal",
    "Reported",
    "ScoringResult",
    "TrainingResult",
    "Tuned",
    "Validation",
    "backtest",
    "contributions",
    "delivered_figures",
    "features",
    "fill",
    "monitor",
    "opened",
    "portfolio_figures",
    "rehearse_score",
    "report",
    "score",
    "train",
    "tune",
    "validate",
    "write_report",
]
