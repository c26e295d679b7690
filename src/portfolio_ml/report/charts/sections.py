"""What the portfolio's parts bring, risk and could bring: sections, segments, peer groups."""

from collections.abc import Sequence

from portfolio_ml.report.charts.bars import SHOWN, Bar, named_bars
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.customers import Group
from portfolio_ml.report.number import decimals, percent, plain, share
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.portfolio_records import Dimension, Potential, Section
from portfolio_ml.wording import counted, value_name


def revenue_of(dimension: Dimension, *, currency: str = "") -> Exhibit:
    """Each section's share of the revenue, with its share of the customers beside it."""
    shown = [s for s in dimension.sections[:SHOWN] if s.revenue_share is not None]
    name, title = f"sections-{_key(dimension)}", f"Revenue by {_words(dimension)}"
    if not shown:
        return missing(name, title, "there is no revenue of the last 365 days to share")
    bars = [
        Bar(
            name=s.section,
            length=s.revenue_share or 0.0,
            told=f"{percent(s.revenue_share, 0)} · {plain(s.revenue)}",
            mark=s.customers / dimension.customers,
        )
        for s in shown
    ]
    return Exhibit(
        name=name,
        title=title,
        says=_brings(dimension, shown[0]),
        how="Bar: share of the revenue of the last 365 days. Line across: share of the customers."
        + _others(len(dimension.sections) + dimension.left_out),
        numbers=_section_numbers(dimension, currency),
        chart=named_bars(bars, title="share of the whole"),
    )


def risk_of(dimension: Dimension, *, currency: str = "") -> Exhibit:
    """Where the value at risk lies, with the mean churn probability beside it."""
    name, title = f"risk-{_key(dimension)}", f"Value at risk by {_words(dimension)}"
    whole = dimension.value_at_risk
    held = [s for s in dimension.sections if s.value_at_risk]
    if not whole or not held:
        return missing(name, title, "no champion has scored the customers, or nothing is at risk")
    held.sort(key=lambda s: -(s.value_at_risk or 0.0))
    first = held[0]
    bars = [
        Bar(
            name=s.section,
            length=s.value_at_risk or 0.0,
            told=f"{plain(s.value_at_risk)} · {percent(s.churn, 0)} churn",
        )
        for s in held[:SHOWN]
    ]
    part, amount = share(first.value_at_risk, whole), f"{_money(whole)}{_unit(currency)}"
    says = (
        f"All value at risk, {amount}, lies with “{first.section}”."
        if len(held) == 1
        else f"“{first.section}” holds {percent(part, 0)} of the value at risk: "
        f"{_money(first.value_at_risk)} of {amount}."
    )
    return Exhibit(
        name=name,
        title=title,
        says=says,
        how="Bar: churn probability × value if they buy, summed. At its right, the mean churn "
        "probability of the active customers." + _others(len(held)),
        numbers=_section_numbers(dimension, currency),
        chart=named_bars(bars, title=f"value at risk{_in(currency)}", is_share=False),
    )


def segment_shares(groups: Sequence[Group], *, measure: str = "revenue") -> Exhibit:
    """Each segment's share of the expected value, with its share of the customers beside it."""
    name, title = "segments", f"Expected {value_name(measure)} by segment"
    shown = [g for g in groups if g.ltv_share is not None]
    if not shown:
        return missing(name, title, f"no {value_name(measure)} is expected of any segment")
    shown.sort(key=lambda g: -(g.ltv_share or 0.0))
    first = shown[0]
    bars = [
        Bar(g.name, g.ltv_share or 0.0, f"{percent(g.ltv_share, 0)}", mark=g.customer_share)
        for g in shown
    ]
    rows = tuple(
        (
            g.name, plain(g.customers), percent(g.customer_share), percent(g.active_share),
            percent(g.mean_p_churn), percent(g.ltv_share),
        )
        for g in shown
    )  # fmt: skip
    columns = ("Segment", "Customers", "Of all", "Active", "Mean churn", "Of expected value")
    return Exhibit(
        name=name,
        title=title,
        says=f"“{first.name}”: {percent(first.customer_share, 0)} of the customers, "
        f"{percent(first.ltv_share, 0)} of the {value_name(measure)} that is expected.",
        how=f"Bar: share of the expected {value_name(measure)}. Line across: share of the "
        "customers.",
        numbers=Numbers(columns, rows),
        chart=named_bars(bars, title="share of the whole"),
    )


