"""What a segment's customers are like: how many, what they bring, and what is usual among them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.segments import SegmentModel

Floats = NDArray[np.float64]

SHOWN = (
    "recency_days",
    "tenure_days",
    "purchase_days",
    "ticket",
    "overdue_ratio",
    "spend_change_90d",
)


def profiles(
    model: SegmentModel,
    features: NDArray[np.float32],
    *,
    ltv: Floats,
    p_churn: Floats,
    weight: float = 1.0,
) -> list[dict[str, Any]]:
    """Per segment, plain JSON values: what the report and the run in MLflow show.

    Each has its id and name; its customers and their share; `spend`, `ltv` and their shares of
    the portfolio's, null where that is not above 0; the mean `p_churn`; and the medians of the
    features in `SHOWN`, null where no customer has a value. Without customers, means are null.

    Args:
        model: The segments.
        features: Of a portfolio's customers, shape (customers, len(model.names)).
        ltv: What each is expected to spend, shape (customers,).
        p_churn: P(no purchase within the churn horizon) of each, shape (customers,).
        weight: How many customers of the portfolio each stands for.
    """
    place = model.predict(features)
    spend = features[:, model.names.index("net_spend")].astype(np.float64)
    return [
        {
            "id": identity,
            "name": name,
            "customers": round(weight * int(among.sum())),
            "customer_share": _share(among.sum(), len(place)),
            "spend": weight * float(spend[among].sum()),
            "spend_share": _share(spend[among].sum(), spend.sum()),
            "ltv": weight * float(ltv[among].sum()),
            "ltv_share": _share(ltv[among].sum(), ltv.sum()),
            "p_churn": float(p_churn[among].mean()) if among.any() else None,
            "medians": _medians(model.names, features[among]),
        }
        for identity, name, among in (
            (identity, name, place == k)
            for k, (identity, name) in enumerate(zip(model.ids, model.labels, strict=True))
        )
    ]


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None


def _medians(names: Sequence[str], features: NDArray[np.float32]) -> dict[str, float | None]:
    columns = {name: features[:, names.index(name)] for name in SHOWN if name in names}
    known = {name: values[~np.isnan(values)] for name, values in columns.items()}
    return {n: float(np.median(values)) if len(values) else None for n, values in known.items()}
