"""Registered models and their aliases in one MLflow store, beside the runs that made them."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from portfolio_ml.errors import (
    ConfigError,
    DataError,
    NothingToDoError,
)
from portfolio_ml.models.files import DESCRIPTION, ModelFiles, digests
from portfolio_ml.models.serving import outputs
from portfolio_ml.registry.fetching import FILES, fetched
from portfolio_ml.registry.figures import Figure
from portfolio_ml.registry.promotions import (
    CHAMPION,
    PREVIOUS,
    Action,
    Aliases,
    Move,
    changed,
    move_of,
)
from portfolio_ml.registry.recovery import COMPLETE, STATE, Tidied, tidied
from portfolio_ml.registry.runs import Runs, user
from portfolio_ml.untrusted import file_bytes

TARGETS = ("churn", "lifetime_value", "segments")
ANY = "any"

_DIGEST_TAG = "sha256."
_MAX_TEXT_BYTES = 100_000
_HIGHEST_TAG = "highest_segment_id"


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a registered model: its data files, checked against their digests."""

    target: str
    version: str
    files: ModelFiles


class Store(Runs):
    """One portfolio's experiment and registered models in an MLflow store."""

    def register(
        self, target: str, run_id: str, files: ModelFiles, *, figures: Sequence[Figure] = ()
    ) -> str:
        """Log the files as a model of the run and register them; gives the version.

        It is marked as complete when its files, read back, are those that were given.

        Args:
            target: One of `TARGETS`.
            run_id: The run that made them.
            files: The model as data.
            figures: Metrics of the run that are the model's. MLflow would copy those that the run
                has by then, asking for each of them on its own.

        Raises:
            DataError: They are not.
        """
        names = json.loads(files[DESCRIPTION])["names"]
        example = pd.DataFrame({name: np.arange(1, 4, dtype=np.float32) for name in names})
        answer = pd.DataFrame(outputs(files, example))
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder, FILES)
            data.mkdir()
            for name, content in files.items():
                (data / name).write_bytes(content)
            model_id = self._log_model(target, run_id, data, example, answer)
        self._log_figures(run_id, figures, model_id=model_id)
        created = self._client.create_model_version(
            self._name(target),
            source=f"models:/{model_id}",
            run_id=run_id,
            model_id=model_id,
            tags={_DIGEST_TAG + name: digest for name, digest in digests(files).items()},
        )
        number = str(created.version)
        self.version(target, number)
        self._client.set_model_version_tag(self._name(target), number, STATE, COMPLETE)
        return number

    def promote(
        self,
        target: str,
        version_number: str,
        *,
        reason: str = "",
        run_id: str | None = None,
        instead_of: str | None = ANY,
    ) -> Move:
        """Make a version the champion; the champion before becomes `previous`.

        Args:
            target: What it predicts.
            version_number: The version.
            reason: Why, for the record.
            run_id: The run that decided it; without one, a small run of its own is made.
            instead_of: The champion that it was compared with, None for none; any by default.

        Raises:
            ConfigError: There is no such version, or a training left it half registered.
            NothingToDoError: It is the champion already.
            DataError: Its files are not the registered ones.
            ChampionChangedError: The champion is another than `instead_of`.
        """
        self._demand(target, version_number)
        aliases = self._recovered(target)
        champion = aliases.get(CHAMPION)
        if champion == version_number:
            raise NothingToDoError(
                f"version {version_number} is the champion already", where=self._name(target)
            )
        if instead_of is not ANY and champion != instead_of:
            raise changed(self._name(target), instead_of, champion)
        return self._moved(
            target,
            "promoted",
            version_number,
            aliases=aliases,
            previous=champion,
            reason=reason,
            run_id=run_id,
        )

    def rollback(self, target: str, *, reason: str) -> Move:
        """Make the champion before the champion again.

        `previous` is then the champion before that one, where there was one.

        Raises:
            ConfigError: There is no previous champion.
            DataError: Its files are not the registered ones.
        """
        aliases = self._recovered(target)
        number = aliases.get(PREVIOUS)
        if CHAMPION not in aliases or number is None or number == aliases[CHAMPION]:
            raise ConfigError(
                "there is nothing to roll back to",
                where=self._name(target),
                saw=f"champion: {aliases.get(CHAMPION, 'none')}, previous: {number or 'none'}",
                do="promote a version by its number",
            )
        self._demand(target, number)
        earlier = self._aliases_of(target).before(number)
        return self._moved(
            target, "rolled back", number, aliases=aliases, previous=earlier, reason=reason
        )

    def challenge(self, target: str, version_number: str) -> None:
        """Mark a version as the challenger that was refused."""
        self._aliases_of(target).challenge(version_number)

    def aliases(self, target: str) -> dict[str, str]:
        """The versions of a target that have an alias, by alias."""
        return self._aliases_of(target).now()

    def moves(self, target: str) -> tuple[Move, ...]:
        """Every promotion and rollback of a target, oldest first."""
        return self._aliases_of(target).moves()

    def highest_segment_id(self) -> int:
        """The highest id that any segment ever had, whatever became of its model; 0 before any."""
        found = self._client.search_registered_models(f"name = '{self._name('segments')}'")
        return int(found[0].tags.get(_HIGHEST_TAG, 0)) if found else 0

    def keep_highest_segment_id(self, highest: int) -> None:
        """Remember that ids up to this one have been given."""
        if highest > self.highest_segment_id():
            self._client.set_registered_model_tag(
                self._name("segments"), _HIGHEST_TAG, str(highest)
            )

    def champion(self, target: str) -> Registered | None:
        """The champion's files, each with the digest that was recorded; None without one.

        Raises:
            DataError: A file is not the one that was registered.
        """
        number = self.aliases(target).get(CHAMPION)
        return None if number is None else self.version(target, number)

    def version(self, target: str, number: str) -> Registered:
        """A version's files, each with the digest that was recorded.

        Raises:
            DataError: A file is not the one that was registered.
        """
        found = self._client.get_model_version(self._name(target), number)
        expected = {
            name.removeprefix(_DIGEST_TAG): digest
            for name, digest in found.tags.items()
            if name.startswith(_DIGEST_TAG)
        }
        if not expected:
            raise DataError(
                "the version's digests are not on record",
                where=f"{self._name(target)} version {number}",
                do="take its aliases off this version and retrain",
            )
        location = self._client.get_model_version_download_uri(self._name(target), number)
        model = f"models:/{self._name(target)}/{number}"
        return Registered(target, number, self._downloaded(model, expected, location))

    def _demand(self, target: str, number: str) -> None:
        """Refuse a version that is not there, not whole, or not the one that was registered."""
        there = self._client.search_model_versions(f"name = '{self._name(target)}'")
        found = next((v for v in there if str(v.version) == number), None)
        if found is None:
            numbers = sorted(int(v.version) for v in there)
            raise ConfigError(
                f"there is no version {number}",
                where=self._name(target),
                saw=f"versions {', '.join(map(str, numbers))}" if numbers else "no version",
            )
        if found.tags.get(STATE) != COMPLETE:
            raise ConfigError(
                f"version {number} was left half registered by a training that ended early",
                where=self._name(target),
                do="choose another version, or train again",
            )
        self.version(target, number)

    def _moved(
        self,
        target: str,
        action: Action,
        number: str,
        *,
        aliases: Mapping[str, str],
        previous: str | None,
        reason: str,
        run_id: str | None = None,
    ) -> Move:
        name = "promote" if action == "promoted" else "roll back"
        given = nullcontext(run_id) if run_id else self.run(f"{name} {target} {number}")
        with given as run:
            moves = self._aliases_of(target)
            move = moves.in_order(
                move_of(
                    target,
                    action,
                    number,
                    aliases=aliases,
                    previous=previous,
                    reason=reason,
                    run=self._client.get_run(run),
                    by=user(),
                )
            )
            moves.carry_out(move)
            if run_id is None:
                self.log(run, params={"target": target, "version": number, "reason": reason})
        return move

    def _recovered(self, target: str) -> dict[str, str]:
        """The aliases, when what a dead process left half done has been finished or undone."""
        aliases = self._aliases_of(target)
        aliases.recover()
        return aliases.now()

    def text_beside(self, target: str, version_number: str, path: str) -> str | None:
        """A text that the version's run keeps under an artifact path; None where it has none."""
        run_id = self._client.get_model_version(self._name(target), version_number).run_id
        there = {each.path: each.file_size for each in self._client.list_artifacts(run_id)}
        if not 0 < (there.get(path) or 0) <= _MAX_TEXT_BYTES:
            return None
        with tempfile.TemporaryDirectory() as folder:
            local = Path(self._client.download_artifacts(run_id, path, folder))
            return file_bytes(local, most=_MAX_TEXT_BYTES).decode(errors="replace")

    def registered_at(self, target: str, version_number: str) -> datetime:
        """When a version was registered, in UTC."""
        found = self._client.get_model_version(self._name(target), version_number)
        return datetime.fromtimestamp(found.creation_timestamp // 1000, tz=UTC)

    def _downloaded(self, model: str, expected: Mapping[str, str], location: str) -> ModelFiles:
        there = self._mlflow.artifacts
        return fetched(there, model, expected, location=location, uri=self._uri)

    def _log_model(
        self, target: str, run_id: str, data: Path, example: pd.DataFrame, answer: pd.DataFrame
    ) -> str:
        with self._mlflow.start_run(run_id=run_id, nested=True):
            info = self._mlflow.pyfunc.log_model(
                name=target,
                python_model=str(Path(__file__).with_name("served_model.py")),
                artifacts={FILES: str(data)},
                signature=self._mlflow.models.infer_signature(example, answer),
                input_example=example,
                pip_requirements=[f"portfolio-ml=={version('portfolio-ml')}"],
            )
        self._client.update_run(run_id, status="RUNNING")  # the block has ended it too early
        return str(info.model_id)

    def _aliases_of(self, target: str) -> Aliases:
        return Aliases(self._client, self._name(target))

    def prepare(self) -> None:
        """Make sure that the registered models exist."""
        for target in TARGETS:
            name = self._name(target)
            if not self._client.search_registered_models(f"name = '{name}'"):
                with self._unless_there():
                    self._client.create_registered_model(name)

    @contextmanager
    def _unless_there(self) -> Iterator[None]:
        """What another process has made meanwhile need not be made."""
        try:
            yield
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def tidy(self, run_id: str) -> Tidied:
        """Clean up after trainings that died; `run_id` is the run that asks."""
        return tidied(
            self._client,
            self._client.get_run(run_id),
            portfolio=self._portfolio,
            names=[self._name(target) for target in TARGETS],
        )

    def _name(self, target: str) -> str:
        return f"{self._portfolio}-{target.replace('_', '-')}"
