"""The portfolio as a stream: who came, who stayed, who went."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, Chart, amounts, values
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.number import percent, plain, share
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.portfolio_records import Month, Transition
from portfolio_ml.wording import counted

NONE, LAPSED = "none", "lapsed"
THEN = ("none", "new", "developing", "mature", "veteran", "lapsed")
NOW = ("new", "developing", "mature", "veteran", "lapsed")
INFLOW, STAY, OUTFLOW, AWAY = "came", "stayed active", "left", "stayed away"
KINDS = (STAY, OUTFLOW, INFLOW, AWAY)

STREAM_HEIGHT = 300
GAP = 0.035
NODE, STEPS = 0.018, 24
MONTHS_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Node:
    """A stage on one side: its customers, and from where to where it stands (0 to 1)."""

    stage: str
    customers: int
    top: float
    bottom: float


def stream(facts: PortfolioFacts) -> Exhibit:
    """From which stage to which: a ribbon per way, as thick as the customers who went it."""
    name, title, remarks = "stream", "The stream of customers", facts.of("transitions")
    if not facts.transitions:
        why = remarks.absent or "nobody was a customer at either date"
        return missing(name, title, why, remarks.notes)
    return Exhibit(
        name=name,
        title=title,
        says=_stream_says(facts.transitions),
        how="Left: where customers stood then; right: where the same customers stand now. A "
        "ribbon is as thick as the number of customers who went that way.",
        numbers=Numbers(
            ("Then", "Now", "Customers", "Revenue then", "Revenue now"),
            tuple(
                (_stage(t.stage_then), t.stage, plain(t.customers), plain(t.revenue_then),
                 plain(t.revenue))
                for t in facts.transitions
            ),
        ),
        chart=_ribbons(facts.transitions),
        notes=remarks.notes,
    )  # fmt: skip


def months(facts: PortfolioFacts) -> Exhibit:
    """Who came and went, month by month: above the line who came, below it who went."""
    name, title, remarks = "months", "Who came and who went, month by month", facts.of(
        "monthly_flow"
    )  # fmt: skip
    told = facts.months[-MONTHS_SHOWN:]
    if not told:
        return missing(name, title, remarks.absent or "no month is over yet", remarks.notes)
    came = sum(m.recruited + m.reactivated for m in told)
    lost = sum(m.lost for m in told)
    return Exhibit(
        name=name,
        title=title,
        says=f"Within {counted(len(told), 'month')} {plain(came)} customers came or came back and "
        f"{plain(lost)} were lost; {plain(told[-1].active_end)} are active now.",
        how="Above the line: recruited (strong) and reactivated (faint). Below it: lost.",
        numbers=Numbers(
            ("Month", "Recruited", "Reactivated", "Lost", "Active at its end"),
            tuple(
                (m.month, plain(m.recruited), plain(m.reactivated), plain(m.lost),
                 plain(m.active_end))
                for m in told
            ),
        ),
        chart=_month_bars(told),
        notes=remarks.notes,
    )  # fmt: skip


def _stage(stage: str) -> str:
    return "not yet a customer" if stage == NONE else stage


def kind_of(way: Transition) -> str:
    """Whether a way leads in, out, or neither.

    Example:
        >>> kind_of(Transition("mature", "lapsed", 3, 10.0, 0.0))
        'left'
    """
    was_active, is_active = way.stage_then not in {NONE, LAPSED}, way.stage != LAPSED
    if is_active:
        return STAY if was_active else INFLOW
    return OUTFLOW if was_active else AWAY


def _stream_says(ways: Sequence[Transition]) -> str:
    total = {kind: sum(w.customers for w in ways if kind_of(w) == kind) for kind in KINDS}
    before = total[STAY] + total[OUTFLOW]
    stayed = share(total[STAY], before)
    opening = (
        "Nobody was active then"
        if stayed is None
        else f"Of {counted(before, 'customer')} who were active then, {percent(stayed, 0)} still "
        "are"
    )
    return f"{opening}; {plain(total[OUTFLOW])} left, {plain(total[INFLOW])} came or came back."


def _ribbons(ways: Sequence[Transition]) -> Chart:
    left = _nodes(ways, THEN, "stage_then")
    right = _nodes(ways, NOW, "stage")
    ribbon = alt.Chart(values([*_ribbon_rows(ways, left, right)]))
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, 1], nice=False))
    y_scale = alt.Scale(domain=[0, 1], nice=False, reverse=True)
    there = [kind for kind in KINDS if any(kind_of(w) == kind for w in ways)]
    kinds = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=[*KINDS]),
        legend=alt.Legend(symbolType="square", columns=2, values=there),
    )
    bands = ribbon.mark_area(opacity=0.5, line=False).encode(
        x, alt.Y("y0:Q", axis=None, scale=y_scale), alt.Y2("y1:Q"), kinds, alt.Detail("way:N")
    )
    posts = alt.Chart(values([*_post_rows(left, 0.0), *_post_rows(right, 1 - NODE)]))
    blocks = posts.mark_rect(style="post").encode(
        alt.X("x:Q"), alt.X2("x1:Q"), alt.Y("y0:Q"), alt.Y2("y1:Q")
    )
    layers: list[alt.Chart] = [bands, blocks]
    sides: list[tuple[list[Node], float, Literal["left", "right"]]] = [
        (left, 2 * NODE, "left"),
        (right, 1 - 2 * NODE, "right"),
    ]
    for nodes, at, align in sides:
        rows = [
            {"x": at, "y": (n.top + n.bottom) / 2,
             "told": f"{_stage(n.stage)}  {plain(n.customers)}"}
            for n in nodes
        ]  # fmt: skip
        names = alt.Chart(values(rows)).mark_text(align=align, baseline="middle")
        layers.append(names.encode(alt.X("x:Q"), alt.Y("y:Q"), text="told:N"))
    return alt.layer(*layers).properties(width=FLUID, height=STREAM_HEIGHT)


def _nodes(ways: Sequence[Transition], order: Sequence[str], side: str) -> list[Node]:
    """The stages of one side from above to below, each as tall as its share."""
    sizes = {s: sum(w.customers for w in ways if getattr(w, side) == s) for s in order}
    sizes = {stage: size for stage, size in sizes.items() if size}
    whole, room = sum(sizes.values()), 1 - GAP * (len(sizes) - 1)
    nodes, top = [], 0.0
    for stage, size in sizes.items():
        bottom = top + room * size / whole
        nodes.append(Node(stage, size, top, bottom))
        top = bottom + GAP
    return nodes


def _ribbon_rows(
    ways: Sequence[Transition], left: Sequence[Node], right: Sequence[Node]
) -> Iterator[dict[str, object]]:
    """Where each ribbon runs: from its place in the left post to that in the right one."""
    starts, ends = {n.stage: n for n in left}, {n.stage: n for n in right}
    used_left, used_right = dict.fromkeys(starts, 0.0), dict.fromkeys(ends, 0.0)
    ordered = sorted(ways, key=lambda w: (THEN.index(w.stage_then), NOW.index(w.stage)))
    for number, way in enumerate(ordered):
        start, end = starts[way.stage_then], ends[way.stage]
        tall_left = (start.bottom - start.top) * way.customers / start.customers
        tall_right = (end.bottom - end.top) * way.customers / end.customers
        top_left = start.top + used_left[way.stage_then]
        top_right = end.top + used_right[way.stage]
        used_left[way.stage_then] += tall_left
        used_right[way.stage] += tall_right
        for step in range(STEPS + 1):
            along = (1 - math.cos(math.pi * step / STEPS)) / 2
            top = top_left + (top_right - top_left) * along
            yield {
                "way": number,
                "kind": kind_of(way),
                "x": round(NODE + (1 - 2 * NODE) * step / STEPS, 4),
                "y0": round(top, 4),
                "y1": round(top + tall_left + (tall_right - tall_left) * along, 4),
            }


def _post_rows(nodes: Sequence[Node], x: float) -> Iterator[dict[str, object]]:
    for node in nodes:
        yield {"x": x, "x1": x + NODE, "y0": node.top, "y1": node.bottom}


def _month_bars(told: Sequence[Month]) -> Chart:
    rows = [
        {"month": _begin(m), "next": _next(m), "part": part, "from": low, "to": high}
        for m in told
        for part, low, high in (
            ("recruited", 0, m.recruited),
            ("reactivated", m.recruited, m.recruited + m.reactivated),
            ("lost", -m.lost, 0),
        )
        if low < high
    ]
    base = alt.Chart(values(rows))
    x = alt.X(
        "month:T",
        axis=alt.Axis(
            format="%b %y", grid=False, tickCount=5, labelOverlap="greedy", labelSeparation=10
        ),
        title=None,
    )
    y = alt.Y("from:Q", axis=amounts(), title="customers")
    layers = [
        base.transform_filter(alt.datum.part == part)
        .mark_bar(style=style, opacity=opacity, cornerRadius=0, binSpacing=1)
        .encode(x, alt.X2("next:T"), y, alt.Y2("to:Q"))
        for part, style, opacity in (
            ("recruited", "main", 1.0),
            ("reactivated", "main", 0.45),
            ("lost", "other", 1.0),
        )
    ]
    zero = alt.Chart(values([{"from": 0}])).mark_rule().encode(y)
    return alt.layer(*layers, zero).properties(width=FLUID, height=240)


def _begin(month: Month) -> str:
    return f"{month.month}-01"


def _next(month: Month) -> str:
    begin = date.fromisoformat(_begin(month))
    return (begin + timedelta(days=27)).isoformat()
