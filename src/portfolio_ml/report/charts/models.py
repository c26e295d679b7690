"""Charts of how a model did at past cutoffs."""

from collections.abc import Sequence

import altair as alt

from portfolio_ml.acting import Advice
from portfolio_ml.report.charts.bars import Bar, Span, named_bars, named_spans
from portfolio_ml.report.charts.drawing import FLUID, HEIGHT, Chart, amounts, sized, values
from portfolio_ml.report.evidence import ModelFacts, Opponent, PartFacts, Points
from portfolio_ml.report.number import percent, signed
from portfolio_ml.report.words import value_word, within
from portfolio_ml.wording import model_name

_PLACED = {"width": FLUID, "height": HEIGHT}
WHOLE = alt.Scale(domain=[0, 1], nice=False)


def calibration(points: Points) -> Chart:
    """Observed against predicted churn in bins of the prediction, with the diagonal."""
    top = _round_up(max(max(p["predicted"], p["observed"]) for p in points))
    ends = alt.Chart(values([{"at": 0.0}, {"at": top}])).mark_line(style="reference")
    scale = alt.Scale(domain=[0, top], nice=False)
    axis = alt.Axis(format="%", tickCount=5)
    seen = alt.Chart(values(points)).encode(
        alt.X("predicted:Q", scale=scale, axis=axis, title="predicted churn"),
        alt.Y("observed:Q", scale=scale, axis=axis, title="observed churn"),
    )
    diagonal = ends.encode(alt.X("at:Q", scale=scale), alt.Y("at:Q", scale=scale))
    return alt.layer(diagonal, seen.mark_line(), seen.mark_point()).properties(**_PLACED)


def gains(points: Points) -> Chart:
    """The share of churners found among the customers of the highest risk, with the diagonal."""
    axis = alt.Axis(format="%", tickCount=5)
    found = (
        alt.Chart(values(points))
        .mark_line()
        .encode(
            alt.X("share:Q", scale=WHOLE, axis=axis, title="customers, highest risk first"),
            alt.Y("found:Q", scale=WHOLE, axis=axis, title="share of churners among them"),
        )
    )
    ends = alt.Chart(values([{"at": 0.0}, {"at": 1.0}])).mark_line(style="reference")
    return alt.layer(ends.encode(alt.X("at:Q"), alt.Y("at:Q")), found).properties(**_PLACED)


def lift(points: Points) -> Chart:
    """How many times as many churners as in a random draw, by the share of customers taken.

    Args:
        points: The gains curve: `share` of customers, `found` of churners.
    """
    axis = alt.Axis(format="%", tickCount=5)
    curve = (
        alt.Chart(values(lift_points(points)))
        .mark_line()
        .encode(
            alt.X("share:Q", axis=axis, scale=WHOLE, title="customers, highest risk first"),
            alt.Y("lift:Q", scale=alt.Scale(zero=True), title="times as many churners"),
        )
    )
    even = alt.Chart(values([{"at": 1.0}])).mark_rule(style="reference").encode(alt.Y("at:Q"))
    return alt.layer(even, curve).properties(**_PLACED)


def lift_points(points: Points) -> list[dict[str, float]]:
    """The lift by the share of customers taken, from the gains curve."""
    return [{"share": p["share"], "lift": p["found"] / p["share"]} for p in points if p["share"]]


def deciles(points: Points, *, currency: str = "", measure: str = "revenue") -> Chart:
    """Mean predicted and actual value by tenth of the customers, highest prediction first."""
    rows = [
        {"decile": int(p["decile"]), "what": what, "mean": p[what] / p["customers"]}
        for p in points
        for what in ("predicted", "actual")
    ]
    color = alt.Color("what:N", scale=alt.Scale(domain=["predicted", "actual"]))
    x = alt.X(
        "decile:O",
        axis=alt.Axis(labelAngle=0, grid=False),
        title="tenth of the customers, highest prediction first",
    )
    title = f"mean {value_word(measure)} per customer{_in(currency)}"
    y = alt.Y("mean:Q", axis=amounts(), title=title)
    bars = alt.Chart(values([r for r in rows if r["what"] == "actual"])).mark_bar(width=14)
    dots = alt.Chart(values([r for r in rows if r["what"] == "predicted"])).mark_point()
    return alt.layer(bars.encode(x, y, color), dots.encode(x, y, color)).properties(**_PLACED)


def lorenz(points: Points) -> Chart:
    """The share of all value that the best customers hold: as predicted, and by hindsight."""
    rows = [
        {"share": p["share"], "of": name, "value": p[key]}
        for p in points
        for name, key in (("by prediction", "found"), ("by what followed", "held"))
    ]
    kinds = ["by prediction", "by what followed"]
    axis = alt.Axis(format="%", tickCount=5)
    curves = (
        alt.Chart(values(rows))
        .mark_line()
        .encode(
            alt.X("share:Q", axis=axis, scale=WHOLE, title="customers, highest value first"),
            alt.Y("value:Q", axis=axis, scale=WHOLE, title="share of all value"),
            # the theme's own colour of lines would win over that of their kind
            alt.Color("of:N", scale=alt.Scale(domain=kinds)),
            alt.StrokeDash("of:N", scale=alt.Scale(domain=kinds, range=[[1, 0], [2, 3]])),
        )
    )
    ends = alt.Chart(values([{"at": 0.0}, {"at": 1.0}])).mark_line(style="reference")
    return alt.layer(ends.encode(alt.X("at:Q"), alt.Y("at:Q")), curves).properties(**_PLACED)


