"""What the models' choices are worth: each one undone, on real portfolios.

At every cutoff that a portfolio's history allows, one horizon apart, the variants are fitted on
what was known by then and judged on what followed. Prints the tables, and writes them to
`docs/reference/ablations.md` where all portfolios were judged. Two of them need the data sets in
the folder that `PORTFOLIO_ML_DATA` names.

Run it as `python -m benchmarks.ablations [--portfolios cdnow-1998 ...] [--seed 7] [--page FILE]`.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.children import ROOT
from benchmarks.markdown import table
from benchmarks.models_lines import LINES, Line
from portfolio_ml.backtesting import evaluation_days, needed_days
from portfolio_ml.customer_base import fit_gamma_gamma
from portfolio_ml.metrics import METRICS
from portfolio_ml.models.calibration import fit_calibration, log_odds
from portfolio_ml.models.churn import fit_churn_trees
from portfolio_ml.models.hurdle import fit_amount_trees, hurdle_of
from portfolio_ml.models.trees import DEFAULTS, Fit, TreeParameters, fit_trees, options_of
from portfolio_ml.opening import Opened, opened
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.snapshots import Snapshots, labelled
from portfolio_ml.timeline import to_date
from portfolio_ml.training import recency_weight

Floats = NDArray[np.float64]

PAGE = ROOT / "docs" / "reference" / "ablations.md"
PORTFOLIOS = tuple(line for line in LINES if line.name != "cdnow-1997")  # the other CDNOW has it
SHARES = (0.0, 0.2, 0.4)
FASTER = replace(DEFAULTS, learning_rate=0.2)
RISING = {"recency_days", "overdue_ratio", "missed_cycles", "p_no_purchase"}
FALLING = {
    "purchase_days",
    "p_alive",
    "p_alive_bg_nbd",
    "expected_purchase_days",
    "expected_purchase_days_bg_nbd",
}
HEADER = ("AUROC", "log loss", "Gini", "error of totals")
FORMS = (".4f", ".4f", ".4f", ".3f")
READING = (
    "AUROC and log loss are of churn, Gini (normalised, of net spend) and the error of totals (of "
    "gross spend, the absolute share by which the predicted total is off) of value: means over the "
    "cutoffs of a portfolio, and over portfolios the mean of those. A dash stands where a variant "
    "leaves the target as it is.\n\n"
    "*Trees* are the churn model and the hurdle of spend, *blend* gives the customer-base model "
    "the share that it names; both are calibrated as in training. *Faster* is a learning rate of "
    f"{FASTER.learning_rate} instead of {DEFAULTS.learning_rate}. *Held to directions* are as many "
    "trees, in which the chance of no purchase may only rise with recency and its like and only "
    "fall with purchase days and theirs. *Scaled* multiplies spend by what the trees' held-out "
    "predictions missed of the latest snapshot's total. The customer-base models are as they come, "
    "Gamma-Gamma on all purchase days unless it says *repeat purchases*."
)


@dataclass(frozen=True, slots=True)
class Variant:
    """What a variant predicts; None where it leaves a target as it is.

    Attributes:
        name: What it is called.
        churn: The chance of no purchase, shape (customers,).
        spend: Gross spend, currency units, shape (customers,).
    """

    name: str
    churn: Floats | None
    spend: Floats | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A variant at a cutoff.

    Attributes:
        portfolio: The portfolio's name.
        cutoff: The last day of the history.
        variant: The variant's name.
        figures: In the order of `HEADER`; NaN where it leaves a target as it is.
    """

    portfolio: str
    cutoff: str
    variant: str
    figures: tuple[float, ...]


def judged(line: Line, *, seed: int, say: Callable[[str], None]) -> Iterator[Judged]:
    """Every variant at every cutoff of a portfolio."""
    today = datetime.now(tz=UTC).date()
    settings = line.settings(seed=seed)
    with opened(settings, today=today, as_of=line.until, say=say) as portfolio:
        recipe, span = portfolio.recipe, portfolio.span
        cutoffs = evaluation_days(span, recipe, span.days)
        needed = needed_days(span, recipe, cutoffs)
        snapshots = labelled(portfolio.inputs, needed, horizons=recipe.horizons)
        days = _purchase_days(portfolio)
    for cutoff in cutoffs:
        learned = snapshots.on(recipe.snapshot_days(span.first_day, cutoff))
        rows = snapshots.on([cutoff])
        repeat = repeat_ticket(days, cutoff)
        for variant in (*_boosted(learned, rows, seed), *_customer_base(rows, repeat, line)):
            figures = _figures(variant, rows)
            yield Judged(line.name, str(to_date(cutoff)), variant.name, figures)


