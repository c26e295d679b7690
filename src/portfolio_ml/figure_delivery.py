"""The portfolio's figures brought to where the config wants them: a table or a file for each."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from portfolio_ml.config import (
    FiguresInParquet,
    FiguresInSql,
    FiguresTarget,
    ParquetTarget,
    Settings,
    SqlTarget,
)
from portfolio_ml.delivering import Deliveries
from portfolio_ml.errors import PortfolioError
from portfolio_ml.portfolio.catalogue import contracts
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.replacing import make_folder
from portfolio_ml.schema import Table
from portfolio_ml.sinks import erasure, files
from portfolio_ml.sinks.erasure import Erased
from portfolio_ml.sinks.files import deliver_file, told
from portfolio_ml.sinks.order import Rows
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql
from portfolio_ml.steps import Progress, unheard

Clock = Callable[[], datetime]


def deliver_figures(
    found: Reckoned, settings: Settings, *, now: Clock, progress: Progress = unheard
) -> Deliveries:
    """Bring every figure that is there to every target; each arrives whole or not at all.

    A row of an earlier date that a figure has no more leaves its table, and stays in the history.
    A figure that is absent leaves its table as it was; the table of all figures says why.

    Args:
        found: The figures.
        settings: The portfolio's settings.
        now: The wall clock.
        progress: Told which share of them has arrived.
    """
    total = len(found.present) * len(settings.portfolio.delivery)
    run = Run(run_id=found.run_id, as_of=found.as_of, model_versions=found.versions, now=now)
    receipts: list[Receipt] = []
    faults: list[PortfolioError] = []
    for target in settings.portfolio.delivery:
        try:
            for figure in found.present:
                rows = found.delivered(figure)
                receipts.append(_delivered(rows, figure.contract, target, settings, run))
                progress(len(receipts) / total)
        except PortfolioError as error:
            faults.append(error)
    return Deliveries(tuple(receipts), tuple(faults))


def sql_tables(settings: Settings) -> Iterable[tuple[SqlTarget, Table]]:
    """The table of every figure in every database, with its contract."""
    for target in settings.portfolio.delivery:
        if isinstance(target, FiguresInSql):
            yield from ((_table(target, contract), contract) for contract in contracts())


def erase_from_figures(
    target: FiguresTarget, settings: Settings, customer_id: str
) -> Iterable[Erased]:
    """Remove a customer from a target's figures that name customers; gives what was removed."""
    for contract in contracts():
        if "customer_id" not in contract.names:
            continue
        if isinstance(target, FiguresInSql):
            yield from erasure.erase(_table(target, contract), customer_id, base=settings.base)
        else:
            removed = files.erase(
                customer_id, _file(target, contract), settings=settings, contract=contract
            )
            yield from (Erased(place, rows) for place, rows in removed.items())


def _delivered(
    rows: Rows, contract: Table, target: FiguresTarget, settings: Settings, run: Run
) -> Receipt:
    if isinstance(target, FiguresInSql):
        place = _table(target, contract)
        return deliver_sql(
            rows,
            url=place.url,
            table=place.table,
            base=settings.base,
            run=run,
            contract=contract,
            whole=True,
        )
    folder = settings.resolve(target.path)
    with told(folder):
        make_folder(folder)
    return deliver_file(
        rows,
        _file(target, contract),
        settings=settings,
        run=run,
        contract=contract,
    )


def _table(target: FiguresInSql, contract: Table) -> SqlTarget:
    return SqlTarget(kind="sql", url=target.url, table=f"{target.prefix}{contract.name}")


def _file(target: FiguresInParquet, contract: Table) -> ParquetTarget:
    name = contract.name if target.partitioned else f"{contract.name}.parquet"
    return ParquetTarget(
        kind="parquet", path=Path(target.path) / name, partitioned=target.partitioned
    )
