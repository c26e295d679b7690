"""Facts gathered: what was scored, judged and computed, as the frozen values that the page says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from portfolio_ml.datasets import is_simulated
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.report import customers
from portfolio_ml.report.champion_facts import ChampionFacts
from portfolio_ml.report.drift_facts import DriftFacts
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.report.facts import Facts, HistoryFacts, Lineage, Refused, Then, Verdict
from portfolio_ml.report.people import PurchasesOf, people
from portfolio_ml.report.portfolio_facts import portfolio_facts
from portfolio_ml.report.today import today
from portfolio_ml.schema import Measure
from portfolio_ml.standing import USUAL_LIFECYCLE
from portfolio_ml.timeline import to_date
from portfolio_ml.transactions import History

TARGETS = ("churn", "lifetime_value", "segments")


def history_facts(history: History) -> HistoryFacts:
    """The facts of a history that was loaded."""
    return HistoryFacts(
        first_day=to_date(history.span.first_day),
        last_day=to_date(history.span.last_day),
        kept=history.kept,
        quarantined=history.quarantined,
        refused=_refused(history.quarantine),
        is_simulated=is_simulated(history.source),
    )


def gather(
    rows: pa.Table,
    features: pa.Table,
    *,
    name: str,
    currency: str,
    as_of: date,
    churn_days: int,
    value_days: int,
    coverage: float,
    measure: Measure = "revenue",
    new_days: int = USUAL_LIFECYCLE.new_days,
    learned_value_days: int | None = None,
    pace_ahead: float | None = None,
    history: HistoryFacts,
    judgements: Mapping[str, Mapping[str, Any]],
    decisions: Mapping[str, Mapping[str, Any]] | None,
    versions: Mapping[str, str],
    tracking: str,
    now: datetime,
) -> Facts:
    """The facts of one run.

    Args:
        rows: One row per customer, as in `schema.CUSTOMER_ROWS`.
        features: The churn model's features, of the same customers in the same order.
        name: The portfolio's name.
        currency: Its currency, or empty.
        as_of: The rows' as-of date.
        churn_days: The churn horizon.
        value_days: The value horizon.
        coverage: The nominal coverage of value intervals.
        measure: What value is.
        new_days: Up to which tenure an active customer is new.
        learned_value_days: The horizon that the value model learnt; `value_days` where not given.
        pace_ahead: The pace of purchases within the value horizon, in that of an average day.
        history: The rows that were read.
        judgements: Per supervised target, as given by `Judgement.to_dict`; those that are not at
            hand are left out.
        decisions: Per target, as given by `Decision.to_dict`; None where the gate was not asked.
        versions: Per target, the champion's registered version.
        tracking: The tracking server or database, without secrets.
        now: When the facts are gathered.
    """
    return Facts(
        name=name,
        currency=currency,
        as_of=as_of,
        churn_days=churn_days,
        value_days=value_days,
        learned_value_days=learned_value_days or value_days,
        pace_ahead=pace_ahead,
        coverage=coverage,
        measure=measure,
        new_days=new_days,
        history=history,
        headline=customers.headline(rows),
        attention=customers.attention(rows, features),
        segments=customers.segments(rows),
        segment_profiles=customers.segment_profiles(rows, features),
        lifecycle_stages=customers.lifecycle_stages(rows),
        value_tiers=customers.value_tiers(rows),
        abstentions=customers.abstentions(rows),
        models=tuple(model_facts(judgements[t], coverage=coverage) for t in _known(judgements)),
        verdicts=tuple(_verdict(t, (decisions or {})[t]) for t in _known(decisions or {})),
        lineage=_lineage(rows, versions, tracking=tracking, now=now),
    )


def with_figures(
    facts: Facts,
    figures: Sequence[Figure],
    *,
    rows: pa.Table,
    features: pa.Table,
    then: pa.Table | None,
    day_then: date,
    representatives: pa.Table | None,
    purchases: PurchasesOf,
    most: int,
    drift: DriftFacts | None = None,
    champions: tuple[ChampionFacts, ...] = (),
) -> Facts:
    """The facts with what the portfolio's figures add to them.

    Args:
        facts: What `gather` says of the rows.
        figures: All figures of the same date.
        rows: The customer rows, each with what the figures say of it.
        features: The features behind them, of the same customers in the same order.
        then: The customer rows of the day that it is compared with; None where there are none.
        day_then: That day.
        representatives: customer_id and representative_id; None where nothing tells them.
        purchases: Gives what some customers bought.
        most: So many customers are told of one by one.
        drift: Whether what the models see is still what they learnt from.
        champions: The models in force, in short.
    """
    by_name = {figure.name: figure for figure in figures}
    found = people(
        rows,
        features,
        figures=by_name,
        then=then,
        day_then=None if then is None else day_then,
        representatives=representatives,
        purchases=purchases,
        most=most,
    )
    return replace(
        facts,
        then=None if then is None else Then(day_then, customers.headline(then)),
        today=today(by_name, found),
        people=found,
        portfolio=portfolio_facts(figures, as_of=facts.as_of),
        drift=drift,
        champions=champions,
    )


def _refused(quarantine: pa.Table) -> tuple[Refused, ...]:
    """The rows of `schema.QUARANTINE` by rule and column, most first."""
    counts = quarantine.group_by(["rule", "column"], use_threads=False).aggregate(
        [([], "count_all")]
    )
    found = [Refused(r["rule"], r["column"], r["count_all"]) for r in counts.to_pylist()]
    return tuple(sorted(found, key=lambda r: (-r.rows, r.rule)))


def _known(by_target: Iterable[str]) -> list[str]:
    there = set(by_target)
    return [target for target in TARGETS if target in there]


def _verdict(target: str, decision: Mapping[str, Any]) -> Verdict:
    return Verdict(target, bool(decision["is_promoted"]), tuple(decision["reasons"]))


def _lineage(
    rows: pa.Table, versions: Mapping[str, str], *, tracking: str, now: datetime
) -> Lineage:
    first = rows.slice(0, 1).to_pylist()  # the columns are the same in every row of a run
    row = first[0] if first else dict.fromkeys(("features_hash", "run_id", "scored_at"))
    return Lineage(
        model_versions=tuple((target, str(versions[target])) for target in _known(versions)),
        features_hash=row["features_hash"],
        run_id=row["run_id"],
        scored_at=row["scored_at"],
        tracking=tracking,
        package_version=version("portfolio-ml"),
        made_at=now,
    )
