"""Which versions are in use, and how that came."""

from collections.abc import Sequence

from portfolio_ml.champions import Succession
from portfolio_ml.display import SmallTable
from portfolio_ml.registry import CHALLENGER, CHAMPION, PREVIOUS, Move
from portfolio_ml.wording import TARGET_NAMES


def champions_table(successions: Sequence[Succession]) -> SmallTable:
    """The versions of every target that have an alias."""
    return SmallTable.of(
        "The versions in use",
        ["target", CHAMPION, PREVIOUS, CHALLENGER],
        [
            [
                TARGET_NAMES[each.target],
                *(each.aliases.get(alias, "-") for alias in (CHAMPION, PREVIOUS, CHALLENGER)),
            ]
            for each in successions
        ],
    )


def moves_table(moves: Sequence[Move]) -> SmallTable:
    """Promotions and rollbacks: when, what, by whom and why."""
    return SmallTable.of(
        "How the champions changed",
        ["when (UTC)", "target", "version", "instead of", "what", "by", "why"],
        [
            [
                f"{move.at:%Y-%m-%d %H:%M}",
                TARGET_NAMES[move.target],
                move.version,
                move.before or "-",
                move.action,
                move.by,
                move.reason,
            ]
            for move in moves
        ],
    )
