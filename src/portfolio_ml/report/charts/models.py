"""Charts of how a model did at past cutoffs."""

import altair as alt

from portfolio_ml.acting import Advice
from portfolio_ml.report.charts.drawing import BESIDE_LABELS, HEIGHT, LABELS, WIDTH, Chart, values
from portfolio_ml.report.evidence import ModelFacts, Opponent, Points
from portfolio_ml.report.words import value_word, within
from portfolio_ml.wording import model_name


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
    return alt.layer(diagonal, seen.mark_line(), seen.mark_point()).properties(**_SIZE)


def gains(points: Points) -> Chart:
    """The share of churners found among the customers of the highest risk, with the diagonal."""
    axis = alt.Axis(format="%", tickCount=5)
    scale = alt.Scale(domain=[0, 1], nice=False)
    found = (
        alt.Chart(values(points))
        .mark_line()
        .encode(
            alt.X("share:Q", scale=scale, axis=axis, title="customers, highest risk first"),
            alt.Y("found:Q", scale=scale, axis=axis, title="share of churners among them"),
        )
    )
    ends = alt.Chart(values([{"at": 0.0}, {"at": 1.0}])).mark_line(style="reference")
    return alt.layer(ends.encode(alt.X("at:Q"), alt.Y("at:Q")), found).properties(**_SIZE)


def deciles(points: Points, *, currency: str = "", measure: str = "revenue") -> Chart:
    """Mean predicted and actual value by tenth of the customers, highest prediction first."""
    rows = [
        {"decile": int(p["decile"]), "what": what, "mean": p[what] / p["customers"]}
        for p in points
        for what in ("predicted", "actual")
    ]
    unit = f" ({currency})" if currency else ""
    color = alt.Color("what:N", scale=alt.Scale(domain=["predicted", "actual"]))
    x = alt.X(
        "decile:O",
        axis=alt.Axis(labelAngle=0, grid=False),
        title="tenth of the customers, highest prediction first",
    )
    title = f"mean {value_word(measure)} per customer{unit}"
    y = alt.Y("mean:Q", axis=alt.Axis(tickCount=5, format="~s"), title=title)
    bars = alt.Chart(values([r for r in rows if r["what"] == "actual"])).mark_bar(width=14)
    dots = alt.Chart(values([r for r in rows if r["what"] == "predicted"])).mark_point()
    return alt.layer(bars.encode(x, y, color), dots.encode(x, y, color)).properties(**_SIZE)


def against(model: ModelFacts) -> Chart:
    """The winner's gain over each opponent with its 90 % interval, and a line at zero."""
    rows = [
        {
            "opponent": model_name(o.name, model.target),
            "kind": "baseline" if o.is_baseline else "other candidate",
            "estimate": o.gain.estimate,
            "low": o.gain.low,
            "high": o.gain.high,
        }
        for o in _comparable(model)
    ]
    y = alt.Y(
        "opponent:N",
        sort=[str(row["opponent"]) for row in rows],
        axis=alt.Axis(grid=False, title=None, labelLimit=LABELS),
    )
    title = f"gain in {within(model.primary_label)}, 90 % interval"
    signs = "datum.value == 0 ? '0' : format(datum.value, '+.3~f')"
    axis = alt.Axis(tickCount=4, labelExpr=signs)
    zero = alt.Chart(values([{"at": 0.0}])).mark_rule(style="reference").encode(alt.X("at:Q"))
    base = alt.Chart(values(rows)).encode(y, color=alt.Color("kind:N", scale=_KINDS))
    spans = base.mark_rule(strokeWidth=2).encode(
        alt.X("low:Q", axis=axis, title=title), alt.X2("high:Q")
    )
    dots = base.mark_point(size=80).encode(alt.X("estimate:Q"))
    return alt.layer(zero, spans, dots).properties(width=BESIDE_LABELS, height=HEIGHT)


def profit(advice: Advice, *, currency: str = "") -> Chart:
    """What a campaign would have earned by how many were contacted, with its 90 % interval.

    The dot is the advised threshold; a dashed line stands where capacity ends, and at zero.
    """
    rows = profit_points(advice)
    unit = f" ({currency})" if currency else ""
    x = alt.X(
        "contacts:Q",
        axis=alt.Axis(tickCount=4, format=",.0f"),
        title="customers contacted, most value at risk first",
    )
    y = alt.Y("profit:Q", axis=alt.Axis(tickCount=5, format="~s"), title=f"profit{unit}")
    base = alt.Chart(values(rows)).encode(x)
    zero = alt.Chart(values([{"profit": 0.0}])).mark_rule(style="reference").encode(y)
    layers = [
        zero,
        base.mark_area(opacity=0.2).encode(alt.Y("low:Q", title=f"profit{unit}"), alt.Y2("high:Q")),
        base.mark_line().encode(y),
    ]
    if (limit := advice.economics.capacity) is not None and limit < advice.candidates:
        ends = alt.Chart(values([{"contacts": limit}])).mark_rule(style="reference")
        layers.append(ends.encode(x))
    if advice.threshold is not None:
        on_curve = advice.advised.profit.value + advice.optimism
        best = {"contacts": advice.advised.contacts, "profit": on_curve}
        layers.append(alt.Chart(values([best])).mark_point(size=80).encode(x, y))
    return alt.layer(*layers).properties(**_SIZE)


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
    """The charts that a model's facts allow, by name."""
    charts: dict[str, Chart] = {}
    if points := model.curves.get("calibration"):
        charts["calibration"] = calibration(points)
    if points := model.curves.get("gains"):
        charts["gains"] = gains(points)
    if points := tuple(p for p in model.curves.get("deciles", ()) if p["customers"] > 0):
        charts["deciles"] = deciles(points, currency=currency, measure=model.measure)
    if _comparable(model):
        charts["against_baselines"] = against(model)
    if model.acting is not None:
        charts["profit"] = profit(model.acting, currency=currency)
    return charts


_SIZE = {"width": WIDTH, "height": HEIGHT}
_KINDS = alt.Scale(domain=["baseline", "other candidate"])


def _comparable(model: ModelFacts) -> list[Opponent]:
    return [o for o in model.opponents if None not in (o.gain.estimate, o.gain.low, o.gain.high)]


def _round_up(top: float) -> float:
    """The next tenth, at most 1."""
    return min(1.0, int(top * 10 + 1) / 10)
