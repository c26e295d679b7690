"""Drift: how far today lies from what the models learnt from."""

from portfolio_ml.report.charts.bars import SHOWN, Bar, named_bars
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.drift_facts import DriftedColumn, DriftFacts
from portfolio_ml.report.number import day, percent, plain
from portfolio_ml.wording import counted

NAME, TITLE = "drift", "Drift: today against training"
STATES = {"stable": "as usual"}


def drift(facts: DriftFacts) -> Exhibit:
    """The columns that moved the most, each beside what is usual for it."""
    told = [column for column in facts.columns if column.psi is not None]
    if not told:
        why = facts.unknown or "no column could be compared with training"
        return missing(NAME, TITLE, why)
    news = [f"“{_words(c)}”" for c in told if c.state == "drifted"]
    says = (
        f"{counted(facts.drifted, 'column')} of {facts.judged} drifted beyond what is usual: "
        f"{', '.join(news[:4])}{' and others' if facts.drifted > 4 else ''}."
        if news
        else f"None of {counted(facts.judged, 'column')} has drifted beyond its natural course by "
        f"{day(facts.as_of)}."
    )
    bars = [
        Bar(_words(c), c.psi or 0.0, f"{plain(c.psi, 2)} · {STATES.get(c.state, c.state)}",
            mark=c.expected_psi)
        for c in told[:SHOWN]
    ]  # fmt: skip
    return Exhibit(
        name=NAME,
        title=TITLE,
        says=says,
        how="Bar: population stability index against the course of training. Line across: what "
        "chance and natural variation make of it."
        + (f" Drawn: the first {SHOWN} of {facts.judged}." if facts.judged > SHOWN else ""),
        numbers=_numbers(told),
        chart=named_bars(bars, title="population stability index", is_share=False),
    )


def _words(column: DriftedColumn) -> str:
    return column.name.replace("_", " ")


def _numbers(told: list[DriftedColumn]) -> Numbers:
    columns = ("Column", "Kind", "Index", "Usual", "Shift of ranks", "False alarm rate", "State")
    rows = tuple(
        (
            c.name, c.family, plain(c.psi, 3), plain(c.expected_psi, 3), percent(c.shift),
            plain(c.q_value, 3), c.state,
        )
        for c in told
    )  # fmt: skip
    return Numbers(columns, rows)
