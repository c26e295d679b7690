"""What the figures mean, in sentences; where they do not show something, the sentence says so."""

from collections.abc import Iterator
from datetime import datetime
from math import isnan

from portfolio_ml.acting import Advice, Estimate
from portfolio_ml.report.customers import Abstention, Headline
from portfolio_ml.report.evidence import Figure, Gain, ModelFacts
from portfolio_ml.report.facts import Facts, HistoryFacts
from portfolio_ml.report.number import ABSENT, decimals, percent, plain, share, signed
from portfolio_ml.scoring import CUSTOMER_BASE, EXTENDED
from portfolio_ml.training import FEWEST_CUSTOMERS, extension_note
from portfolio_ml.wording import TARGET_NAMES, counted, model_name, value_name

_SHARES = {"calibration_error", "coverage", "decile_mape", "total_bias"}
_MONEY = {"interval_score", "mae", "mean_width", "rmse"}

TOO_EXTREME, TOO_TIMID = 0.9, 1.1
LIFT, INSIDE = "Lift over a random draw", "Outcomes inside the intervals"


def within(label: str) -> str:
    """A metric's label within a sentence.

    Example:
        >>> within("Normalised Gini"), within("AUROC")
        ('normalised Gini', 'AUROC')
    """
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def value_word(measure: str) -> str:
    """A customer's value in a word: a column's title has room for no more.

    Example:
        >>> value_word("revenue"), value_word("margin")
        ('spend', 'margin')
    """
    return value_name(measure).removeprefix("net ")


def figure_text(figure: Figure, value: float | None) -> str:
    """A metric's value in its unit."""
    if figure.metric in _SHARES:
        return signed_percent(value) if figure.metric == "total_bias" else percent(value)
    return plain(value, 2 if figure.metric in _MONEY | {"lift_at_10pct"} else 3)


def signed_percent(value: float | None) -> str:
    """A relative difference in percent, with its sign."""
    return ABSENT if value is None else f"{signed(value * 100, 1)} %"


def direction(figure: Figure) -> str:
    """Which way a metric is better."""
    if figure.better != "nearer":
        return f"{figure.better} is better"
    ideal = figure.ideal or 0.0
    return f"nearer {f'{ideal:.0%}' if figure.metric in _SHARES else f'{ideal:g}'} is better"


def interval(gain: Gain) -> str:
    """A gain's 90 % interval."""
    return ABSENT if gain.low is None else f"{signed(gain.low, 4)} to {signed(gain.high, 4)}"


def setting(model: ModelFacts, horizon_days: int) -> str:
    """How the model was judged."""
    count = len(model.cutoffs)
    dates = ", ".join(f"{day:%Y-%m-%d}" for day in model.cutoffs)
    value = {"revenue": "what each customer would spend"}
    asked = {
        "churn": "who would buy nothing",
        "lifetime_value": value.get(model.measure, "what margin each customer would bring"),
    }
    return (
        f"Judged at {count} past {'date' if count == 1 else 'dates'} ({dates}). Each time the "
        f"models were fitted again on what was known by then and had to say "
        f"{asked.get(model.target, 'what would happen')} in the next {horizon_days} days. Among "
        f"the candidates, the {model_name(model.winner, model.target)} did best by "
        f"{within(model.chosen_by_label)}."
    )


def verdict(model: ModelFacts) -> str:
    """Whether the winner is ahead of the best baseline, and how sure that is."""
    opponent = model.opponent(model.best_baseline)
    baseline = model_name(model.best_baseline, model.target)
    opening = f"Its gain in {within(model.primary_label)} over the best baseline ({baseline})"
    if opponent is None or opponent.gain.estimate is None:
        return f"{opening} could not be computed."
    gain = opponent.gain
    opening += f" is {signed(gain.estimate, 4)}"
    if gain.low is None or gain.high is None:
        return f"{opening}; how sure that is could not be computed."
    opening += f" (90 % interval {interval(gain)})"
    if gain.low > 0:
        return f"{opening}: the interval lies above zero, so it is ahead."
    if gain.high < 0:
        return f"{opening}: the interval lies below zero, so the baseline is ahead."
    return f"{opening}: the interval includes zero, so it is not shown to be better."


