"""The champions as they stand, on what followed their last label: what a newcomer must not lose to.

The backtest refits the champion's recipe along with all others, so it cannot see a training that
went wrong: labels that were mixed up, rows that were lost, dates that are stale. The champion's own
files can tell. They are asked at the cutoffs on or after the last day that the champion knew, where
the newcomer was refitted on what was known then, so that neither has seen the outcomes.
"""

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from portfolio_ml import registry
from portfolio_ml.config import Settings
from portfolio_ml.errors import DataError
from portfolio_ml.features.table import Horizons
from portfolio_ml.frozen import FILE, Frozen
from portfolio_ml.judgement import CHOSEN_BY, LEVEL, PRIMARY, Judgement, Supervised
from portfolio_ml.metrics import METRICS, Difference, paired_bootstraps
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.files import ModelFiles
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.seasonality import learned_names
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.timeline import to_date, to_day

Floats = NDArray[np.float64]
CHAMPION = "champion"


def gains_over_champions(
    settings: Settings,
    judgements: Mapping[Supervised, Judgement],
    evaluated: Snapshots | None,
    *,
    horizons: Horizons,
) -> dict[Supervised, dict[str, Difference]]:
    """Per target and metric, the winner's gain over the champion as it stands.

    Targets are left out that have no champion, or one that predicts something else, that this
    version cannot read, or that knew every cutoff's outcomes.

    Args:
        settings: Where the champions are, and how many draws the bootstrap takes.
        judgements: What the backtest saw.
        evaluated: The rows of all its cutoffs.
        horizons: How far ahead the backtest looked.
    """
    ahead = {"churn": horizons.churn_days, "lifetime_value": horizons.value_days}
    if evaluated is None or not registry.has_begun(settings.tracking.uri, base=settings.base):
        return {}
    with registry.opened(settings) as store:
        champions = {target: store.champion(target) for target in judgements}
    found: dict[Supervised, dict[str, Difference]] = {}
    for target, judged in judgements.items():
        champion = champions[target]
        if champion is None:
            continue
        found[target] = gain_over(
            champion.files,
            judged,
            evaluated,
            horizon_days=ahead[target],
            n=settings.backtest.bootstrap,
            seed=settings.training.seed,
        )
    return found


def gain_over(
    champion: ModelFiles,
    judged: Judgement,
    evaluated: Snapshots,
    *,
    horizon_days: int,
    n: int,
    seed: int,
) -> dict[str, Difference]:
    """The winner's gain over the champion's files at the cutoffs that the champion did not know.

    By the target's primary metric, and by what candidates are chosen by. Empty where there is no
    such cutoff, or the champion predicts something else.
    """
    try:
        model, known_until = _read(judged.target, champion)
    except DataError:
        return {}
    days = [to_day(d) for d in judged.cutoffs if d >= known_until]
    names = {*learned_names(model.names)}
    is_alike = model.horizon_days == horizon_days and names <= {*evaluated.names}
    if not days or not is_alike:
        return {}
    rows = evaluated.on(days)
    told = judged.predictions
    later = np.isin(told.cutoff, days)
    predicted = model.predict(rows.inputs(model.names))
    return {
        metric: paired_bootstraps(
            METRICS[metric],
            told.actual[later],
            candidate=told.candidates[judged.winner][later],
            baselines={CHAMPION: predicted},
            groups=told.customer[later],
            strata=told.cutoff[later],
            seed=seed,
            n=n,
            level=LEVEL,
        )[CHAMPION]
        for metric in dict.fromkeys((PRIMARY[judged.target], CHOSEN_BY[judged.target]))
    }


def _read(target: Supervised, champion: ModelFiles) -> tuple[ChurnModel | LifetimeValueModel, date]:
    """The champion's model, and the last day that it knew."""
    known_until = to_date(Frozen.from_json(champion.get(FILE, b"")).reference.day)
    if target == "churn":
        return ChurnModel.from_files(champion), known_until
    return LifetimeValueModel.from_files(champion), known_until
