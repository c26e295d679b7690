"""Who looks after whom, at most so many customers each: the assignment with the largest gain.

It is a transportation problem: its linear program has whole numbers as solutions. A customer's
gain is a rate of its cell (section and present representative) times its value at stake; so with
many customers those of one cell with about the same value are one source of the program, and
within the cell the most valuable customers go where the rate is the highest, which is the best for
given counts. With few customers each is a source of its own, and the answer is exact; with many it
comes within about one per cent of the largest gain (`tests/unit/test_portfolio_matching.py`).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from portfolio_ml.errors import PortfolioError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST_EXACT = 16_000
"""Up to so many pairs of a customer and a representative who may have it, each is its own source;
beyond, a cell's customers are parted by value so that there are about so many pairs."""
_FEWEST_BINS = 5


def assigned(stake: Floats, cell: Integers, rate: Floats, *, limit: Integers) -> Integers:
    """The representative of each customer, shape (customers,).

    Args:
        stake: What each customer's value at stake is, at least 0, shape (customers,).
        cell: The cell of each customer, shape (customers,).
        rate: The gain per unit at stake, shape (cells, representatives); -inf where the
            representative may not have the cell's customers.
        limit: How many customers each representative may have, shape (representatives,).

    Raises:
        PortfolioError: The limits cannot hold all customers.

    Example:
        >>> rate = np.array([[0.0, 0.2]])
        >>> assigned(np.array([10.0, 90.0, 50.0]), np.array([0, 0, 0]), rate,
        ...          limit=np.array([3, 1])).tolist()
        [0, 1, 0]
    """
    freely = rate.argmax(axis=1)[cell]
    is_held = bool(np.all(np.bincount(freely, minlength=limit.size) <= limit))
    if is_held and not np.isneginf(rate[cell, freely]).any():
        return np.asarray(freely, np.int64)
    source = _sources(stake, cell, rate)
    counts = _transported(stake, cell, rate, source=source, limit=limit)
    order = np.lexsort((-stake, cell))
    dealt_cell, dealt = np.nonzero(counts)
    ranked = np.lexsort((-rate[dealt_cell, dealt], dealt_cell))
    found = np.empty(stake.size, np.int64)
    found[order] = np.repeat(dealt[ranked], counts[dealt_cell, dealt][ranked])
    return found


def _sources(stake: Floats, cell: Integers, rate: Floats) -> Integers:
    """The number of each customer's source: its own, or that of its cell's like in value."""
    choices = (~np.isneginf(rate)).sum(axis=1)
    if int(choices[cell].sum()) <= LARGEST_EXACT:
        return np.arange(stake.size)
    cells = np.unique(cell)
    bins = max(LARGEST_EXACT // max(int(choices[cells].sum()), 1), _FEWEST_BINS)
    order = np.lexsort((stake, cell))
    ordered = stake[order] ** 0.25  # between bins of equal value and of equal count
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    sizes = np.diff(np.append(starts, cell.size))
    run = np.cumsum(ordered)
    before = np.repeat(run[starts] - ordered[starts], sizes)
    whole = np.repeat(np.add.reduceat(ordered, starts), sizes)
    share = np.divide(run - before, whole, out=np.zeros(run.size), where=whole > 0)
    place = np.minimum((share * bins).astype(np.int64), bins - 1)
    key = np.repeat(np.arange(starts.size), sizes) * bins + place
    source = np.empty(stake.size, np.int64)
    source[order] = np.unique(key, return_inverse=True)[1]
    return source


def _transported(
    stake: Floats, cell: Integers, rate: Floats, *, source: Integers, limit: Integers
) -> Integers:
    """How many customers of each cell each representative gets, shape (cells, representatives)."""
    size = np.bincount(source)
    mean = np.bincount(source, weights=stake) / size
    cell_of = np.zeros(size.size, np.int64)
    cell_of[source] = cell
    row, column = np.nonzero(~np.isneginf(rate[cell_of]))
    gain = rate[cell_of[row], column] * mean[row]
    scale = np.abs(gain).max(initial=0.0) or 1.0
    ones, place = np.ones(row.size), np.arange(row.size)
    solved = linprog(  # type: ignore[call-overload] # its types know no sparse arrays
        -gain / scale,
        A_eq=csr_array((ones, (row, place)), shape=(size.size, row.size)),
        b_eq=size,
        A_ub=csr_array((ones, (column, place)), shape=(limit.size, row.size)),
        b_ub=limit,
        method="highs-ipm",
    )
    if not solved.success:
        raise PortfolioError(
            "the customers cannot be shared out among the representatives",
            saw=str(solved.message),
            do="raise portfolio.representatives.workload",
        )
    counts = np.zeros(rate.shape, np.int64)
    np.add.at(counts, (cell_of[row], column), np.rint(solved.x).astype(np.int64))
    return counts
