"""A hundred whole commands killed at any moment; `make test-faults`, before a release.

`PORTFOLIO_ML_WALK_KILLS` sets another number for each of the two commands.
"""

import os

import pytest
from tests.walks import scorings_killed, shops, trainings_killed

pytestmark = pytest.mark.campaign

KILLS = int(os.environ.get("PORTFOLIO_ML_WALK_KILLS", "50"))


@pytest.fixture
def shop(tmp_path):
    with shops(tmp_path) as shop:
        yield shop


def test_a_training_killed_at_any_moment_is_finished_by_a_plain_run(shop, tell):
    seen = trainings_killed(shop, KILLS)
    tell("killed", "train", KILLS, seen)
    assert seen["finished"] == KILLS
    assert seen["old"] > seen["new"]


def test_a_scoring_killed_at_any_moment_is_finished_by_a_plain_run(shop, tell):
    seen = scorings_killed(shop, KILLS)
    tell("killed", "score", KILLS, seen)
    assert seen["finished"] == KILLS
    assert seen["old"] > seen["new"]
