"""Arrays -> numbers: how predictions are judged.

Walk: inputs, ranking, curves, then classification, calibration, value and intervals, then metric
(the metrics by name), bootstrap (how sure a difference is) and page (what the docs say).
"""

from portfolio_ml.metrics.bootstrap import (
    Difference,
    Estimate,
    bootstrap,
    draws,
    paired_bootstrap,
    paired_bootstraps,
)
from portfolio_ml.metrics.calibration import (
    CalibrationCurve,
    CalibrationLine,
    calibration_curve,
    calibration_error,
    calibration_intercept,
    calibration_line,
    calibration_slope,
)
from portfolio_ml.metrics.classification import auroc, average_precision, brier, lift_at, log_loss
from portfolio_ml.metrics.curves import Curve, gains_curve, lift_curve, lorenz_curve
from portfolio_ml.metrics.intervals import coverage, interval_score, mean_width
from portfolio_ml.metrics.metric import (
    CHURN_METRICS,
    METRICS,
    VALUE_METRICS,
    Metric,
    interval_metrics,
)
from portfolio_ml.metrics.ranking import Ranking
from portfolio_ml.metrics.value import (
    Decile,
    decile_mape,
    decile_table,
    gini,
    mae,
    normalised_gini,
    rmse,
    spearman,
    total_bias,
)

__all__ = [
    "CHURN_METRICS",
    "METRICS",
    "VALUE_METRICS",
    "CalibrationCurve",
    "CalibrationLine",
    "Curve",
    "Decile",
    "Difference",
    "Estimate",
    "Metric",
    "Ranking",
    "auroc",
    "average_precision",
    "bootstrap",
    "brier",
    "calibration_curve",
    "calibration_error",
    "calibration_intercept",
    "calibration_line",
    "calibration_slope",
    "coverage",
    "decile_mape",
    "decile_table",
    "draws",
    "gains_curve",
    "gini",
    "interval_metrics",
    "interval_score",
    "lift_at",
    "lift_curve",
    "log_loss",
    "lorenz_curve",
    "mae",
    "mean_width",
    "normalised_gini",
    "paired_bootstrap",
    "paired_bootstraps",
    "rmse",
    "spearman",
    "total_bias",
]
