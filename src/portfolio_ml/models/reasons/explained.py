"""Why customers are likely to leave: what pushes each one's churn score up, as reason codes.

The push is exact: the SHAP values of the trees (Lundberg et al., 2020, as LightGBM computes them),
which add up to the log-odds before calibration. Each feature's goes to the reason that it speaks
for where that is true of the customer, else to the first true one of those that stand in for it,
else it is left untold. Without trees, the rules of `codes.BY_RULE` tell the same codes.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.reasons.codes import BY_CODE, BY_RULE, place, spoken_for, told
from portfolio_ml.models.reasons.reason import Figures, Floats
from portfolio_ml.snapshots import matrix

CHUNK_ROWS = 20_000

# A reason that adds less to the log-odds, or less to the sum of all reasons, is not worth a word.
LEAST_PUSH = 0.05
LEAST_SHARE = 0.05

Slot = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pushes:
    """How much each reason adds to the log-odds of churn.

    Attributes:
        slots: Codes with their subjects, in the order that breaks ties.
        values: Shape (customers, slots); 0 where the reason is not true of the customer.
    """

    slots: tuple[Slot, ...]
    values: Floats

    def codes(self, most: int) -> pa.StringArray:
        """The strongest reasons, joined by a comma and a space; null where there is none.

        Args:
            most: How many are told, at most.
        """
        ups = np.maximum(self.values, 0)
        order = np.argsort(-ups, axis=1, kind="stable")[:, :most]
        push = np.take_along_axis(ups, order, axis=1)
        is_worth = push >= np.maximum(LEAST_PUSH, LEAST_SHARE * ups.sum(axis=1, keepdims=True))
        if not order.size:
            return pa.nulls(len(order), pa.string())
        names = pa.array([told(*slot) for slot in self.slots], pa.string())
        first, *others = (
            names.take(pa.array(slot, mask=~worth))
            for slot, worth in zip(order.T, is_worth.T, strict=True)
        )
        after = [pc.binary_join_element_wise(", ", each, "").fill_null("") for each in others]
        return pc.binary_join_element_wise(first, *after, "")


def churn_reasons(model: ChurnModel, rows: pa.Table, *, most: int) -> pa.Array:
    """The reason codes of each customer, strongest first, joined by a comma and a space.

    Args:
        model: The churn model.
        rows: The customers' features, the model's among them.
        most: How many are told, at most; 0 tells none.

    Returns:
        Text, shape (customers,); null where there is no reason to tell.
    """
    if most == 0 or rows.num_rows == 0:
        return pa.nulls(rows.num_rows, pa.string())
    chunks = (rows.slice(start, CHUNK_ROWS) for start in range(0, rows.num_rows, CHUNK_ROWS))
    return pa.concat_arrays([pushes(model, chunk).codes(most) for chunk in chunks])


def pushes(model: ChurnModel, rows: pa.Table) -> Pushes:
    """What each reason adds to the log-odds of churn, for the customers in `rows`."""
    by_source = _by_rule(rows.num_rows) if model.trees is None else _by_trees(model, rows)
    chains = {
        (code, subject): [(code, subject), *((c, subject) for c in BY_CODE[code].otherwise)]
        for code, subject in by_source
    }
    slots = tuple(sorted({slot for chain in chains.values() for slot in chain}, key=place))
    figures = Figures(rows)
    holds = {
        (code, subject): BY_CODE[code].holds(figures.about(subject)) for code, subject in slots
    }
    values = np.zeros((rows.num_rows, len(slots)))
    for source, push in by_source.items():
        is_free = np.ones(rows.num_rows, dtype=bool)
        for slot in chains[source]:
            values[:, slots.index(slot)] += np.where(is_free & holds[slot], push, 0.0)
            # What holds a customer is no argument against the reasons that stand in.
            is_free &= ~holds[slot] & (push > 0)
    return Pushes(slots, values)


def _by_trees(model: ChurnModel, rows: pa.Table) -> dict[Slot, Floats]:
    contributions = model.contributions(matrix(rows, model.names))
    found: dict[Slot, Floats] = {}
    for position, name in enumerate(model.learned_names):
        source = spoken_for(name, model.learned_names)
        # One column after the other: a sum over rows may differ with how many there are.
        found[source] = found.get(source, 0.0) + contributions[:, position]
    return found


def _by_rule(count: int) -> dict[Slot, Floats]:
    return {(code, ""): np.full(count, weight) for code, weight in BY_RULE.items()}
