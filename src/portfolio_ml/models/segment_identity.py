"""Segments that stay themselves when they are found anew.

The champion, applied to today's features, says where each customer was; the new model, where the
customer is. Old and new segments are paired by Hungarian assignment (Kuhn 1955) so that as many
customers as possible are in the same pair; a pair in which few meet again is no pair. A new
segment's id is one that no segment ever had.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from portfolio_ml.models.segments import SegmentModel

# Of the mean size of two segments, the customers whom they share where they are one (Dice 1945).
SAME_SEGMENT = 0.5


@dataclass(frozen=True, slots=True)
class Move:
    """Customers of one old segment, by its id, who are in one new segment."""

    before_id: int
    id: int
    customers: int


@dataclass(frozen=True, slots=True)
class Migration:
    """Where the customers of the champion's segments are under the new ones.

    Attributes:
        moves: Per old and new segment with customers in common, how many; by id.
        segments_before: How many segments the champion has.
    """

    moves: tuple[Move, ...]
    segments_before: int

    @property
    def staying_share(self) -> float:
        """The share of customers whose segment has the same id as before."""
        staying = sum(move.customers for move in self.moves if move.before_id == move.id)
        return staying / sum(move.customers for move in self.moves)

    def to_dict(self) -> dict[str, Any]:
        """The migration as plain JSON values."""
        return {
            "staying_share": self.staying_share,
            "moves": [
                {"before_id": m.before_id, "id": m.id, "customers": m.customers} for m in self.moves
            ],
        }


def applies(before: SegmentModel, names: tuple[str, ...]) -> bool:
    """Whether an older model can be applied to these features."""
    return {*before.inputs}.issubset(names)


def with_identities(
    model: SegmentModel, features: NDArray[np.float32], before: SegmentModel
) -> SegmentModel:
    """The model with the ids that pass on from the champion, and fresh ones for the others.

    Args:
        model: The new segments, whatever their ids.
        features: Today's, shape (customers, len(model.names)).
        before: The champion; where it looks at other features, no id passes on.
    """
    kept: dict[int, int] = {}
    if applies(before, model.names):
        shared = _shared(before, model, features)
        kept = {new: before.ids[old] for old, new in pairs(shared)}
    fresh = iter(range(before.highest_id + 1, before.highest_id + len(model.ids) + 1))
    ids = tuple(kept[k] if k in kept else next(fresh) for k in range(len(model.ids)))
    return replace(model, ids=ids, highest_id=max(before.highest_id, *ids))


def pairs(shared: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Which old segment continues as which new one: (old, new) places.

    Args:
        shared: Customers by old and new segment, shape (old, new).

    Example:
        >>> list(pairs(np.array([[80, 5, 0], [10, 60, 70]])))
        [(0, 0), (1, 2)]
    """
    sizes = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :]
    for old, new in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
        if shared[old, new] > 0 and 2 * shared[old, new] >= SAME_SEGMENT * sizes[old, new]:
            yield int(old), int(new)


def migration(
    before: SegmentModel, model: SegmentModel, features: NDArray[np.float32]
) -> Migration | None:
    """Who goes where; None where the older model looks at other features.

    Args:
        before: The champion.
        model: The new segments, with their identities.
        features: Today's, shape (customers, len(model.names)).
    """
    if not applies(before, model.names):
        return None
    shared = _shared(before, model, features)
    moves = (
        Move(before.ids[old], model.ids[new], int(shared[old, new]))
        for old, new in zip(*shared.nonzero(), strict=True)
    )
    in_order = tuple(sorted(moves, key=lambda move: (move.before_id, move.id)))
    return Migration(in_order, segments_before=len(before.ids))


def _shared(
    before: SegmentModel, model: SegmentModel, features: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Customers by old and new segment, shape (old, new)."""
    old = replace(before, names=model.names).predict(features)
    cells = old * len(model.ids) + model.predict(features)
    counts = np.bincount(cells, minlength=len(before.ids) * len(model.ids))
    return counts.reshape(len(before.ids), len(model.ids))
