"""Words for people."""

import pytest

from portfolio_ml.models.churn import CANDIDATES as CHURN
from portfolio_ml.models.lifetime_value import CANDIDATES as VALUE
from portfolio_ml.wording import counted, model_name

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_000, "1,000 rows")]
)
def test_a_count_is_told_in_the_right_number(count, told):
    assert counted(count, "row") == told


@pytest.mark.parametrize(
    ("name", "target"),
    [*((name, "churn") for name in CHURN), *((name, "lifetime_value") for name in VALUE)],
)
def test_every_candidate_has_a_name_for_people(name, target):
    told = model_name(name, target)
    assert told != name
    assert "_" not in told
