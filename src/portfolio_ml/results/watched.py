"""What the monitor saw."""

from collections.abc import Mapping
from typing import Any

from portfolio_ml.display import SmallTable
from portfolio_ml.metrics import METRICS
from portfolio_ml.monitoring.outcomes import Promise
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.results.numbers import rate
from portfolio_ml.wording import counted

_SHORT = {"churn": "Churn", "lifetime_value": "Value"}


def verdict_lines(seen: Monitoring) -> list[str]:
    """The verdict, and each of its reasons."""
    return [f"Verdict: {seen.verdict.level}", *(f"- {reason}" for reason in seen.verdict.reasons)]


def verdict_table(seen: Monitoring) -> SmallTable:
    """The verdict and its reasons."""
    caption = f"As of {seen.as_of}, champions that know all up to {seen.known_until}"
    reasons = "; ".join(seen.verdict.reasons)
    return SmallTable.of(caption, ["verdict", "reasons"], [[seen.verdict.level, reasons]])


def contacts_table(seen: Monitoring) -> SmallTable:
    """What contacts brought, beside customers who were held out."""

    def share(of: float | None) -> str:
        return "" if of is None else f"{of:.1%}"

    return SmallTable.of(
        "Contacted customers beside those held out: who bought within the churn horizon",
        ["action", "customers", "contacted", "bought", "held out", "bought", "uplift (90 %)"],
        [
            [
                row["action"],
                row["audience"],
                row["contacted"],
                share(row["contacted_share"]),
                row["held_out"],
                share(row["held_out_share"]),
                _uplift(row),
            ]
            for row in seen.contacts
            if row["contacted"] is not None
        ],
    )


def _uplift(row: Mapping[str, Any]) -> str:
    if row["uplift"] is None:
        return "too few to tell"
    return f"{row['uplift']:+.1%} ({row['uplift_low']:+.1%} to {row['uplift_high']:+.1%})"


def drift_table(seen: Monitoring, *, most: int = 12) -> SmallTable:
    """What has drifted, and then what strays farthest from training's path."""
    judged = [drift for drift in seen.drifts if drift.state in ("drifted", "stable")]
    ranked = sorted(judged, key=lambda d: (not d.has_drifted, -(d.psi - d.expected_psi)))
    left = len(seen.drifts) - len(judged)
    note = f"; {counted(left, 'column')} not comparable" if left else ""
    return SmallTable.of(
        f"Today against training: {counted(len(judged), 'column')}{note}",
        ["", "family", "state", "PSI", "expected", "mean rank", "expected", "q"],
        [
            [
                drift.name,
                drift.family,
                drift.state,
                f"{drift.psi:.3f}",
                f"{drift.expected_psi:.3f}",
                f"{drift.shift:+.3f}",
                f"±{drift.expected_shift:.3f}",
                f"{drift.q_value:.3f}",
            ]
            for drift in ranked[:most]
        ],
    )


def matured_table(seen: Monitoring) -> SmallTable:
    """How delivered scores did, with 90 % intervals, beside what the backtest saw."""
    rows = [
        [
            f"{_SHORT[of.target]} {of.version}",
            of.group.replace("_", " "),
            f"{of.rows:,}",
            METRICS[metric].label if metric in METRICS else metric.capitalize(),
            f"{rate(estimate.value)} ({rate(estimate.low)}, {rate(estimate.high)})",
            _promised(of.promises.get(metric)),
        ]
        for of in seen.matured
        for metric, estimate in of.figures.items()
    ]
    dates = {str(day) for of in seen.matured for day in (of.first, of.last)}
    return SmallTable.of(
        f"Delivered scores that have matured, as of {' to '.join(sorted({min(dates), max(dates)}))}"
        if dates
        else "No delivered score has matured",
        ["version", "customers", "scores", "measured by", "came out (90 %)", "backtest"],
        rows,
    )


def _promised(promise: Promise | None) -> str:
    return "-" if promise is None else f"{rate(promise.lowest)} to {rate(promise.highest)}"