def coverage(parts: Sequence[PartFacts], *, meant: float) -> Chart:
    """The share of outcomes inside the intervals by part, and across it the share that was meant.

    Args:
        parts: Parts of which the coverage is known.
        meant: The nominal coverage.
    """
    bars = [
        Bar(
            name=f"{p.section.replace('_', ' ')} {p.part}" if p.section != "activity" else p.part,
            length=p.coverage or 0.0,
            told=percent(p.coverage),
            mark=meant,
        )
        for p in parts
    ]
    return named_bars(bars, title="outcomes inside the interval")


def against(model: ModelFacts) -> Chart:
    """The winner's gain over each opponent with its 90 % interval, and a line at zero."""
    spans = [
        Span(
            name=model_name(o.name, model.target),
            low=o.gain.low or 0.0,
            estimate=o.gain.estimate or 0.0,
            high=o.gain.high or 0.0,
            told=signed(o.gain.estimate),
            is_main=o.is_baseline,
        )
        for o in comparable(model)
    ]
    return named_spans(spans, title=f"gain in {within(model.primary_label)}, 90 % interval")


def over_cutoffs(model: ModelFacts) -> Chart:
    """The primary metric at each cutoff: the winner, its best baseline, and the others."""
    kinds = ["this model", "best baseline", "others"]
    told = [(model_name(model.winner, model.target), kinds[0], model.by_cutoff)]
    told += [
        (model_name(o.name, model.target), kinds[1 if o.name == model.best_baseline else 2],
         o.by_cutoff)
        for o in model.opponents
    ]  # fmt: skip
    rows = [
        {"model": name, "kind": kind, "cutoff": f"{day:%Y-%m-%d}", "value": value}
        for name, kind, by_cutoff in told
        for day, value in zip(model.cutoffs, by_cutoff, strict=True)
        if value is not None
    ]
    base = alt.Chart(values(rows)).encode(
        alt.X("cutoff:O", axis=alt.Axis(labelAngle=0, grid=False), title="judged from this day"),
        alt.Y("value:Q", scale=alt.Scale(zero=False), title=within(model.primary_label)),
        alt.Color("kind:N", scale=alt.Scale(domain=kinds)),
        alt.Detail("model:N"),
    )
    dashes = alt.Scale(domain=kinds, range=[[1, 0], [6, 3], [2, 3]])
    shapes = alt.Scale(domain=kinds, range=["circle", "square", "triangle-up"])
    lines = base.mark_line().encode(alt.StrokeDash("kind:N", scale=dashes))
    points = base.mark_point(size=70).encode(alt.Shape("kind:N", scale=shapes))
    return alt.layer(lines, points).properties(**_PLACED)


def profit(advice: Advice, *, currency: str = "") -> Chart:
    """What a campaign would have earned by how many were contacted, with its 90 % interval.

    The dot is the advised threshold; a dashed line stands where capacity ends, and at zero.
    """
    rows = profit_points(advice)
    x = alt.X(
        "contacts:Q",
        axis=alt.Axis(tickCount=4, format=",.0f"),
        title="customers contacted, most value at risk first",
    )
    title = f"profit{_in(currency)}"
    y = alt.Y("profit:Q", axis=amounts(), title=title)
    base = alt.Chart(values(rows)).encode(x)
    zero = alt.Chart(values([{"profit": 0.0}])).mark_rule(style="reference").encode(y)
    layers = [
        zero,
        base.mark_area(style="band").encode(alt.Y("low:Q", title=title), alt.Y2("high:Q")),
        base.mark_line().encode(y),
    ]
    if (limit := advice.economics.capacity) is not None and limit < advice.candidates:
        ends = alt.Chart(values([{"contacts": limit}])).mark_rule(style="reference")
        layers.append(ends.encode(x))
    if advice.threshold is not None:
        on_curve = advice.advised.profit.value + advice.optimism
        best = {"contacts": advice.advised.contacts, "profit": on_curve}
        layers.append(alt.Chart(values([best])).mark_point(size=80).encode(x, y))
    return alt.layer(*layers).properties(**_PLACED)


def profit_points(advice: Advice) -> list[dict[str, float]]:
    """The profit curve: contacts, and the profit with its interval."""
    return [
        {
            "contacts": p.contacts,
            "profit": p.profit.value,
            "low": p.profit.low,
            "high": p.profit.high,
        }
        for p in advice.curve
    ]


def drawn(model: ModelFacts, *, currency: str = "") -> dict[str, Chart]:
    """The charts that a model's facts allow, by name, each at a width of its own."""
    charts: dict[str, Chart] = {}
    if points := model.curves.get("calibration"):
        charts["calibration"] = calibration(points)
    if points := model.curves.get("gains"):
        charts["gains"] = gains(points)
    if points := known_deciles(model):
        charts["deciles"] = deciles(points, currency=currency, measure=model.measure)
    if comparable(model):
        charts["against_baselines"] = against(model)
    if model.acting is not None:
        charts["profit"] = profit(model.acting, currency=currency)
    return {name: sized(chart) for name, chart in charts.items()}


def known_deciles(model: ModelFacts) -> Points:
    """The tenths that have customers."""
    return tuple(p for p in model.curves.get("deciles", ()) if p["customers"] > 0)


def comparable(model: ModelFacts) -> list[Opponent]:
    """The opponents over whom the gain and its interval are known."""
    return [o for o in model.opponents if None not in (o.gain.estimate, o.gain.low, o.gain.high)]


def covered(model: ModelFacts) -> list[PartFacts]:
    """The parts of the customers of which the intervals' coverage is known."""
    return [part for part in model.parts if part.coverage is not None]


def _in(currency: str) -> str:
    return f" ({currency})" if currency else ""


def _round_up(top: float) -> float:
    """The next tenth, at most 1."""
    return min(1.0, int(top * 10 + 1) / 10)
