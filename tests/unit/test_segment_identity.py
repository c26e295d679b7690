"""Segments that stay themselves: who continues, who is new, and who moved."""

from dataclasses import replace

import numpy as np
import pytest

from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.models.segment_identity import migration, pairs, with_identities
from portfolio_ml.models.segments import INPUTS, SegmentModel

pytestmark = pytest.mark.unit

KINDS = np.array(
    [[5, 300, 20, 200, 0.3], [200, 310, 2, 15, 6], [40, 90, 3, 20, 1], [8, 20, 2, 400, 0.5]]
)


def customers(*counts, seed=1):
    """So many customers of each kind, in order."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(KINDS[: len(counts)], counts, axis=0)
    return (rows * rng.lognormal(0, 0.05, rows.shape)).astype(np.float32)


def fitted(features, *, count, before=None) -> SegmentModel:
    return fit_segments(features, names=INPUTS, count=count, seed=7, before=before)


@pytest.fixture(scope="module")
def first():
    return fitted(customers(100, 200, 300), count=3)


def ids_of(model, features, *, at):
    return model.assigned(features)[0][at].tolist()


def test_the_first_ids_count_from_one(first):
    assert first.ids == (1, 2, 3)
    assert first.highest_id == 3


def test_a_refit_keeps_ids_and_names_of_the_same_customers(first):
    later = customers(150, 150, 250, seed=2)
    again = fitted(later, count=3, before=first)
    assert ids_of(again, later, at=[0, 200, 400]) == ids_of(first, later, at=[0, 200, 400])
    assert {*zip(again.ids, again.labels, strict=True)} == {
        *zip(first.ids, first.labels, strict=True)
    }
    assert migration(first, again, later).staying_share == 1


def test_a_new_kind_of_customer_has_an_id_never_used(first):
    later = customers(100, 200, 300, 200, seed=3)
    again = fitted(later, count=4, before=first)
    assert ids_of(again, later, at=[-1]) == [4]
    assert again.highest_id == 4


def test_an_id_that_vanished_never_comes_back(first):
    without = customers(0, 200, 300, seed=4)
    two = fitted(without, count=2, before=first)
    vanished = ids_of(first, customers(100, 200, 300), at=[0])
    assert {*two.ids} == {1, 2, 3} - {*vanished}
    again = fitted(customers(100, 200, 300), count=3, before=two)
    assert {*again.ids} == {*two.ids, 4}
    stored = SegmentModel.from_files(two.to_files())
    assert stored.highest_id == 3


def test_an_id_that_a_model_since_rolled_back_has_used_is_not_given_again(first):
    later = customers(100, 200, 300, 200, seed=3)
    again = fit_segments(later, names=INPUTS, count=4, seed=7, before=first, highest_id=9)
    assert {*again.ids} == {1, 2, 3, 10}
    assert again.highest_id == 10


def test_without_a_champion_ids_go_on_after_the_highest_ever():
    model = fit_segments(customers(100, 200), names=INPUTS, count=2, seed=7, highest_id=9)
    assert model.ids == (10, 11)
    assert model.highest_id == 11


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        ([[90, 10], [10, 90]], [(0, 0), (1, 1)]),
        ([[10, 90], [90, 10]], [(0, 1), (1, 0)]),
        ([[60, 40]], [(0, 0)]),  # one that parts: the larger half goes on
        ([[60], [40]], [(0, 0)]),  # two that become one
        ([[50], [60]], [(1, 0)]),
        ([[24, 26, 25, 25]], []),  # one that scatters goes on as none
        ([[0, 0], [0, 9]], [(1, 1)]),
    ],
)
def test_pairs_are_where_most_customers_meet_again(shared, expected):
    assert list(pairs(np.array(shared))) == expected


def test_the_migration_counts_every_customer_once(first):
    later = customers(100, 250, 50, 80, seed=5)
    again = fitted(later, count=4, before=first)
    moved = migration(first, again, later)
    assert sum(move.customers for move in moved.moves) == len(later)
    old, new = first.assigned(later)[0], again.assigned(later)[0]
    by_hand = {(b, i): int(((old == b) & (new == i)).sum()) for b in first.ids for i in again.ids}
    found = {(move.before_id, move.id): move.customers for move in moved.moves}
    assert found == {pair: count for pair, count in by_hand.items() if count}
    assert moved.staying_share == np.mean(old == new)
    assert moved.to_dict()["moves"][0].keys() == {"before_id", "id", "customers"}


def test_features_in_another_order_make_no_difference(first):
    later = customers(100, 200, 300, seed=6)
    before = replace(first, names=(*reversed(INPUTS), "one_more"))
    assert fitted(later, count=3, before=before).ids == fitted(later, count=3, before=first).ids


def test_a_champion_of_other_features_passes_no_id_on(first):
    other = replace(
        first, names=("gone", *first.names[1:]), inputs=("gone", *first.inputs[1:]), highest_id=9
    )
    later = customers(100, 200, 300, seed=6)
    again = fitted(later, count=3, before=other)
    assert again.ids == (10, 11, 12)
    assert migration(other, again, later) is None
    assert with_identities(again, later, other).highest_id == 12
