"""The exhibits of a model: whether its predictions hold, how well it orders, what it brings."""

from collections.abc import Callable, Iterator

from portfolio_ml.report import words
from portfolio_ml.report.charts import models
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers
from portfolio_ml.report.evidence import ModelFacts, Opponent, Points
from portfolio_ml.report.number import day, decimals, percent, plain, share, signed
from portfolio_ml.report.words import value_word, within
from portfolio_ml.wording import counted, model_name, value_name

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5)


def model_exhibits(model: ModelFacts, *, currency: str = "") -> tuple[Exhibit, ...]:
    """The exhibits that a model's facts allow, in the order in which people read them."""
    told: dict[str, Callable[[ModelFacts, str], Iterator[Exhibit]]] = {
        "churn": _churn,
        "lifetime_value": _value,
    }
    own = told[model.target](model, currency) if model.target in told else ()
    return (*own, *_opponents(model))


def _churn(model: ModelFacts, currency: str) -> Iterator[Exhibit]:
    if points := model.curves.get("calibration"):
        yield _calibration(points)
    if (gains := model.curves.get("gains")) and models.lift_points(gains):
        yield _gains(gains)
        yield _lift(gains)
    if model.acting is not None:
        curve = models.profit_points(model.acting)
        places = decimals(p["profit"] for p in curve)
        rows = tuple(
            (plain(p["contacts"]), *(plain(p[name], places) for name in ("profit", "low", "high")))
            for p in curve[:: max(1, len(curve) // 20)]
        )
        yield Exhibit(
            name="churn-profit",
            title=words.caption("profit"),
            says=next(words.whom_to_act_on(model.acting)),
            how=words.chart_note("profit"),
            numbers=Numbers(("Customers contacted", "Profit", "Low", "High"), rows),
            chart=models.profit(model.acting, currency=currency),
        )


def _calibration(points: Points) -> Exhibit:
    whole = sum(p["rows"] for p in points)
    off = sum(p["rows"] * abs(p["observed"] - p["predicted"]) for p in points)
    far = max(points, key=lambda p: abs(p["observed"] - p["predicted"]))
    return Exhibit(
        name="churn-calibration",
        title=words.caption("calibration"),
        says=f"On average, observed churn lies {plain(100 * off / whole, 1)} percentage points "
        f"from what was predicted; where it is farthest off, {percent(far['predicted'], 0)} were "
        f"predicted and {percent(far['observed'], 0)} observed.",
        how=words.chart_note("calibration"),
        numbers=Numbers(
            ("Predicted churn", "Observed churn", "Customers"),
            tuple(
                (percent(p["predicted"]), percent(p["observed"]), plain(p["rows"])) for p in points
            ),
        ),
        chart=models.calibration(points),
    )


def _gains(points: Points) -> Exhibit:
    told = {round(p["share"], 2): p["found"] for p in points}
    first, half = told.get(0.1), told.get(0.5)
    return Exhibit(
        name="churn-gains",
        title=words.caption("gains"),
        says=f"The 10 % of customers at the highest risk hold {percent(first, 0)} of all churners, "
        f"the first half {percent(half, 0)}.",
        how=words.chart_note("gains"),
        numbers=Numbers(
            ("Customers, highest risk first", "Of all churners"),
            tuple((percent(s, 0), percent(told.get(s))) for s in TENTHS),
        ),
        chart=models.gains(points),
    )


def _lift(points: Points) -> Exhibit:
    told = {round(p["share"], 2): p["lift"] for p in models.lift_points(points)}
    return Exhibit(
        name="churn-lift",
        title=words.LIFT,
        says=f"The 10 % at the highest risk churned {plain(told.get(0.1), 2)} times as often as "
        "the average customer.",
        how="Dashed: customers in random order.",
        numbers=Numbers(
            ("Customers, highest risk first", "Times as many churners"),
            tuple((percent(s, 0), plain(told.get(s), 2)) for s in TENTHS),
        ),
        chart=models.lift(points),
    )


def _value(model: ModelFacts, currency: str) -> Iterator[Exhibit]:
    if tenths := models.known_deciles(model):
        yield _deciles(tenths, model, currency)
    if points := model.curves.get("lorenz"):
        yield _lorenz(points, model)
    meant = model.figure("coverage")
    if meant is not None and meant.ideal is not None and models.covered(model):
        yield _coverage(model, meant.ideal)


def _deciles(points: Points, model: ModelFacts, currency: str) -> Exhibit:
    word = value_word(model.measure)
    means = [
        (p["decile"], p["predicted"] / p["customers"], p["actual"] / p["customers"]) for p in points
    ]
    places = decimals(mean for _, *both in means for mean in both)
    _, predicted, actual = means[0]
    unit = f" {currency}" if currency else ""
    return Exhibit(
        name="value-deciles",
        title=words.caption("deciles", model.measure),
        says=f"Of the tenth with the highest prediction, {plain(predicted, places)}{unit} of "
        f"{word} a customer were expected, and {plain(actual, places)}{unit} came.",
        how=f"Bars: actual {word}; dots: predicted. {words.chart_note('deciles')}",
        numbers=Numbers(
            ("Tenth", "Predicted", "Actual", "Off by"),
            tuple(
                (plain(tenth), plain(p, places), plain(a, places), _off(p, a))
                for tenth, p, a in means
            ),
        ),
        chart=models.deciles(points, currency=currency, measure=model.measure),
    )


def _off(predicted: float, actual: float) -> str:
    relative = share(predicted, actual)
    return words.signed_percent(None if relative is None else relative - 1)


def _lorenz(points: Points, model: ModelFacts) -> Exhibit:
    told = {round(p["share"], 2): p for p in points}
    fifth = told.get(0.2)
    name = value_name(model.measure)
    says = (
        "The curve by prediction lies below that by hindsight, the more the less it knew."
        if fifth is None
        else f"The 20 % of the highest prediction then held {percent(fifth['found'], 0)} of all "
        f"{name}; with hindsight, the best 20 % held {percent(fifth['held'], 0)}."
    )
    return Exhibit(
        name="value-lorenz",
        title=f"{name[:1].upper()}{name[1:]} found, highest prediction first",
        says=says,
        how="Dotted: by hindsight, the best that an order can do. Dashed: random order.",
        numbers=Numbers(
            ("Customers", "Held by prediction", "Held by hindsight"),
            tuple(
                (percent(s, 0), percent(p["found"]), percent(p["held"]))
                for s in TENTHS
                if (p := told.get(s))
            ),
        ),
        chart=models.lorenz(points),
    )


def _coverage(model: ModelFacts, meant: float) -> Exhibit:
    parts = models.covered(model)
    overall = model.figure("coverage")
    held = None if overall is None else overall.of_all
    lowest = min(parts, key=lambda p: p.coverage or 0.0)
    return Exhibit(
        name="value-coverage",
        title=words.INSIDE,
        says=f"Intervals meant to hold {percent(meant, 0)} of outcomes held {percent(held)}; the "
        f"least in {_part(lowest.section, lowest.part)}, {percent(lowest.coverage)}.",
        how="Bar: outcomes inside. Line across: the share that was meant.",
        numbers=Numbers(
            ("Customers", "Inside", "Meant", "Judged"),
            tuple(
                (_part(p.section, p.part), percent(p.coverage), percent(meant, 0), plain(p.rows))
                for p in parts
            ),
        ),
        chart=models.coverage(parts, meant=meant),
    )


def _part(section: str, part: str) -> str:
    return f"{part} customers" if section == "activity" else f"{section.replace('_', ' ')} {part}"


def _opponents(model: ModelFacts) -> Iterator[Exhibit]:
    key = model.target.replace("_", "-")
    if rivals := models.comparable(model):
        yield Exhibit(
            name=f"{key}-against",
            title=words.caption("against_baselines"),
            says=words.verdict(model),
            how=f"{words.chart_note('against_baselines')} Full dots: baselines; empty ones: other "
            "candidates.",
            numbers=Numbers(
                ("Opponent", "Kind", f"Gain in {within(model.primary_label)}", "90 % interval"),
                tuple(_gain(rival, model.target) for rival in rivals),
            ),
            chart=models.against(model),
        )
    if model.cutoffs and any(value is not None for value in model.by_cutoff):
        yield _over_cutoffs(model, key)


def _gain(rival: Opponent, target: str) -> tuple[str, ...]:
    kind = "baseline" if rival.is_baseline else "candidate"
    gain = rival.gain
    return model_name(rival.name, target), kind, signed(gain.estimate, 4), words.interval(gain)


def _over_cutoffs(model: ModelFacts, key: str) -> Exhibit:
    best = model.opponent(model.best_baseline)
    rows = [(model.winner, (*model.by_cutoff, model.mean))]
    rows += [(o.name, (*o.by_cutoff, o.mean)) for o in model.opponents]
    return Exhibit(
        name=f"{key}-cutoffs",
        title=f"{model.primary_label} at each past date",
        says=_ahead(model, best),
        how="Circles: this model. Squares: the best baseline. Triangles: the others. Higher is "
        "better.",
        numbers=Numbers(
            ("Model", *(day(cutoff) for cutoff in model.cutoffs), "Mean"),
            tuple(
                (model_name(name, model.target), *(plain(v, 3) for v in scores))
                for name, scores in rows
            ),
        ),
        chart=models.over_cutoffs(model),
    )


def _ahead(model: ModelFacts, best: Opponent | None) -> str:
    dates = counted(len(model.cutoffs), "past date")
    if best is None:
        return f"It was judged at {dates}."
    pairs = [
        (own, other)
        for own, other in zip(model.by_cutoff, best.by_cutoff, strict=True)
        if own is not None and other is not None
    ]
    won = sum(own > other for own, other in pairs)
    baseline = f"the best baseline ({model_name(best.name, model.target)})"
    if len(pairs) == 1:
        return f"It was {'ahead of' if won else 'no better than'} {baseline} at the one past date."
    return f"It was ahead of {baseline} at {won} of {dates}."
