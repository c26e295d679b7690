"""Planted worlds and null worlds by the dozen; `make test-portfolio`, before a release."""

from dataclasses import replace

import pytest
from tests import planted_checks as checks
from tests.oracle.test_b2b_truth import FOUND, NOT_CLAIMED
from tests.planted import seen

from portfolio_ml.datasets.b2b import World

pytestmark = [pytest.mark.campaign, pytest.mark.xdist_group("planted")]

PLANTED = [World(seed=seed) for seed in range(101, 111)]
NULL = [replace(World().null(), seed=seed) for seed in range(101, 121)]
IN_MANY = (
    checks.cooling_customers_show_signs,
    checks.proven_signs_tell_more_of_cooling,
    checks.uplifts_are_found,
)


@pytest.mark.parametrize("check", [*FOUND, *IN_MANY], ids=lambda check: check.__name__)
def test_what_is_planted_is_found(check):
    check([seen(world) for world in PLANTED])


@pytest.mark.parametrize("check", NOT_CLAIMED, ids=lambda check: check.__name__)
def test_where_nothing_is_planted_nothing_is_claimed(check):
    check([seen(world) for world in NULL])


def test_the_intervals_of_uplifts_cover_the_truth_with_a_response_and_without():
    checks.uplifts_cover_the_truth([seen(world) for world in PLANTED])
    checks.uplifts_cover_the_truth([seen(world) for world in NULL])
