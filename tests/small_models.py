"""Small models of every target, as a training registers them, and a registry that holds them."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.histories import FROZEN, REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml import registry
from portfolio_ml.config import Settings, settings_from
from portfolio_ml.frozen import FILE
from portfolio_ml.judgement import unjudged
from portfolio_ml.models.files import ModelFiles
from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.training import fit_candidates


def small_models() -> dict[str, ModelFiles]:
    """Per target a model as data, with the portfolio that it froze and how it was judged."""
    snapshots = simulated(120)
    candidates = fit_candidates(snapshots, RECIPE, tier_edges=REFERENCE.tier_edges)
    segments = fit_segments(snapshots.features, names=snapshots.names, count=4, seed=7)
    judged = {
        "churn": unjudged("churn"),
        "lifetime_value": unjudged("lifetime_value"),
        "segments": {"stability": 0.9, "separation": 0.4},
    }
    fitted = {
        "churn": candidates.churn["blend"].to_files(),
        "lifetime_value": candidates.lifetime_value["boosted"].to_files(),
        "segments": segments.to_files(),
    }
    return {
        target: files
        | {FILE: FROZEN.to_json(), "judgement.json": json.dumps(judged[target]).encode()}
        for target, files in fitted.items()
    }


def settings_of(folder: Path, name: str = "shop", **sections: object) -> Settings:
    """The settings of a portfolio whose registry lies in the folder."""
    data = {"transactions": {"source": "cdnow"}}
    return settings_from({"name": name, "data": data, **sections}, base=folder)


def registered(models: Mapping[str, ModelFiles], folder: Path) -> Settings:
    """A portfolio whose champions are these models, as version 1; creating it takes seconds."""
    settings = settings_of(folder)
    with registry.opened(settings) as store:
        store.prepare()
        with store.run("train") as run_id:
            for target, files in models.items():
                store.promote(target, store.register(target, run_id, files))
    return settings
