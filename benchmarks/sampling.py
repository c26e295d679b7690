"""What drawing customers costs in quality: models of some, judged on everybody.

CDNOW, the public portfolio with the most customers. For each share, customers are drawn as training
draws them; features, references and models are theirs alone; then everybody is scored under the
portfolio that they froze, and judged on what followed, beside the models of all. Prints the table,
and writes it to `docs/reference/sampling.md`.

Run it as `python -m benchmarks.sampling [--draws 500] [--page FILE]`.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.children import ROOT
from benchmarks.machine import machine
from benchmarks.markdown import table
from benchmarks.models_lines import LINES
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.sample import below
from portfolio_ml.metrics import METRICS, Difference, paired_bootstrap
from portfolio_ml.opening import Opened, opened
from portfolio_ml.snapshots import Snapshots, labelled
from portfolio_ml.timeline import to_day
from portfolio_ml.training import Recipe, fit_candidates

Floats = NDArray[np.float64]

PAGE = ROOT / "docs" / "reference" / "sampling.md"
LINE = next(line for line in LINES if line.name == "cdnow-1997")
SHARES = (0.5, 0.25, 0.1, 0.05)
MEASURES = {"auroc": "AUROC of churn", "normalised_gini": "Gini of value"}
VERSIONS = ("portfolio-ml", "duckdb", "lightgbm")


@dataclass(frozen=True, slots=True)
class Learnt:
    """Models of some customers, and what they say of everybody at the cutoff.

    Attributes:
        customers: How many they learnt from.
        rows: How many rows.
        reference: What was fitted across these customers at the cutoff.
        scores: Per measure, the prediction that it judges.
    """

    customers: int
    rows: int
    reference: Reference
    scores: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Compared:
    """A share's models beside those of all."""

    share: float
    learnt: Learnt
    gains: dict[str, Difference]
    edges_off: float


def learnt(inputs: Inputs, everybody: Inputs, recipe: Recipe, days: Sequence[int]) -> Learnt:
    """The models of some customers, and their scores of everybody on the last of the days."""
    cutoff = days[-1]
    found = labelled(inputs, days, horizons=recipe.horizons)
    rows = found.on(days[:-1])
    reference = found.references[cutoff]
    candidates = fit_candidates(rows, recipe, tier_edges=reference.tier_edges)
    scored = outcomes(everybody, recipe, cutoff, reference)
    churn, value = candidates.churn["blend"], candidates.lifetime_value["blend"]
    return Learnt(
        customers=int(np.unique(rows.customer).size),
        rows=len(rows),
        reference=reference,
        scores={
            "auroc": churn.predict(scored.inputs(churn.names)),
            "normalised_gini": value.predict(scored.inputs(value.names)),
        },
    )


def outcomes(inputs: Inputs, recipe: Recipe, cutoff: int, reference: Reference) -> Snapshots:
    """Everybody at the cutoff, under a portfolio that some froze."""
    references = {cutoff: reference}
    return labelled(inputs, [cutoff], horizons=recipe.horizons, references=references)


def compared(portfolio: Opened, *, draws: int, say: Callable[[str], None]) -> list[Compared]:
    """Each share's models beside those of all, which come first."""
    recipe, inputs = portfolio.recipe, portfolio.inputs
    cutoff = to_day(LINE.as_of)
    days = (*recipe.snapshot_days(portfolio.span.first_day, cutoff), cutoff)
    say("all")
    whole = learnt(inputs, inputs, recipe, days)
    rows = outcomes(inputs, recipe, cutoff, whole.reference)
    actual = {"auroc": rows.churned.astype(np.float64), "normalised_gini": rows.value}
    found = [Compared(1.0, whole, {}, 0.0)]
    for share in SHARES:
        say(f"{share:.0%}")
        some = inputs.sampled(below(share), salt=f"{recipe.seed}:")
        few = learnt(some, inputs, recipe, days)
        gains = {
            name: paired_bootstrap(
                METRICS[name],
                actual[name],
                candidate=few.scores[name],
                baseline=whole.scores[name],
                groups=rows.customer,
                seed=recipe.seed,
                n=draws,
            )
            for name in MEASURES
        }
        spend = rows.column("net_spend").astype(np.float64)
        off = edges_off(spend, few.reference.tier_edges, whole.reference.tier_edges)
        found.append(Compared(share, few, gains, off))
    values = {n: METRICS[n].value(actual[n], whole.scores[n]) for n in MEASURES}
    say(str(values))
    return found


def edges_off(values: Floats, some: Sequence[float], whole: Sequence[float]) -> float:
    """The largest share of customers that lies between an edge and where it should be.

    Example:
        >>> round(edges_off(np.arange(10.0), (2.0, 7.0), (3.0, 7.0)), 6)
        0.1
    """
    return max(
        abs(float((values <= a).mean() - (values <= b).mean()))
        for a, b in zip(some, whole, strict=True)
    )


def told(found: Sequence[Compared]) -> str:
    """The table."""
    rows = [
        [
            "all" if not each.gains else f"{each.share:.0%}",
            f"{each.learnt.customers:,}",
            f"{each.learnt.rows:,}",
            *(_gain(each.gains.get(name)) for name in MEASURES),
            "–" if not each.gains else f"{100 * each.edges_off:.2f} %",
        ]
        for each in found
    ]
    header = ["learnt from", "customers", "rows", *MEASURES.values(), "tier edges off by"]
    return table(header, rows)


def _gain(gain: Difference | None) -> str:
    return "–" if gain is None else f"{gain.estimate:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"


def page(found: Sequence[Compared], *, draws: int) -> str:
    """The whole page."""
    return (
        "# What drawing customers costs\n\n"
        f"Written by `python -m benchmarks.sampling` on {'; '.join(machine(VERSIONS))}. "
        "Do not edit.\n\n"
        f"{LINE.title}, everybody as of {LINE.as_of} and the {LINE.horizon_days} days after. Each "
        "share is drawn as `training.max_rows` draws it; features, what is fitted across customers "
        "and models are of the drawn alone, and everybody is scored by them. The differences are "
        f"to the models of all, with intervals of 90 % by a paired bootstrap of {draws} draws of "
        "customers; below 0 is worse. *Tier edges off by* is the largest share of customers that "
        "lies between an edge of the value tiers and where all customers have it.\n\n"
        f"{told(found)}\n"
    )


def main() -> None:
    """Compare the models of some customers with those of all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    settings = LINE.settings(seed=7)
    today = datetime.now(tz=UTC).date()
    with opened(settings, today=today, as_of=LINE.until, say=print) as portfolio:
        found = compared(portfolio, draws=given.draws, say=lambda text: print(text, flush=True))
    print("\n" + told(found))
    given.page.write_text(page(found, draws=given.draws))


if __name__ == "__main__":
    main()
