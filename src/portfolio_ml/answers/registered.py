"""Which versions are in force, and how they moved."""

from dataclasses import dataclass

from portfolio_ml.answers.shown import Shown
from portfolio_ml.champions import Succession, all_moves
from portfolio_ml.display import SmallTable
from portfolio_ml.registry import Move
from portfolio_ml.results import (
    champions_table,
    moves_table,
)


@dataclass(frozen=True, slots=True, repr=False)
class MoveResult(Shown):
    """A promotion or rollback that was carried out."""

    move: Move

    def _tables(self) -> list[SmallTable]:
        return [moves_table([self.move])]


@dataclass(frozen=True, slots=True, repr=False)
class ChampionRecord(Shown):
    """The versions in use, per target, and every promotion and rollback."""

    successions: tuple[Succession, ...]

    def _tables(self) -> list[SmallTable]:
        return [champions_table(self.successions), moves_table(all_moves(self.successions))]
