"""Representatives compared in each section: who is better than whom, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.portfolio.representatives.representatives import MOST_CHANCE, differ_by_chance
from portfolio_ml.portfolio.representatives.shrinkage import chance_better, rates
from portfolio_ml.portfolio.representatives.track_records import TrackRecords

LEAST_CHANCE = 0.8
"""A match is recommended where the candidate is truly better with at least this probability."""


@dataclass(frozen=True)
class Comparison:
    """What is expected of each representative in each section.

    The last row of the arrays of shape (representatives + 1, sections) is an average
    representative's: whom customers without one are compared with.

    Attributes:
        expected: Win rate or retention to be expected, luck set aside.
        sd: How uncertain that is: standard deviation; 0 for the average one.
        cases: Decided deals, or customers active then, that it rests on.
        is_candidate: Who may be given customers, shape (representatives,).
        is_thin: Which rest on fewer cases than are needed.
        chance: How likely representatives would differ so much if they were all alike.
    """

    expected: NDArray[np.float64]
    sd: NDArray[np.float64]
    cases: NDArray[np.int64]
    is_candidate: NDArray[np.bool_]
    is_thin: NDArray[np.bool_]
    chance: float

    @property
    def is_evident(self) -> bool:
        """Whether representatives differ by more than chance, anywhere."""
        return self.chance <= MOST_CHANCE

    def against(
        self, present: NDArray[np.int64], section: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """By how much each representative is better than the present one, per cell.

        Args:
            present: The place of the present representative; -1 for the average one.
            section: The place of the section, of the same shape (cells,).

        Returns:
            The difference, its standard deviation and the probability that it is above 0, each of
            shape (cells, representatives); 0, 0 and 0.5 for the present one itself.
        """
        others = slice(None, -1)
        gain = self.expected[others].T[section] - self.expected[present, section][:, None]
        sd = np.hypot(self.sd[others].T[section], self.sd[present, section][:, None])
        own = np.arange(gain.shape[1]) == present[:, None]
        gain[own], sd[own] = 0.0, 0.0
        return gain, sd, chance_better(gain, sd)

    def may_move(self, present: NDArray[np.int64], section: NDArray[np.int64]) -> NDArray[np.bool_]:
        """To whom a match may be recommended, shape (cells, representatives).

        Only where representatives differ by more than chance at all (so that in a portfolio in
        which they do not, anything is recommended in at most 5 % of cases, however many of them
        and of sections there are), and to one who is better with a probability of 0.8 and rests
        on cases enough.
        """
        gain, _, p_better = self.against(present, section)
        is_fit = self.is_candidate & ~self.is_thin[:-1].T[section]
        return is_fit & (gain > 0) & (p_better >= LEAST_CHANCE) & self.is_evident

    def best(self, section: NDArray[np.int64]) -> NDArray[np.int64]:
        """The representative of whom most is expected, among those with cases enough, if any.

        One with too few cases is the best only where nobody has enough; of equals the one whose
        name comes first. -1 where there is no candidate.
        """
        if not self.is_candidate.any():
            return np.full(section.size, -1)
        score = np.where(self.is_thin[:-1], self.expected[:-1] - 2, self.expected[:-1])
        score[~self.is_candidate] = -np.inf
        return np.asarray(score.argmax(axis=0)[section], np.int64)


def compared(records: TrackRecords, *, fewest: int) -> Comparison:
    """The representatives of some track records, compared.

    Args:
        records: What each achieved in each section.
        fewest: With fewer cases than this, a result is thin.
    """
    is_person = records.is_person
    trials = np.where(is_person[:, None], records.trials, 0)
    successes = np.where(is_person[:, None], records.successes, 0)
    average = np.zeros((1, records.sections.size), np.int64)
    cases, won = np.concatenate([trials, average]), np.concatenate([successes, average])
    peers = np.broadcast_to(np.arange(records.sections.size), cases.shape)
    found = rates(won.ravel(), cases.ravel(), peers=peers.ravel())
    sd = found.sd.reshape(cases.shape).copy()
    sd[-1] = 0.0
    return Comparison(
        expected=found.mean.reshape(cases.shape),
        sd=sd,
        cases=cases,
        is_candidate=records.in_office & is_person,
        is_thin=cases < fewest,
        chance=differ_by_chance(records),
    )
