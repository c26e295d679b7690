"""Who is champion, since when and why: aliases of a registered model, and the record of each move.

A move is announced before any alias is touched, as a tag of the registered model that says what is
to be. Two who see each other's announcement both step back, so that never two move at once. The
alias `champion` is set last: a process that dies before leaves the old champion in force, and the
next one takes its announcement back. What was carried out stays as the record.
"""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from portfolio_ml.errors import TryAgainLaterError
from portfolio_ml.writers import Writer, at_work

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

Action = Literal["promoted", "rolled back"]

_TAG = "move."
_ATTEMPTS = 6
_LONGEST_REASON = 2_000


class ChampionChangedError(TryAgainLaterError):
    """The champion is another than the one that a decision was about."""


@dataclass(frozen=True, slots=True)
class Move:
    """A version that becomes champion.

    Attributes:
        target: What it predicts.
        action: `promoted`, or `rolled back` to it.
        version: The version that becomes champion.
        before: The champion until then; None without one.
        previous: What a rollback from the new champion leads to; None for nothing.
        previous_before: The same, until then.
        at: When, UTC. It tells the order of the moves, so where a clock went back meanwhile it is
            just after that of the move before.
        by: Who.
        reason: Why.
        run_id: The run on whose behalf it is done.
        writer: The process that does it.
        is_done: Whether it was carried out.
    """

    target: str
    action: Action
    version: str
    before: str | None
    previous: str | None
    previous_before: str | None
    at: datetime
    by: str
    reason: str
    run_id: str
    writer: str
    is_done: bool = False

    @property
    def tag(self) -> str:
        """The name of the tag that holds it; names ascend with time."""
        return f"{_TAG}{self.at:%Y%m%dT%H%M%S.%f}.{self.run_id}.{self.version}"

    def is_left(self, now: datetime | None) -> bool:
        """Whether the process that began it has ended before it was done; see `Writer`."""
        writer = Writer.read(self.writer)
        return writer is None or writer.has_left(self.tag, begun=self.at, now=now)

    def to_dict(self) -> dict[str, Any]:
        """The move as plain JSON values."""
        return asdict(self) | {"at": self.at.isoformat()}


class Aliases:
    """The aliases of one registered model, and the moves that brought them about."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - MLflow's, without types
        self._client = client
        self._name = name

    def now(self) -> dict[str, str]:
        """The version of each alias, by alias."""
        found = self._client.search_registered_models(f"name = '{self._name}'")
        return {a: str(v) for a, v in found[0].aliases.items()} if found else {}

    def moves(self) -> tuple[Move, ...]:
        """The moves that were carried out, oldest first."""
        return tuple(move for move in self._announced() if move.is_done)

    def before(self, version: str) -> str | None:
        """The champion that a version took over from when it was promoted last."""
        promoted = [m for m in self.moves() if m.version == version and m.action == "promoted"]
        return promoted[-1].before if promoted else None

    def in_order(self, move: Move) -> Move:
        """The move, later than all that are told, whatever the clock did meanwhile."""
        last = max((each.at for each in self._announced()), default=None)
        if last is None or move.at > last:
            return move
        return replace(move, at=last + timedelta(microseconds=1))

    def carry_out(self, move: Move) -> None:
        """Make a move, alone: nobody else's is begun until it is done.

        Raises:
            TryAgainLaterError: Others are at it, or the champion is not `move.before` any more.
        """
        with at_work(move.tag):
            self._alone(move)
            champion = self.now().get(CHAMPION)
            if champion != move.before:
                self._take_back(move)
                raise changed(self._name, move.before, champion)
            self._set(PREVIOUS, move.previous)
            self._set(CHAMPION, move.version)
            self._finish(move)

    def recover(self, now: datetime | None = None) -> int:
        """Finish or take back the moves of processes that died; gives how many there were.

        While another is at it, they are left to it.

        Args:
            now: The time; without it, what was begun on other machines is left alone.
        """
        begun = [move for move in self._announced() if not move.is_done]
        left = [move for move in begun if move.is_left(now)]
        if len(left) < len(begun):
            return 0
        self._recover(left)
        return len(left)

    def _alone(self, move: Move) -> None:
        """Announce a move, and come back when no other is announced."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - so that they do not meet again
            self._tell(move)
            others = [m for m in self._announced() if not m.is_done and m.tag != move.tag]
            left = [m for m in others if m.is_left(move.at)]
            if len(left) == len(others):
                self._recover(left)
                return
            self._take_back(move)
        raise TryAgainLaterError(
            "another process is changing the champion", where=self._name, do="run again later"
        )

    def _recover(self, left: Iterable[Move]) -> None:
        for move in left:
            aliases = self.now()
            if aliases.get(CHAMPION) == move.version:
                self._finish(move)
                continue
            if aliases.get(PREVIOUS) != move.previous_before:
                self._set(PREVIOUS, move.previous_before)
            self._take_back(move)

    def challenge(self, version: str) -> None:
        """Mark a version as the challenger that was refused."""
        self._set(CHALLENGER, version)

    def _finish(self, move: Move) -> None:
        if self.now().get(CHALLENGER) == move.version:
            self._set(CHALLENGER, None)
        done = replace(move, is_done=True)
        told = {"promoted": "promoted", "rolled back": "rolled_back_to"}[move.action]
        self._client.set_model_version_tag(self._name, move.version, told, _as_json(done))
        self._tell(done)

    def _tell(self, move: Move) -> None:
        self._client.set_registered_model_tag(self._name, move.tag, _as_json(move))

    def _take_back(self, move: Move) -> None:
        self._client.delete_registered_model_tag(self._name, move.tag)

    def _set(self, alias: str, version: str | None) -> None:
        if version is None:
            self._client.delete_registered_model_alias(self._name, alias)
        else:
            self._client.set_registered_model_alias(self._name, alias, version)

    def _announced(self) -> tuple[Move, ...]:
        """Every move that is told, oldest first."""
        found = self._client.search_registered_models(f"name = '{self._name}'")
        return tuple(sorted(_read(found[0].tags), key=lambda m: m.tag)) if found else ()


def changed(name: str, before: str | None, champion: str | None) -> ChampionChangedError:
    """The error for a champion that another process has changed meanwhile."""
    ours, theirs = ("none" if v is None else f"version {v}" for v in (before, champion))
    return ChampionChangedError(
        "another process has changed the champion meanwhile",
        where=name,
        saw=f"{theirs} instead of {ours}",
        do="run again",
    )


def move_of(
    target: str,
    action: Action,
    version: str,
    *,
    aliases: Mapping[str, str],
    previous: str | None,
    reason: str,
    run: Any,  # noqa: ANN401 - MLflow's, without types
    by: str,
) -> Move:
    """The move of a version to champion, on behalf of a run and as of its latest time."""
    milliseconds = run.info.end_time or run.info.start_time
    return Move(
        target=target,
        action=action,
        version=version,
        before=aliases.get(CHAMPION),
        previous=previous,
        previous_before=aliases.get(PREVIOUS),
        at=datetime.fromtimestamp(milliseconds / 1000, tz=UTC),
        by=by,
        reason=reason[:_LONGEST_REASON],
        run_id=run.info.run_id,
        writer=str(Writer.this()),
    )


def _read(tags: dict[str, str]) -> Iterator[Move]:
    for name, text in tags.items():
        if name.startswith(_TAG):
            values = json.loads(text)
            yield Move(**values | {"at": datetime.fromisoformat(values["at"])})


def _as_json(move: Move) -> str:
    return json.dumps(move.to_dict(), sort_keys=True)
