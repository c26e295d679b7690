"""One portfolio's feature table and figures, each step timed: what `benchmarks.figures` measures.

Run it as `python -m benchmarks.figures_child CONFIG AS_OF STEPS`.
"""

import argparse
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.steps import Steps
from portfolio_ml.config import Settings, load_settings
from portfolio_ml.features.table import FeatureTable, at
from portfolio_ml.frozen import Frozen
from portfolio_ml.opening import Opened, opened
from portfolio_ml.portfolio.book import book_of
from portfolio_ml.portfolio.catalogue import GROUPS, figures
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.today.customer_figures import NEEDS, customer_figures
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.standing import activity_windows


def run(settings: Settings, as_of: date, steps: Steps) -> None:
    """Compute the feature table and every figure."""
    opening = opened(settings, today=as_of, as_of=as_of, say=lambda _: None)
    with steps.timed("load and validate"):
        portfolio = opening.__enter__()
    try:
        horizons = portfolio.recipe.horizons
        with steps.timed("feature table"):
            table = at(portfolio.inputs, [portfolio.as_of_day], horizons=horizons)
        with steps.timed("stand-in champion"):
            frozen = frozen_from(table, portfolio)
            scores = stand_in(table.rows, as_of)
            del table
        figures_of(portfolio, frozen, scores, steps)
    finally:
        opening.__exit__(None, None, None)


def frozen_from(table: FeatureTable, portfolio: Opened) -> Frozen:
    """What a champion that was trained on this day would have frozen."""
    day = portfolio.as_of_day
    return Frozen(
        reference=table.references[day],
        activity_days=activity_windows(portfolio.inputs, [day])[day],
        horizons=portfolio.recipe.horizons,
        features=portfolio.inputs.catalogue.names,
        features_hash=table.hash,
    )


def figures_of(portfolio: Opened, frozen: Frozen, scores: pa.Table, steps: Steps) -> None:
    """Compute the book and every figure, a group at a time; then what the night needs, anew."""
    with steps.timed("the book"):
        book = book_of(
            portfolio.inputs,
            frozen,
            as_of=portfolio.as_of,
            settings=portfolio.settings.portfolio,
            scores=scores,
            then_scores=earlier(scores, portfolio),
            customers=portfolio.customers,
            interactions=portfolio.interactions,
            contacts=portfolio.contacts,
            opportunities=portfolio.opportunities,
            points=portfolio.points,
            prospects=portfolio.prospects,
            valuations=portfolio.valuations,
        )
    found: dict[str, Figure] = {}
    for group in sorted(GROUPS, key=lambda group: len(group.needs)):
        with steps.timed(", ".join(contract.name for contract in group.contracts)):
            needs = {need: found[need] for need in group.needs}
            found |= {figure.name: figure for figure in group.compute(book, needs)}
    with steps.timed("the night's columns"):
        tonight = replace(book)  # which shares nothing with what was computed above
        needed = {figure.name: figure for figure in figures(tonight, NEEDS)}
        customer_figures(tonight, needed)
    for figure in found.values():
        print(f"{figure.name}: {figure.absent or f'{figure.rows.num_rows:,} rows'}", flush=True)


def stand_in(features: pa.Table, as_of: date) -> pa.Table:
    """Customer rows whose scores are what the customer-base models expect."""
    count = features.num_rows
    p_churn = features["p_no_purchase"].to_numpy().astype(np.float64)
    value = features["expected_spend"].to_numpy().astype(np.float64)
    is_active = features["recency_days"].to_numpy() < 120
    at_risk = p_churn * value / np.maximum(1 - p_churn, 0.01)
    band = np.select([p_churn > 0.7, p_churn > 0.4], ["high", "medium"], "low")
    told = {
        "customer_id": features["customer_id"],
        "as_of": pa.repeat(pa.scalar(as_of), count),
        "p_churn": pa.array(p_churn, mask=~is_active),
        "p_return": pa.array(1 - p_churn, mask=is_active),
        "churn_band": pa.array(band, mask=~is_active),
        "ltv": value,
        "ltv_low": value / 2,
        "ltv_high": value * 2,
        "value_if_buys": value / np.maximum(1 - p_churn, 0.01),
        "value_at_risk": pa.array(at_risk, mask=~is_active),
        "expected_orders": features["expected_purchase_days"].to_numpy().astype(np.float64),
    }
    columns = {
        field.name: told.get(field.name, pa.nulls(count, field.type))
        for field in CUSTOMER_ROWS.arrow
    }
    return pa.table(columns)


def earlier(scores: pa.Table, portfolio: Opened) -> pa.Table:
    """The same scores as those of the date that the portfolio is compared with."""
    before = portfolio.as_of_day - portfolio.settings.portfolio.compare_days
    day = pa.repeat(pa.scalar(before, pa.int32()).cast(pa.date32()), scores.num_rows)
    return scores.set_column(scores.schema.get_field_index("as_of"), "as_of", day)


def main() -> None:
    """Compute everything, and write what each step took."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("as_of", type=date.fromisoformat)
    parser.add_argument("steps", type=Path, help="where to write what each step took")
    given = parser.parse_args()
    steps = Steps()
    run(load_settings(given.config), given.as_of, steps)
    steps.write(given.steps)


if __name__ == "__main__":
    main()
