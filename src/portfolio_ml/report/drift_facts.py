"""Whether what the models see today is still what they learnt from, in plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from portfolio_ml.monitoring.drift import Drift
from portfolio_ml.report.number import finite

MOST_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class DriftedColumn:
    """One column, today against training; the fields are those of `monitoring.drift.Drift`."""

    family: str
    name: str
    state: str
    psi: float | None
    expected_psi: float | None
    shift: float | None
    q_value: float | None


@dataclass(frozen=True, slots=True)
class DriftFacts:
    """Every judged column, or why none could be.

    Attributes:
        as_of: Today: the last day of the history that was used.
        columns: At most `MOST_COLUMNS`: drifted ones first, then by how far the index exceeds what
            is usual.
        judged: How many columns were judged.
        drifted: How many of them have drifted.
        unknown: Why drift cannot be told, in a sentence; empty where it can.
    """

    as_of: date
    columns: tuple[DriftedColumn, ...]
    judged: int
    drifted: int
    unknown: str


def drift_facts(drifts: Sequence[Drift], *, as_of: date, unknown: str | None) -> DriftFacts:
    """The facts of a comparison of today with training.

    Args:
        drifts: Every column; those that are constant or still filling were not judged.
        as_of: Today.
        unknown: Why there are none.
    """
    judged = [drift for drift in drifts if drift.state in {"stable", "drifted"}]
    judged.sort(key=lambda d: (not d.has_drifted, d.expected_psi - d.psi, d.family, d.name))
    return DriftFacts(
        as_of=as_of,
        columns=tuple(_column(drift) for drift in judged[:MOST_COLUMNS]),
        judged=len(judged),
        drifted=sum(drift.has_drifted for drift in judged),
        unknown=unknown or "",
    )


def _column(drift: Drift) -> DriftedColumn:
    return DriftedColumn(
        family=drift.family,
        name=drift.name,
        state=drift.state,
        psi=finite(drift.psi),
        expected_psi=finite(drift.expected_psi),
        shift=finite(drift.shift),
        q_value=finite(drift.q_value),
    )