def meaning(model: ModelFacts) -> tuple[str, ...]:
    """The main figures of a model, each as a sentence; absent figures are passed over."""
    told = {"churn": _churn, "lifetime_value": _value}.get(model.target)
    return tuple(told(model)) if told else ()


def whom_to_act_on(advice: Advice) -> Iterator[str]:
    """What threshold is advised and what it would have earned; where that is not shown, so."""
    asked = _economics(advice)
    if advice.threshold is None:
        yield f"Acting on nobody is advised: {asked}, no threshold would have earned anything."
        return
    money = decimals([advice.threshold, advice.threshold_low, advice.threshold_high])
    contacts = f"{plain(advice.advised.contacts)} of {plain(advice.candidates)}"
    high = "nobody" if advice.threshold_high is None else plain(advice.threshold_high, money)
    yield (
        f"Acting on active customers with a value at risk of {plain(advice.threshold, money)} or "
        f"more is advised (90 % interval {plain(advice.threshold_low, money)} to {high}): {asked}, "
        f"a campaign to {contacts} would have earned {earned(advice.advised.profit)}."
        f"{_ENDINGS.get(advice.verdict, '')}"
    )
    if advice.verdict in {"pays", "flat"}:
        even = plain(advice.break_even.threshold, money)
        yield f"Acting on all of them would have earned {_less(advice.over_everybody)}."
        yield (
            f"If all predictions held, a contact would pay from {even} on; that threshold would "
            f"have earned {_less(advice.over_break_even)}."
        )
    if not isnan(advice.value_bias):
        yield (
            "Who left is what happened, what they would have spent is predicted: of those who "
            f"did buy, {signed_percent(advice.value_bias)} off in total."
        )


_ENDINGS = {
    "capacity": " Capacity is the limit: more contacts would have earned more.",
    "everybody": " No active customer should be left out.",
    "unsure": " That is not shown to be more than nothing.",
}


def _economics(advice: Advice) -> str:
    given = advice.economics
    margin = "" if given.margin_share == 1 else f" and {percent(given.margin_share)} of value left"
    limit = "" if given.capacity is None else f", {plain(given.capacity)} contacts at most"
    return (
        f"at {plain(given.contact_cost, 2)} a contact, {percent(given.success_rate)} of leavers "
        f"kept{margin}{limit}"
    )


def earned(profit: Estimate) -> str:
    """A profit with its 90 % interval."""
    places = decimals([profit.value, profit.low, profit.high])
    span = f"{plain(profit.low, places)} to {plain(profit.high, places)}"
    return f"{plain(profit.value, places)} ({span})"


def _less(gain: Estimate) -> str:
    """A gain, told of what it is a gain over."""
    way, sign = ("less", 1) if gain.value >= 0 else ("more", -1)
    low, high = sorted((sign * gain.low, sign * gain.high))
    if low == high == gain.value == 0:
        return "the same"
    places = decimals([gain.value, low, high])
    told = f"{plain(abs(gain.value), places)} {way} ({plain(low, places)} to {plain(high, places)})"
    return told if low > 0 else f"{told}, which is no clear difference"


def churners(headline: Headline, horizon_days: int) -> str:
    """What part of the active customers the expected churners are."""
    part = share(headline.expected_churners, headline.active_customers)
    if part is None:
        return "there are no active customers"
    return f"{percent(part)} of active customers: no purchase in the next {horizon_days} days"


def resting(abstention: Abstention, facts: Facts) -> Iterator[str]:
    """What the scores of some customers rest on, a sentence for each code."""
    some = f"{plain(abstention.customers)} of {plain(facts.headline.customers)} customers"
    for code in abstention.code.split(", "):
        model, _, targets = code.partition(":")
        about = " and ".join(TARGET_NAMES.get(t, t).lower() for t in targets.split("+"))
        if model == CUSTOMER_BASE:
            is_few = facts.headline.customers < FEWEST_CUSTOMERS
            needed = f", which need at least {FEWEST_CUSTOMERS} customers" if is_few else ""
            yield (
                f"For {some}, {about} figures rest on the customer-base model alone: no boosted "
                f"trees stand behind them{needed}."
            )
        elif model == EXTENDED:
            note = extension_note(facts.learned_value_days, facts.value_days)
            yield f"For {some}, {note}. Its intervals are stretched alike, and untested."
        else:
            yield f"For {some} something was held back: {code}."


