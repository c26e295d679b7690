"""The bridge of value: how the active customers' value of then became that of now."""

from collections.abc import Sequence

from portfolio_ml.report.charts.bars import Bar, named_bars
from portfolio_ml.report.charts.drawing import Chart
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.number import percent, plain, share, signed
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.portfolio_records import FlowPart

NAME, TITLE = "bridge", "How value came and went"
NAMES = {
    "then": "value then",
    "recruited": "recruited: no customers then",
    "reactivated": "reactivated: inactive then",
    "stayers": "active then and now: change",
    "lost": "lost: inactive now",
    "now": "value now",
}
"""The parts in their order, as people call them."""
WHOLE = ("then", "now")


def bridge(facts: PortfolioFacts, *, currency: str = "") -> Exhibit:
    """From the value of then to that of now: who came, who grew or shrank, who went."""
    remarks = facts.of("flow")
    by_name = {part.part: part for part in facts.flow}
    told = [by_name[name] for name in NAMES if name in by_name]
    if len(told) < len(NAMES):
        return missing(NAME, TITLE, remarks.absent or "nothing flowed", remarks.notes)
    then, now = told[0], told[-1]
    if facts.health is None or facts.health.value_change is None:
        why = "the history before then is too short: the value of then and of now do not compare"
        if then.value_change <= 0:
            why = "the active customers of then had brought nothing, so there is nothing to compare"
        return missing(NAME, TITLE, why, remarks.notes)
    unit = f" {currency}" if currency else ""
    change = share(now.value_change - then.value_change, then.value_change)
    way = "grew" if now.value_change >= then.value_change else "shrank"
    return Exhibit(
        name=NAME,
        title=TITLE,
        says=f"The active customers' value {way} by {percent(abs(change or 0.0))}, from "
        f"{plain(then.value_change)} to {plain(now.value_change)}{unit}: recruited and reactivated "
        f"customers brought {plain(told[1].value_change + told[2].value_change)}, the lost took "
        f"{plain(abs(told[4].value_change))}, and those who stayed changed by "
        f"{signed(told[3].value_change, 0)}.",
        how="Each step starts where the one before it ended. Value: net revenue of 365 days.",
        numbers=Numbers(
            ("Part", "Customers", f"Value{f' ({currency})' if currency else ''}"),
            tuple((NAMES[p.part], plain(p.customers), _told(p)) for p in told),
        ),
        chart=_steps(told, currency),
        notes=remarks.notes,
    )


def _told(part: FlowPart) -> str:
    return plain(part.value_change) if part.part in WHOLE else signed(part.value_change, 0)


def _steps(told: Sequence[FlowPart], currency: str) -> Chart:
    bars, level = [], 0.0
    for part in told:
        start = 0.0 if part.part in WHOLE else level
        level = start + part.value_change
        bars.append(
            Bar(
                name=NAMES[part.part],
                start=min(start, level),
                length=abs(part.value_change),
                told=_told(part),
                is_less=part.value_change < 0,
            )
        )
    return named_bars(bars, title=f"value{f' ({currency})' if currency else ''}", is_share=False)