def _boosted(learned: Snapshots, rows: Snapshots, seed: int) -> Iterator[Variant]:
    """The trees, alone and with shares of the customer-base model, and other ways to fit them."""
    weight = recency_weight(learned.day)

    def churn(fit: Fit, predicted: Floats, share: float = 0.0) -> Floats:
        mixed, held_out = (
            expit((1 - share) * log_odds(p) + share * log_odds(_column(of, "p_no_purchase")))
            for p, of in ((predicted, rows), (fit.held_out, learned))
        )
        return fit_calibration(held_out, learned.churned, weight)(mixed)

    def fitted(parameters: TreeParameters) -> tuple[Fit, Fit]:
        silence = fit_churn_trees(learned, weight, seed=seed, parameters=parameters)
        amount = fit_amount_trees(learned, weight, seed=seed, parameters=parameters)
        if silence is None or amount is None:
            raise AssertionError("every cutoff has customers who buy and customers who do not")
        return silence, amount

    silence, amount = fitted(DEFAULTS)
    p_no_purchase = silence.trees.predict(rows.features)
    spend = (1 - p_no_purchase) * amount.trees.predict(rows.features)
    base = _column(rows, "expected_spend")
    for share in SHARES:
        name = f"blend, {share}" if share else "trees"
        mixed = (1 - share) * spend + share * base
        yield Variant(name, churn(silence, p_no_purchase, share), mixed)

    hurdle, latest = hurdle_of(silence, amount), learned.day == learned.day.max()
    level = learned.spend[latest].sum() / hurdle.held_out[latest].sum() if hurdle else 1.0
    yield Variant("trees, scaled", None, level * spend)

    single = fit_trees(
        learned.features, learned.spend, names=learned.names, customer=learned.customer,
        objective="tweedie", seed=seed, weight=weight,
    ).trees.predict(rows.features)  # fmt: skip
    yield Variant("trees, a single Tweedie", None, single)

    fast, fast_amount = fitted(FASTER)
    p_fast = fast.trees.predict(rows.features)
    fast_spend = (1 - p_fast) * fast_amount.trees.predict(rows.features)
    yield Variant("trees, faster", churn(fast, p_fast), fast_spend)

    held = _held_to_directions(learned, weight, rounds=silence.rounds, seed=seed)
    p_held = np.asarray(held.predict(rows.features), dtype=np.float64)
    yield Variant("trees, held to directions", churn(silence, p_held), None)


def _held_to_directions(
    learned: Snapshots, weight: Floats, *, rounds: int, seed: int
) -> lgb.Booster:
    directions = [(name in RISING) - (name in FALLING) for name in learned.names]
    options = options_of(DEFAULTS, "binary", len(learned), seed)
    options |= {"monotone_constraints": directions}
    data = lgb.Dataset(learned.features, learned.churned, weight=weight, params=options)
    return lgb.train(options, data, num_boost_round=rounds)


def _customer_base(rows: Snapshots, repeat_ticket: Floats, line: Line) -> Iterator[Variant]:
    """The customer-base models alone, with spend from all purchase days or the repeat ones."""
    expected, ticket = (_column(rows, n) for n in ("expected_purchase_days", "expected_ticket"))
    p_no_purchase = _column(rows, "p_no_purchase")
    yield Variant("Pareto/NBD", p_no_purchase, expected * ticket)

    x, t_x, age = (_column(rows, n) for n in ("repeat_days", "purchase_span_days", "tenure_days"))
    bg_nbd = rows.references[int(rows.day[0])].bg_nbd_model
    expected_bg = _column(rows, "expected_purchase_days_bg_nbd")
    p_bg = bg_nbd.p_no_purchase(x, t_x, age, line.horizon_days)
    yield Variant("BG/NBD", p_bg, expected_bg * ticket)

    spend = fit_gamma_gamma(x, repeat_ticket)
    repeat = expected * spend.expected_spend(x, repeat_ticket)
    yield Variant("Pareto/NBD, repeat purchases", None, repeat)


