"""What trainings that died left behind: runs that seem to run, versions that nobody completed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portfolio_ml.registry.promotions import Aliases
from portfolio_ml.wording import counted
from portfolio_ml.writers import Writer

STATE, COMPLETE, ABANDONED = "state", "complete", "abandoned"
WRITER = "writer"

_RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much was cleaned up.

    Attributes:
        runs: Runs that are marked as failed.
        versions: Versions that are marked as abandoned.
        moves: Changes of a champion that were finished or taken back.
    """

    runs: int
    versions: int
    moves: int

    def __bool__(self) -> bool:
        return bool(self.runs or self.versions or self.moves)

    def __str__(self) -> str:
        """What was cleaned up, in words.

        Example:
            >>> print(Tidied(runs=2, versions=0, moves=1))
            2 runs, 1 change of champion
        """
        told = {
            counted(self.runs, "run"): self.runs,
            counted(self.versions, "version"): self.versions,
            counted(self.moves, "change of champion", "changes of champion"): self.moves,
        }
        return ", ".join(words for words, count in told.items() if count)


def tidied(
    client: Any,  # noqa: ANN401 - MLflow's, without types
    asking: Any,  # noqa: ANN401 - MLflow's run, without types
    *,
    portfolio: str,
    names: Sequence[str],
) -> Tidied:
    """Mark what dead trainings of a portfolio left, and undo what they left half done.

    Args:
        client: MLflow's.
        asking: The run that cleans up; it tells the time, and where to look.
        portfolio: Whose runs are looked at.
        names: Its registered models.
    """
    now, experiment = _time(asking.info.start_time), asking.info.experiment_id
    runs = [run for run in _running(client, experiment, portfolio) if _is_left(run, now)]
    for run in runs:
        client.set_tag(run.info.run_id, STATE, ABANDONED)
        client.set_terminated(run.info.run_id, "FAILED")
        _fail_models(client, experiment, run.info.run_id)
    versions = [(name, v) for name in names for v in _incomplete(client, name, now)]
    for name, version in versions:
        client.set_model_version_tag(name, version, STATE, ABANDONED)
    moves = sum(Aliases(client, name).recover(now) for name in names)
    return Tidied(runs=len(runs), versions=len(versions), moves=moves)


def _running(client: Any, experiment: str, portfolio: str) -> list[Any]:  # noqa: ANN401 - MLflow's
    wanted = f"attributes.status = '{_RUNNING}' and tags.portfolio = '{portfolio}'"
    return list(client.search_runs([experiment], wanted))


def _is_left(run: Any, now: datetime) -> bool:  # noqa: ANN401 - MLflow's, without types
    writer = Writer.read(run.data.tags.get(WRITER, ""))
    begun = _time(run.info.start_time)
    return writer is None or writer.has_left(run.info.run_id, begun=begun, now=now)


def _fail_models(client: Any, experiment: str, run_id: str) -> None:  # noqa: ANN401 - MLflow's
    """Mark the logged models that a run did not finish, as far as the store knows of any."""
    wanted = f"source_run_id = '{run_id}'"
    for model in client.search_logged_models([experiment], filter_string=wanted):
        if model.status == "PENDING":
            client.finalize_logged_model(model.model_id, "FAILED")


def _incomplete(client: Any, name: str, now: datetime) -> Iterator[str]:  # noqa: ANN401 - MLflow's
    """The versions without a state or alias whose run is over."""
    for version in client.search_model_versions(f"name = '{name}'"):
        if STATE in version.tags or version.aliases or not version.run_id:
            continue
        run = client.get_run(version.run_id)
        if run.info.status != _RUNNING or _is_left(run, now):
            yield str(version.version)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
