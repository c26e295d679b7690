"""What was planted in the simulated wholesaler is found, and nothing where nothing was planted.

Here in one world of each kind; `make test-portfolio` asks the same, and what one world is too
small to answer, of many.
"""

import pytest
from tests import planted_checks as checks
from tests.planted import seen

from portfolio_ml.datasets.b2b import World

pytestmark = [pytest.mark.oracle, pytest.mark.xdist_group("planted")]

FOUND = (
    checks.best_representatives_are_found,
    checks.recommended_matches_are_better,
    checks.those_worth_winning_back_come_first,
    checks.low_satisfaction_is_named,
    checks.planted_pairs_are_claimed,
    checks.next_categories_beat_popularity,
    checks.underserved_customers_have_potential,
    checks.reorders_that_are_due_are_listed,
    checks.advocates_are_found,
    checks.those_who_cost_more_are_found,
    checks.prospects_fit_as_they_are_likely_to_buy,
    checks.goals_count_the_customers_that_there_are,
)
NOT_CLAIMED = (
    checks.no_match_is_recommended,
    checks.no_pair_is_claimed,
    checks.popularity_recommends,
    checks.no_reason_is_named,
    checks.no_sign_tells_but_being_late,
    checks.no_prospect_fits,
)


@pytest.mark.parametrize("check", FOUND, ids=lambda check: check.__name__)
def test_what_is_planted_is_found(check):
    check([seen(World())])


@pytest.mark.parametrize("check", NOT_CLAIMED, ids=lambda check: check.__name__)
def test_where_nothing_is_planted_nothing_is_claimed(check):
    check([seen(World().null())])