def season(facts: Facts) -> str | None:
    """How the pace of purchases follows the year; None where it is not known to."""
    if facts.pace_ahead is None:
        return None
    return (
        f"Purchases follow the time of the year: over the next {facts.value_days} days their pace "
        f"is {facts.pace_ahead:.2f} times that of an average day, which churn and value allow for."
    )


def young_history(facts: Facts) -> str | None:
    """Why nobody is older than new, where the history is too short for anyone to be."""
    days = (facts.as_of - facts.history.first_day).days
    if days > facts.new_days:
        return None
    return (
        f"the history covers {counted(days + 1, 'day')}, so no active customer can be older than "
        f'"new" (up to {facts.new_days} days)'
    )


def left_out(history: HistoryFacts) -> str:
    """How much of the history could not be used."""
    read = history.kept + history.quarantined
    return (
        f"{plain(history.quarantined)} of {plain(read)} rows "
        f"({percent(share(history.quarantined, read), 2)}) broke a rule. They are kept in the "
        "quarantine and count in no figure on this page."
    )


def moment(value: datetime | None) -> str:
    """A time, to the minute, with its zone."""
    return ABSENT if value is None else f"{value:%Y-%m-%d %H:%M %Z}".rstrip()


def caption(chart: str, measure: str = "revenue") -> str:
    """A chart's title."""
    return {
        "calibration": "Predicted and observed churn",
        "gains": "Churners found, riskiest first",
        "deciles": f"Predicted and actual {value_word(measure)}",
        "against_baselines": "Gain over each opponent",
        "profit": "What a campaign would have earned",
    }[chart]


def chart_note(chart: str) -> str:
    """How to read a chart, in a line."""
    return {
        "calibration": "Dashed: what was predicted is what happened.",
        "gains": "Dashed: customers in random order.",
        "deciles": "All past dates together.",
        "against_baselines": "Right of the dashed line the winner is ahead.",
        "profit": "Dot: the advised threshold. Shaded: 90 % interval.",
    }[chart]


def _churn(model: ModelFacts) -> Iterator[str]:
    if model.mean is not None:
        yield (
            f"Of one customer who churned and one who did not, the higher risk went to the one "
            f"who churned in {percent(model.mean, 0)} of pairs (AUROC {plain(model.mean, 3)})."
        )
    error, slope = _of_all(model, "calibration_error"), _of_all(model, "calibration_slope")
    if error is not None:
        yield (
            f"Predicted and observed churn rates are typically {plain(error * 100, 1)} percentage "
            f"points apart (calibration error)."
        )
    if slope is not None:
        yield f"The calibration slope is {plain(slope, 2)}: {_spread(slope)}."
    lift = model.figure("lift_at_10pct")
    if lift is not None and lift.of_all is not None:
        among = f"; among active customers {plain(lift.of_active, 1)} times"
        yield (
            f"The 10 % of customers with the highest risk churned {plain(lift.of_all, 1)} times as "
            f"often as the average{'' if lift.of_active is None else among}."
        )
    if model.acting is not None:
        yield from whom_to_act_on(model.acting)


def _spread(slope: float) -> str:
    if slope < TOO_EXTREME:
        return "probabilities are more extreme than what followed"
    if slope > TOO_TIMID:
        return "probabilities are more timid than what followed"
    return "close to 1, as it should be"


def _value(model: ModelFacts) -> Iterator[str]:
    happened = "was then spent" if model.measure == "revenue" else "margin then came of them"
    total = "was spent" if model.measure == "revenue" else "came of them"
    if model.mean is not None:
        yield (
            f"The order by predicted value reaches a normalised Gini of {plain(model.mean, 3)}, "
            f"where 1 is the order by what {happened} and 0 a random one."
        )
    bias = _of_all(model, "total_bias")
    if bias is not None:
        way = "more" if bias > 0 else "less"
        yield f"In total it predicted {percent(abs(bias))} {way} than {total}."
    coverage = model.figure("coverage")
    if coverage is not None and coverage.of_all is not None:
        yield (
            f"Intervals meant to hold {percent(coverage.ideal, 0)} of outcomes held "
            f"{percent(coverage.of_all)}."
        )


def _of_all(model: ModelFacts, metric: str) -> float | None:
    figure = model.figure(metric)
    return None if figure is None else figure.of_all