def potential(facts: PortfolioFacts, *, currency: str = "") -> Exhibit:
    """The gap to good peers, and what may come of it, by group of peers."""
    remarks = facts.of("potential")
    name, title = "potential", "Potential: the gap to good peers"
    if not facts.potential:
        why = remarks.absent or "no active customer is below the 75th percentile of its peers"
        return missing(name, title, why, remarks.notes)
    groups = facts.potential
    gap = sum(g.potential_gap for g in groups)
    gains = [g.expected_gain for g in groups if g.expected_gain is not None]
    expected = (
        f"; {_money(sum(gains))} of it may come, as far as the past tells" if gains else ""
    )  # fmt: skip
    bars = [
        Bar(
            g.peer_group,
            g.potential_gap,
            _gap_told(g),
            part=(g.expected_gain or 0.0) if gains else None,
        )
        for g in groups[:SHOWN]
    ]
    customers = sum(g.customers for g in groups)
    return Exhibit(
        name=name,
        title=title,
        says=f"{counted(customers, 'active customer')} would spend {_money(gap)}{_unit(currency)} "
        f"more a year at the 75th percentile of their peers{expected}.",
        how="Bar: the gap of all below the 75th percentile, summed."
        + (" Strong part: what is expected to be reached." if gains else "")
        + _others(len(groups)),
        numbers=_potential_numbers(groups, currency),
        chart=named_bars(bars, title=f"gap{_in(currency)}", is_share=False),
        notes=remarks.notes,
    )


def _gap_told(group: Potential) -> str:
    return f"{plain(group.potential_gap)} · {plain(group.customers)} below"


def _potential_numbers(groups: Sequence[Potential], currency: str) -> Numbers:
    unit = _in(currency)
    rows = tuple(
        (
            g.peer_group, plain(g.customers), plain(g.revenue), plain(g.potential_gap),
            plain(g.expected_gain),
        )
        for g in groups
    )  # fmt: skip
    columns = ("Peers", "Customers below", f"Their revenue{unit}", f"Gap{unit}", "Expected gain")
    return Numbers(columns, rows)


def _section_numbers(dimension: Dimension, currency: str) -> Numbers:
    """The columns that this portfolio can tell."""
    parts = dimension.sections
    money = decimals(s.average_ticket for s in parts)
    columns: list[tuple[str, list[str]]] = [
        (_capital(_words(dimension)), [s.section for s in parts]),
        ("Customers", [plain(s.customers) for s in parts]),
        ("Active", [percent(s.active_share) for s in parts]),
        (f"Revenue{_in(currency)}", [plain(s.revenue) for s in parts]),
        ("Of all", [percent(s.revenue_share) for s in parts]),
        ("Average ticket", [plain(s.average_ticket, money) for s in parts]),
        ("Repurchase time (days)", [plain(s.repurchase_days) for s in parts]),
    ]
    if any(s.margin_share is not None for s in parts):
        columns.append(("Margin", [percent(s.margin_share) for s in parts]))
    if dimension.value_at_risk is not None:
        columns.append(("Mean churn", [percent(s.churn) for s in parts]))
        columns.append(("Value at risk", [plain(s.value_at_risk) for s in parts]))
    return Numbers(
        tuple(title for title, _ in columns),
        tuple(zip(*(cells for _, cells in columns), strict=True)),
    )


def _brings(dimension: Dimension, first: Section) -> str:
    if len(dimension.sections) == 1:
        return f"All revenue comes from one section, “{first.section}”."
    of_customers = percent(share(first.customers, dimension.customers), 0)
    return (
        f"“{first.section}” brings {percent(first.revenue_share, 0)} of the revenue with "
        f"{of_customers} of the customers."
    )


def _others(count: int) -> str:
    return "" if count <= SHOWN else f" Drawn: the {SHOWN} largest of {count}."


def _money(amount: float | None) -> str:
    return plain(amount, decimals([amount]))


def _unit(currency: str) -> str:
    return f" {currency}" if currency else ""


def _in(currency: str) -> str:
    return f" ({currency})" if currency else ""


def _words(dimension: Dimension) -> str:
    return dimension.name.replace("_name", "").replace("_", " ").replace(" x ", " × ")


def _key(dimension: Dimension) -> str:
    return dimension.name.replace("_", "-").replace(" ", "-")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
