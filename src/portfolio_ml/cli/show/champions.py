"""Which versions are in force, and how they moved."""

from collections.abc import Sequence
from typing import Any

from portfolio_ml.champions import Succession, all_moves
from portfolio_ml.cli.printing import (
    print_line,
    print_table,
)
from portfolio_ml.registry import Move
from portfolio_ml.results import (
    champions_table,
    moves_table,
)
from portfolio_ml.wording import TARGET_NAMES


def move(done: Move) -> dict[str, Any]:
    """A promotion or rollback as plain values."""
    return {
        "target": done.target,
        "action": done.action,
        "version": done.version,
        "before": done.before,
        "previous": done.previous,
        "at": done.at.isoformat(),
        "by": done.by,
        "reason": done.reason,
        "run_id": done.run_id,
    }


def succession(found: Sequence[Succession]) -> dict[str, Any]:
    """The versions in use and the record, per target, as plain values."""
    return {
        each.target: {"aliases": dict(each.aliases), "moves": [move(m) for m in each.moves]}
        for each in found
    }


def print_move(done: Move) -> None:
    """What was done, and what a rollback from there would lead to."""
    instead = f" instead of version {done.before}" if done.before else ""
    print_line(f"{TARGET_NAMES[done.target]}: version {done.version} is the champion{instead}")
    if done.previous:
        print_line(f"A rollback would lead to version {done.previous}")


def print_succession(found: Sequence[Succession]) -> None:
    """The versions in use, then how the champions changed."""
    print_table(champions_table(found))
    print_table(moves_table(all_moves(found)))
