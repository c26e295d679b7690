"""The final trees on every row of the training table, where the config asks for it.

What a sample tells as well stays on the sample: how many trees, the calibration, the intervals and
the backtest. The rows are laid out for the workers of a cluster, who fit the trees among them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from portfolio_ml import scratch
from portfolio_ml.errors import ConfigError
from portfolio_ml.learning import Learned, training_table
from portfolio_ml.models.cluster import connected, demand_dask
from portfolio_ml.models.grown import Grower
from portfolio_ml.opening import Opened, Say
from portfolio_ml.partitions import lay_out
from portfolio_ml.steps import told
from portfolio_ml.training import is_few
from portfolio_ml.wording import counted


def demand_workers(portfolio: Opened) -> None:
    """Refuse to begin a training that its workers could not end.

    Raises:
        ConfigError: Dask is not installed, the folder for the rows is not there, or the cluster
            has other packages.
        ServiceUnavailableError: No scheduler answers, or it has too few workers.
    """
    settings = portfolio.settings.training.distributed
    if settings is None:
        return
    demand_dask()
    _folder(portfolio)
    if settings.scheduler is not None:
        with connected(settings):
            pass


@contextmanager
def grower(portfolio: Opened, learned: Learned, *, say: Say) -> Iterator[Grower | None]:
    """What fits the final trees on every row, for the length of a `with` block.

    None where the config asks for none, or there is nothing for trees to learn.

    Raises:
        ConfigError, ServiceUnavailableError: As for `demand_workers`; or the rows are too few.
    """
    settings, sample = portfolio.settings.training.distributed, learned.snapshots
    if settings is None or sample is None or is_few(sample):
        yield None
        return
    table = training_table(portfolio)
    text = f"laying out every row for {counted(settings.workers, 'worker')}"
    with scratch.folder(_folder(portfolio)) as folder:
        partitions = lay_out(table, folder, workers=settings.workers, progress=told(say, text))
        with connected(settings) as cluster:
            found = Grower(
                cluster, partitions, table.inputs.catalogue.model_inputs, portfolio.recipe.seed
            )
            say(f"fitting the final trees on {found.rows:,} rows at {cluster.where}")
            yield found


def with_note(
    notes: Mapping[str, Sequence[str]], found: Grower | None, *, max_rows: int
) -> dict[str, Sequence[str]]:
    """Per target, what its model rests on, and that its trees rest on more."""
    if found is None:
        return {**notes}
    note = (
        f"its trees were fitted on all {found.rows:,} rows by "
        f"{counted(len(found.partitions), 'worker')}; their number, the calibration, the intervals "
        f"and the backtest rest on at most {max_rows:,} of them"
    )
    return {target: [*told, note] for target, told in notes.items()}


def _folder(portfolio: Opened) -> Path | None:
    """Where the rows are laid out; None for the system's temporary folder."""
    settings = portfolio.settings.training.distributed
    given = None if settings is None else settings.folder
    if given is None:
        spill = portfolio.settings.engine.temp_directory
        return spill if spill is not None and spill.is_dir() else None
    folder = portfolio.settings.resolve(given)
    if not folder.is_dir():
        raise ConfigError(
            "the folder that rows are laid out in is not there",
            where="training.distributed.folder",
            saw=str(folder),
            do="make it, where this machine and all workers see it",
        )
    return folder
