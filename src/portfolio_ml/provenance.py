"""What a training's run says of where it comes from: data, dates, parameters, code, packages.

No customer's id and no row is among it.
"""

import json
from dataclasses import asdict
from importlib.metadata import version

from portfolio_ml import registry
from portfolio_ml.config import Settings, public_yaml
from portfolio_ml.features.sample import Sample
from portfolio_ml.features.table import definitions_hash
from portfolio_ml.opening import Opened
from portfolio_ml.timeline import to_date


def parameters(portfolio: Opened, sample: Sample) -> dict[str, object]:
    """The dates, horizons and parameters of a training, and how many rows and customers it saw.

    Args:
        portfolio: The history.
        sample: The customers whom the models learn from.
    """
    recipe, span = portfolio.recipe, portfolio.span
    learned = recipe.snapshot_days(span.first_day, span.last_day)
    return {
        "as_of": portfolio.as_of,
        "churn_horizon_days": recipe.horizons.churn_days,
        "value_horizon_days": recipe.horizons.value_days,
        "snapshots": " ".join(str(to_date(day)) for day in learned),
        "excluded_periods": " ".join(
            f"{to_date(period.first_day)}/{to_date(period.last_day)}" for period in recipe.excluded
        )
        or "none",
        "value_extended_days": recipe.extended_days,
        "value_measure": recipe.measure,
        "seed": recipe.seed,
        "churn_trees": asdict(recipe.churn_trees),
        "value_trees": asdict(recipe.value_trees),
        "customers": sample.of,
        "customers_learnt_from": sample.customers,
        "customer_weight": sample.weight,
        "rows_kept": portfolio.history.kept,
        "rows_quarantined": portfolio.history.quarantined,
    }


def tags(portfolio: Opened) -> dict[str, str]:
    """The digests of the data and the features, and the code's version and commit."""
    commit = registry.commit(portfolio.settings.base)
    return {
        "data_digest": portfolio.history.digest,
        "features_hash": definitions_hash(portfolio.inputs.catalogue, portfolio.recipe.horizons),
        "portfolio_ml_version": version("portfolio-ml"),
        **({} if commit is None else {"mlflow.source.git.commit": commit}),
    }


def dataset(portfolio: Opened) -> registry.Dataset:
    """The transactions as MLflow names a data set: a digest and counts, no rows."""
    history, name = portfolio.history, portfolio.settings.name
    return registry.Dataset(
        name=f"{name}-transactions",
        source=history.source or name,
        digest=history.digest,
        columns=sorted({"customer_id", "day", "amount", *history.columns}),
        counts={
            "rows_kept": history.kept,
            "rows_quarantined": history.quarantined,
            "days_with_rows": history.days.num_rows,
            "first_day": to_date(history.span.first_day).isoformat(),
            "last_day": portfolio.as_of.isoformat(),
        },
    )


def documents(settings: Settings) -> dict[str, bytes]:
    """What a run keeps of how it was made: the config without secrets, and the versions."""
    return {
        "config.yaml": public_yaml(settings).encode(),
        "environment.json": json.dumps(registry.packages(), indent=1).encode(),
    }
