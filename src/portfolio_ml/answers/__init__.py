"""What the package answers from Python: results that show themselves, as tables and as pictures."""

from portfolio_ml.answers.learnt import BacktestResult, TrainResult, TuneResult
from portfolio_ml.answers.registered import ChampionRecord, MoveResult
from portfolio_ml.answers.shown import Picture, Table
from portfolio_ml.answers.today import MonitorResult, PortfolioResult, ScoreResult, ValidationResult

__all__ = [
    "BacktestResult",
    "ChampionRecord",
    "MonitorResult",
    "MoveResult",
    "Picture",
    "PortfolioResult",
    "ScoreResult",
    "Table",
    "TrainResult",
    "TuneResult",
    "ValidationResult",
]
