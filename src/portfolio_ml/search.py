"""What to try next, from what was tried before: the only door to Optuna.

Only finished trials are stored, so a run that is stopped, however hard, leaves nothing behind. What
a trial tries follows from the seed and the finished trials before it alone: a search that goes on
tries what one without a break would have tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio_ml.databases.connections import Place, place
from portfolio_ml.databases.faults import told
from portfolio_ml.databases.read import table_names
from portfolio_ml.errors import ConfigError, ServiceUnavailableError

if TYPE_CHECKING:
    import optuna

Values = Mapping[str, float]

_DIGITS = 3
_TABLE = "studies"
_ANY_TOOL = "alembic_version"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One parameter to search.

    Attributes:
        low: The least value.
        high: The greatest.
        is_whole: Whether it is a whole number.
        is_log: Whether doubling it is as much of a step anywhere.
    """

    low: float
    high: float
    is_whole: bool = False
    is_log: bool = True


@dataclass(frozen=True, slots=True)
class Trial:
    """What was tried, and how well it did: the higher the score, the better."""

    values: Values
    score: float


class Search:
    """The finished trials of one question, and what to try next."""

    def __init__(
        self, stored: "optuna.Study", space: Mapping[str, Dimension], *, seed: int, where: str
    ) -> None:
        self._stored = stored
        self._space = space
        self._distributions = {name: _distribution(d) for name, d in space.items()}
        self._seed = seed
        self._where = where
        self._finished = _finished(stored)

    @property
    def trials(self) -> Sequence[Trial]:
        """The finished trials, those of earlier runs included, in the order of their end."""
        return [Trial(self._plain(t.params), float(t.value or 0)) for t in self._finished]

    def proposed(self) -> Values:
        """What to try next; numbers have so few digits that they can be written down."""
        import optuna  # noqa: PLC0415 - an extra

        rehearsal = optuna.create_study(  # in memory: a trial that is begun is not stored
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self._seed + len(self._finished)),
        )
        rehearsal.add_trials(self._finished)
        return self._plain(rehearsal.ask(self._distributions).params)

    def add(self, values: Values, score: float) -> None:
        """Store a finished trial.

        Raises:
            ServiceUnavailableError, TryAgainLaterError: The database cannot be written.
        """
        import optuna  # noqa: PLC0415 - an extra

        trial = optuna.trial.create_trial(
            params=dict(values), distributions=self._distributions, value=score
        )
        with _told(self._where):
            self._stored.add_trial(trial)
            self._finished = _finished(self._stored)

    def _plain(self, values: Values) -> Values:
        return {
            name: int(values[name]) if d.is_whole else _rounded(values[name], d)
            for name, d in self._space.items()
        }


def demand_optuna() -> None:
    """Refuse to go on without Optuna.

    Raises:
        ConfigError: It is not installed.
    """
    if find_spec("optuna") is None:
        raise ConfigError(
            "tuning needs Optuna, which is not installed",
            do="run pip install 'portfolio-ml[tune]'",
        )


@contextmanager
def opened(
    url: str,
    name: str,
    *,
    base: Path,
    space: Mapping[str, Dimension],
    seed: int,
) -> Iterator[Search]:
    """The search of that name in a database, begun or gone on with.

    Args:
        url: The database, of its own; one that is not there is made.
        name: What is searched for: the same name stands for the same question.
        base: The folder that a relative SQLite file is relative to.
        space: The parameters, by name.
        seed: What the proposals follow from, beside the trials.

    Raises:
        ConfigError: Optuna is not installed, or the database is another tool's.
        ServiceUnavailableError, TryAgainLaterError: The database cannot be used.
    """
    demand_optuna()
    import optuna  # noqa: PLC0415 - an extra, and it takes a while

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    to = place(url, base=base)
    _demand_own(to)
    with _told(to.name):
        storage = optuna.storages.RDBStorage(
            to.url.render_as_string(hide_password=False),
            engine_kwargs={"connect_args": dict(to.options)},
        )
    try:
        with _told(to.name):
            stored = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
            )
        yield Search(stored, space, seed=seed, where=to.name)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _demand_own(to: Place) -> None:
    """Refuse MLflow's database: Optuna would add its tables to it, and then fail."""
    if to.file is not None and not to.file.parent.is_dir():
        raise ServiceUnavailableError(
            "the folder of the database is not there", where=to.name, do="make it"
        )
    there = table_names(to)
    if _ANY_TOOL in there and _TABLE not in there:
        raise ConfigError(
            "the database for trials belongs to another tool",
            where=to.name,
            do="name a database of its own under tuning.url, such as sqlite:///tuning.db",
        )


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What a driver says, as errors of the tree, whether or not Optuna wrapped it."""
    import optuna  # noqa: PLC0415 - an extra

    with told(where):
        try:
            yield
        except optuna.exceptions.StorageInternalError as error:
            raise error.__cause__ or error from None


def _finished(stored: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    import optuna  # noqa: PLC0415 - an extra

    return stored.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])


def _distribution(d: Dimension) -> "optuna.distributions.BaseDistribution":
    import optuna  # noqa: PLC0415 - an extra

    if d.is_whole:
        return optuna.distributions.IntDistribution(int(d.low), int(d.high), log=d.is_log)
    return optuna.distributions.FloatDistribution(d.low, d.high, log=d.is_log)


def _rounded(value: float, d: Dimension) -> float:
    return min(d.high, max(d.low, float(f"{value:.{_DIGITS}g}")))