def _purchase_days(portfolio: Opened) -> pa.Table:
    """Customer, day and spend of every purchase day, in that order."""
    inputs = portfolio.inputs
    days = inputs.days.filter("is_purchase").select("customer", "day", "spend")
    return inputs.engine.collect(days.sort("customer", "day"))


def repeat_ticket(days: pa.Table, cutoff: int) -> Floats:
    """The mean spend of each customer's purchase days up to the cutoff but the first.

    Shape (customers,), in the order of the ids; NaN of those who bought once.
    """
    day = days["day"].to_numpy()
    customer, spend = (days[n].to_numpy()[day <= cutoff] for n in ("customer", "spend"))
    _, first, count = np.unique(customer, return_index=True, return_counts=True)
    later = (np.add.reduceat(spend, first) - spend[first]) / MONEY_SCALE
    return np.where(count > 1, later / np.maximum(count - 1, 1), np.nan)


def _figures(variant: Variant, rows: Snapshots) -> tuple[float, ...]:
    found = [np.nan] * len(HEADER)
    if (p := variant.churn) is not None:
        churned = rows.churned.astype(np.float64)
        found[:2] = (METRICS[name].value(churned, p) for name in ("auroc", "log_loss"))
    if (spend := variant.spend) is not None:
        found[2] = METRICS["normalised_gini"].value(rows.net, spend)
        found[3] = abs(METRICS["total_bias"].value(rows.spend, spend))
    return tuple(found)


def _column(rows: Snapshots, name: str) -> Floats:
    return rows.column(name).astype(np.float64)


def mean_table(found: Sequence[Judged]) -> str:
    """Per variant the mean over the portfolios, each of which is a mean over its cutoffs."""
    rows = []
    for variant in dict.fromkeys(j.variant for j in found):
        of_portfolios: dict[str, list[tuple[float, ...]]] = {}
        for each in found:
            if each.variant == variant:
                of_portfolios.setdefault(each.portfolio, []).append(each.figures)
        means = np.mean([np.mean(each, axis=0) for each in of_portfolios.values()], axis=0)
        rows.append([variant, *_told(means)])
    return table(["mean", *HEADER], rows)


def _told(figures: Iterable[float]) -> list[str]:
    return [_number(f, form) for f, form in zip(figures, FORMS, strict=True)]


def _number(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}"


def page(found: Sequence[Judged], *, command: str) -> str:
    """The whole page: the means over all portfolios, then those of each."""
    parts = [
        "# What the models' choices are worth",
        f"Written by `{command}`. Do not edit.",
        READING,
        f"## All portfolios, {len({(j.portfolio, j.cutoff) for j in found})} cutoffs",
        mean_table(found),
    ]
    for name in dict.fromkeys(j.portfolio for j in found):
        own = [j for j in found if j.portfolio == name]
        line = next(line for line in PORTFOLIOS if line.name == name)
        dates = ", ".join(dict.fromkeys(j.cutoff for j in own))
        parts += [
            f"## {line.title}",
            f"The {line.horizon_days} days after {dates}.",
            mean_table(own),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Judge the variants."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    names = {line.name: line for line in PORTFOLIOS}
    parser.add_argument("--portfolios", nargs="*", choices=names, default=[*names],
                        metavar="NAME", help=", ".join(names))  # fmt: skip
    parser.add_argument("--seed", type=int, default=7)
    place = f"where to write the page; {PAGE.relative_to(ROOT)} after all portfolios"
    parser.add_argument("--page", type=Path, metavar="FILE", help=place)
    given = parser.parse_args()
    if lacks := [line.lacks for name in given.portfolios if (line := names[name]).lacks]:
        sys.exit("; ".join(lacks))
    found = []
    for name in given.portfolios:
        for each in judged(names[name], seed=given.seed, say=print):
            told = " ".join(_told(each.figures))
            print(f"{each.portfolio:13} {each.cutoff} {each.variant:28} {told}", flush=True)
            found.append(each)
    print("", mean_table(found), sep="\n")
    if given.page or {*given.portfolios} == {*names}:
        path = given.page or PAGE
        path.write_text(page(found, command=f"python -m benchmarks.ablations --seed {given.seed}"))
        print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
