"""The metrics as a page of the docs: `make docs-metrics` writes it to docs/reference/metrics.md."""

import inspect
from math import isinf

from portfolio_ml import metrics
from portfolio_ml.metrics.metric import CHURN_METRICS, VALUE_METRICS, Metric, interval_metrics

_INTRODUCTION = """# Metrics

For those who read a backtest. Made from the code by `make docs-metrics`. These judge the models in
`backtest` and `train`, on all customers and on active ones, at each cutoff and as the mean over the
cutoffs. The names are those in `--json`, in `figures()` of a result in Python, and in MLflow, where
a run has `auroc` for the winner on all customers (a step per cutoff), `auroc_mean` for the mean,
`auroc_active` for active customers, `recency.auroc` for another model, and `gain.recency.auroc.low`
for the lower end of the winner's gain over it. `portfolio_ml.metrics` has them as functions of
plain arrays. Where a metric is not defined it is NaN, and null in JSON.

[How models are judged](../explanation/judging.md) says which of them decide, and why none does
alone.
"""
_CHURN = """## Of churn

The outcome is 1 for a customer who did not buy within the horizon, and 0 for one who did; the
prediction is a probability. Baselines that are no probabilities, such as recency, are judged by
the metrics of their order alone."""
_VALUE = """## Of value

Outcome and prediction are net spend within the horizon (or margin), in currency units. Baselines
that are no forecasts, such as past spend, are judged by the metrics of their order alone."""
_INTERVALS = """## Of the intervals of value

An interval is judged by whether it holds what it promises (`targets.lifetime_value.coverage`), and
by how narrow it is."""
_ELSEWHERE = """## Elsewhere

What judges segments is told in [Segments](../explanation/segments.md), and how today is held
against training in [Monitoring](../explanation/monitoring.md).
"""
_HEAD = ("name", "unit", "range", "better")
_FUNCTIONS = {"lift_at_10pct": "lift_at"}
"""The function of a metric that is not called like it."""


def markdown() -> str:
    """The page: a section per metric.

    Example:
        >>> "### AUROC" in markdown()
        True
    """
    groups = (
        (_CHURN, CHURN_METRICS),
        (_VALUE, VALUE_METRICS),
        (_INTERVALS, interval_metrics(0.8)),
    )
    parts = [_INTRODUCTION]
    for about, judged_by in groups:
        parts += [f"{about}\n", *map(_section, judged_by)]
    return "\n".join([*parts, _ELSEWHERE])


def _section(metric: Metric) -> str:
    function = getattr(metrics, _FUNCTIONS.get(metric.name, metric.name))
    definition, _, _ = inspect.cleandoc(function.__doc__ or "").partition("\n\nExample:")
    row = (f"`{metric.name}`", metric.unit, _range(metric), _better(metric))
    table = "".join(f"| {' | '.join(line)} |\n" for line in (_HEAD, ("---",) * len(_HEAD), row))
    return f"### {metric.label}\n\n{definition}\n\n{table}"


def _range(metric: Metric) -> str:
    if isinf(metric.low):
        return "any number"
    return f"from {metric.low:g}" if isinf(metric.high) else f"{metric.low:g} to {metric.high:g}"


def _better(metric: Metric) -> str:
    if metric.better != "nearer":
        return metric.better
    ideal = "the coverage asked for" if metric.name == "coverage" else f"{metric.ideal:g}"
    return f"nearer to {ideal}"
