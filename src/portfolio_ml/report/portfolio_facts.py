"""The portfolio's own figures as the page tells them: frozen, plain values, bounded in size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, TypeVar

import pyarrow.compute as pc

from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.report.number import finite
from portfolio_ml.report.portfolio_records import (
    CohortPeriod,
    Concentrated,
    CurvePoint,
    Dimension,
    FlowPart,
    Health,
    Month,
    Potential,
    Projected,
    Reach,
    Section,
    Transition,
)

MOST_SECTIONS = 60
USED = (
    "sections", "concentration", "lorenz", "transitions", "flow", "monthly_flow", "cohorts",
    "health", "projection", "projection_check", "potential", "potential_reach",
)  # fmt: skip
"""The figures that the facts are made of."""

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Remarks:
    """What is to be known of a figure: its title, why it is absent (empty: it is not), notes."""

    figure: str
    title: str
    absent: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PortfolioFacts:
    """The figures that the page draws; what is absent is empty, and `remarks` say why.

    Attributes:
        as_of: The last day of the history that was used.
        dimensions: The sections.
        concentration: At the as-of date.
        concentration_then: `portfolio.compare_days` earlier; None where both do not compare.
        curve: The curve of concentration, and that of then, both from none to all customers.
        curve_then: Likewise; empty where both do not compare.
        transitions: From which stage to which.
        flow: How the active customers of then became those of now.
        months: Who came and went.
        cohorts: Who still buys.
        health: Whether the portfolio is healthy.
        projection: What it becomes.
        potential: The gap to good peers by group, the largest first, at most `MOST_SECTIONS`.
        reach: How many closed it before.
        remarks: What is to be known of each figure.
    """

    as_of: date
    dimensions: tuple[Dimension, ...]
    concentration: Concentrated | None
    concentration_then: Concentrated | None
    curve: tuple[CurvePoint, ...]
    curve_then: tuple[CurvePoint, ...]
    transitions: tuple[Transition, ...]
    flow: tuple[FlowPart, ...]
    months: tuple[Month, ...]
    cohorts: tuple[CohortPeriod, ...]
    health: Health | None
    projection: tuple[Projected, ...]
    potential: tuple[Potential, ...]
    reach: tuple[Reach, ...]
    remarks: tuple[Remarks, ...]

    def of(self, figure: str) -> Remarks:
        """What is to be known of a figure; a figure that was not asked for is absent."""
        found = (remarks for remarks in self.remarks if remarks.figure == figure)
        return next(found, Remarks(figure, "", "the figure was not computed", ()))


def portfolio_facts(figures: Iterable[Figure], *, as_of: date) -> PortfolioFacts:
    """The facts in the figures of one date.

    Args:
        figures: Any of those that `USED` names; others are passed over.
        as_of: Their date.
    """
    found = {figure.name: figure for figure in figures if figure.name in USED}
    rows = {name: figure.rows.to_pylist() for name, figure in found.items() if name != "potential"}
    moments = {row["moment"]: row for row in rows.get("concentration", ())}
    compares = "change" in moments
    return PortfolioFacts(
        as_of=as_of,
        dimensions=_dimensions(rows.get("sections", ())),
        concentration=_one(Concentrated, moments.get("now")),
        concentration_then=_one(Concentrated, moments.get("then")) if compares else None,
        curve=_curve(rows.get("lorenz", ()), "now"),
        curve_then=_curve(rows.get("lorenz", ()), "then") if compares else (),
        transitions=_all(Transition, rows.get("transitions", ())),
        flow=_all(FlowPart, rows.get("flow", ())),
        months=_all(Month, rows.get("monthly_flow", ())),
        cohorts=_all(CohortPeriod, rows.get("cohorts", ())),
        health=_one(Health, next(iter(rows.get("health", ())), None)),
        projection=_all(Projected, rows.get("projection", ())),
        potential=_potential(found.get("potential")),
        reach=_all(Reach, rows.get("potential_reach", ())),
        remarks=tuple(Remarks(f.name, f.title, f.absent, f.notes) for f in found.values()),
    )


def _one(kind: type[Record], row: Mapping[str, Any] | None) -> Record | None:
    return None if row is None else _record(kind, row)


def _all(kind: type[Record], rows: Iterable[Mapping[str, Any]]) -> tuple[Record, ...]:
    return tuple(_record(kind, row) for row in rows)


def _record(kind: type[Record], row: Mapping[str, Any]) -> Record:
    named = {field.name: row[field.name] for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{k: finite(v) if isinstance(v, float) else v for k, v in named.items()})


def _curve(rows: Iterable[Mapping[str, Any]], moment: str) -> tuple[CurvePoint, ...]:
    return _all(CurvePoint, (row for row in rows if row["moment"] == moment))


def _dimensions(rows: Iterable[Mapping[str, Any]]) -> tuple[Dimension, ...]:
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["dimension"], []).append(row)
    return tuple(_dimension(name, parts) for name, parts in by_name.items())


def _dimension(name: str, rows: list[Mapping[str, Any]]) -> Dimension:
    at_risk = [row["value_at_risk"] for row in rows if row["value_at_risk"] is not None]
    return Dimension(
        name=name,
        sections=_all(Section, rows[:MOST_SECTIONS]),
        left_out=max(0, len(rows) - MOST_SECTIONS),
        customers=sum(row["customers"] for row in rows),
        value_at_risk=sum(at_risk) if at_risk else None,
    )


def _potential(figure: Figure | None) -> tuple[Potential, ...]:
    if figure is None or not figure.rows.num_rows:
        return ()
    sums = figure.rows.group_by("peer_group", use_threads=False).aggregate(
        [
            ([], "count_all"),
            ("revenue", "sum"),
            ("potential_gap", "sum"),
            ("expected_gain", "sum", pc.ScalarAggregateOptions(min_count=1)),
        ]
    )
    groups = [
        Potential(
            peer_group=row["peer_group"],
            customers=row["count_all"],
            revenue=row["revenue_sum"],
            potential_gap=row["potential_gap_sum"],
            expected_gain=finite(row["expected_gain_sum"]),
        )
        for row in sums.to_pylist()
    ]
    groups.sort(key=lambda group: (-group.potential_gap, group.peer_group))
    return tuple(groups[:MOST_SECTIONS])
