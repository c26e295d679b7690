"""Champion models x features -> predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.acting import value_if_buys
from portfolio_ml.errors import DataError
from portfolio_ml.frozen import FILE, Frozen
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.reasons.explained import churn_reasons
from portfolio_ml.models.seasonality import learned_names
from portfolio_ml.models.segments import SegmentModel
from portfolio_ml.monitoring.profile import FILE as PROFILE
from portfolio_ml.monitoring.profile import Profile
from portfolio_ml.snapshots import matrix

Floats = NDArray[np.float64]

CUSTOMER_BASE = "customer_base_model"
EXTENDED = "horizon_extended"
"""What `abstention` says, before the targets."""


EXPECTED_ORDERS = "expected_purchase_days"


@dataclass(frozen=True, slots=True)
class Champions:
    """The models in force and what they froze.

    Attributes:
        churn: The churn model.
        lifetime_value: The value model.
        segments: The segment model.
        frozen: Per target, the portfolio that its champion was trained on.
        versions: Per target, the registered version.
        profiles: Per target, what it keeps of its training to be compared with; targets whose
            champion was registered before there were profiles are left out.
        files: Per target, the data files that they were read from, for those who send them on.
    """

    churn: ChurnModel
    lifetime_value: LifetimeValueModel
    segments: SegmentModel
    frozen: Mapping[str, Frozen]
    versions: Mapping[str, str]
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the champions say of each customer; arrays have shape (customers,).

    Attributes:
        p_churn: P(no purchase within the churn horizon).
        churn_reasons: Why it is not lower: reason codes, strongest first, joined by a comma and a
            space; null where there is none to tell.
        ltv: Net spend expected within the value horizon, currency units.
        ltv_low: The interval's lower end.
        ltv_high: The interval's upper end.
        expected_orders: Purchase days expected within the value horizon.
        value_if_buys: Net spend expected within the churn horizon, given a purchase.
        segment_id: The segment's identity.
        segment_name: Its name.
        abstention: What the scores rest on where no trees stand behind them, or None.
    """

    p_churn: Floats
    churn_reasons: pa.Array
    ltv: Floats
    ltv_low: Floats
    ltv_high: Floats
    expected_orders: Floats
    value_if_buys: Floats
    segment_id: NDArray[np.int64]
    segment_name: NDArray[np.str_]
    abstention: str | None


def champions_from(
    files: Mapping[str, Mapping[str, bytes]], versions: Mapping[str, str]
) -> Champions:
    """The champions in their data files, by target.

    Raises:
        DataError: A file cannot be read, or a model expects features that were not computed.
    """
    champions = Champions(
        churn=ChurnModel.from_files(files["churn"]),
        lifetime_value=LifetimeValueModel.from_files(files["lifetime_value"]),
        segments=SegmentModel.from_files(files["segments"]),
        frozen={t: Frozen.from_json(content.get(FILE, b"")) for t, content in files.items()},
        versions=dict(versions),
        profiles={
            t: Profile.from_json(content[PROFILE])
            for t, content in files.items()
            if PROFILE in content
        },
        files={target: dict(content) for target, content in files.items()},
    )
    _demand_features(champions)
    return champions


def _demand_features(champions: Champions) -> None:
    expected = {
        "churn": {*learned_names(champions.churn.names)},
        "lifetime_value": {*learned_names(champions.lifetime_value.names), EXPECTED_ORDERS},
        "segments": {*champions.segments.names},
    }
    for target, names in expected.items():
        if lacking := sorted(names - {*champions.frozen[target].features}):
            raise DataError(
                f"the champion for {target} expects features that its portfolio lacks",
                saw=f"no {lacking[0]!r:.80}",
                do="retrain with portfolio-ml train",
            )


def predict(champions: Champions, rows: Mapping[str, pa.Table], *, reasons: int) -> Predictions:
    """The champions' predictions.

    Args:
        champions: The models in force.
        rows: Per target, the customers' features under its champion's frozen portfolio; the
            customers are the same, in the same order.
        reasons: How many churn reasons a customer gets, at most.

    Raises:
        DataError: A prediction is no finite number.
    """
    value, churn = champions.lifetime_value, champions.churn
    features = _features(champions, rows)
    value_features = features["lifetime_value"]
    boosted = churn.boosted(features["churn"])
    p_churn = churn.predict(features["churn"], boosted=boosted)
    (ltv, low, high), learned = value.forecast_and_learned(
        value_features, silence=boosted if _share_trees(champions, features) else None
    )
    segment_id, segment_name = champions.segments.assigned(features["segments"])
    ratio = churn.horizon_days / value.horizon_days
    orders = rows["lifetime_value"][EXPECTED_ORDERS].to_numpy().astype(float)
    _demand_finite(p_churn=p_churn, ltv=ltv, ltv_low=low, ltv_high=high)
    return Predictions(
        p_churn=p_churn,
        churn_reasons=churn_reasons(churn, rows["churn"], most=reasons),
        ltv=ltv,
        ltv_low=low,
        ltv_high=high,
        expected_orders=orders
        * value.stretch(value_features)
        * value.seasonal(value_features, value.predicted_days),
        value_if_buys=value_if_buys(learned, p_churn, horizons_ratio=ratio),
        segment_id=segment_id,
        segment_name=segment_name,
        abstention=_abstention(champions),
    )


def _features(champions: Champions, rows: Mapping[str, pa.Table]) -> dict[str, NDArray[np.float32]]:
    """Per target, what its champion expects; one array where several expect the same."""
    arrays: dict[tuple[int, tuple[str, ...]], NDArray[np.float32]] = {}
    found = {}
    for target, model in (
        ("churn", champions.churn),
        ("lifetime_value", champions.lifetime_value),
        ("segments", champions.segments),
    ):
        key = id(rows[target]), tuple(model.names)
        if key not in arrays:
            arrays[key] = matrix(rows[target], model.names)
        found[target] = arrays[key]
    return found


def _share_trees(champions: Champions, features: Mapping[str, NDArray[np.float32]]) -> bool:
    """Whether the first part of the value's trees is the churn model's, on the same features."""
    hurdle, trees = champions.lifetime_value.trees, champions.churn.trees
    if trees is None or hurdle is None or hurdle.silence is None:
        return False
    same = features["churn"] is features["lifetime_value"]
    return same and hurdle.silence.text == trees.text


def _demand_finite(**predicted: Floats) -> None:
    for name, values in predicted.items():
        if not np.isfinite(values).all():
            raise DataError(
                f"a champion predicts a {name} that is no finite number",
                saw=str(values[~np.isfinite(values)][0]),
                do="retrain with portfolio-ml train",
            )


def _abstention(champions: Champions) -> str | None:
    resting = [
        target
        for target, model in (
            ("churn", champions.churn),
            ("lifetime_value", champions.lifetime_value),
        )
        if model.trees is None
    ]
    codes = [f"{CUSTOMER_BASE}:{'+'.join(resting)}"] if resting else []
    if champions.lifetime_value.extension is not None:
        codes.append(f"{EXTENDED}:lifetime_value")
    return ", ".join(codes) or None
