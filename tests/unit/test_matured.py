"""Delivered scores beside what happened."""

import pyarrow as pa
import pytest

from portfolio_ml import matured

pytestmark = pytest.mark.unit

NOBODY = pa.array([], pa.string())


def test_scores_come_by_customer_whatever_order_a_join_gives():
    """The draws of a bootstrap follow the order, and are to be the same in every run."""
    ids = [f"c{number:05}" for number in range(5_000)]
    scores = pa.table({"customer_id": ids[::-1], "p_churn": [0.5] * len(ids)})
    happened = pa.table({"customer_id": ids[::3], "future_purchase_days": [1] * len(ids[::3])})
    beside = matured._beside(scores, happened, matured._Contacted(NOBODY, NOBODY))
    assert beside["customer_id"].to_pylist() == ids
    assert beside["future_purchase_days"].to_pylist()[:4] == [1, 0, 0, 1]
