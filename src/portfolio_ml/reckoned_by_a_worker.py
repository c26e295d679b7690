"""The portfolio's own figures, reckoned by one of Spark's workers.

Figures compare every customer with all others, out of core in a DuckDB. So the validated tables go
through files to one worker, which does what one machine does without Spark, and leaves the figures
in files. This process maps those, and holds no table of customers.
"""

import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml import delivering
from portfolio_ml.circumstances import Circumstances
from portfolio_ml.config import DuckDB, Settings, Spark
from portfolio_ml.customer_rows import CUSTOMER_FIGURES
from portfolio_ml.engine import Moved, SparkEngine, moved
from portfolio_ml.opening import Opened
from portfolio_ml.portfolio.catalogue import contracts
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.reckoned import Reckoned, columns_of_customers, compared_with, reckoned
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scored import Clock, scored_dates
from portfolio_ml.scoring import Champions, champions_from
from portfolio_ml.sinks.parts import FATE, Parts, digest_of, parts_of, sum_of
from portfolio_ml.sinks.past_sql import BANDS
from portfolio_ml.sinks.rows import Reject, prepare
from portfolio_ml.sinks.suppression import Suppression, suppression
from portfolio_ml.steps import unheard


@dataclass(frozen=True, slots=True)
class Files:
    """The data files of champions, from which a worker reads them."""

    content: Mapping[str, Mapping[str, bytes]]
    versions: Mapping[str, str]

    def read(self) -> Champions:
        """The champions."""
        return champions_from(self.content, self.versions)


@dataclass(frozen=True, slots=True)
class Luggage:
    """What a worker takes along: a portfolio, and the circumstances of those who sent it.

    Attributes:
        portfolio: The history.
        bands: By date, a Parquet file of customer_id and churn_band, as delivered last before it.
        erased: Who was erased.
        at: What the clock said.
    """

    portfolio: Moved[Opened]
    bands: Mapping[date, Path]
    erased: Suppression
    at: datetime

    @contextmanager
    def opened(self) -> Iterator[tuple[Opened, Circumstances]]:
        """Both for the length of a `with` block; errors are those of `Moved.opened`."""
        circumstances = Circumstances(
            bands_before=lambda day: pq.read_table(self.bands[day]),
            erased=self.erased,
            now=lambda: self.at,
            say=unheard,
        )
        with self.portfolio.opened() as portfolio:
            yield portfolio, circumstances

    def new_folder(self) -> Path:
        """A folder that is one attempt's alone.

        So one that died, or that another was faster than, leaves nothing that anybody reads.
        """
        folder = self.portfolio.folder / uuid.uuid4().hex
        folder.mkdir()
        return folder


def reckoned_by_a_worker(
    portfolio: Opened,
    champions: Champions | None,
    workers: SparkEngine,
    *,
    names: Collection[str] = (),
    now: Clock,
) -> Reckoned:
    """The portfolio's figures at its as-of date, as `reckoned.reckoned` gives them.

    Args:
        portfolio: The history.
        champions: The models in force; None where there are none.
        workers: Of whom one reckons.
        names: Which figures; all of them where none is named.
        now: The wall clock.

    Raises:
        DataError: A champion cannot be used, or nobody had bought by the date.
        ServiceUnavailableError: Spark gave the work up, as where the memory did not do.
    """
    days = [] if champions is None else [compared_with(portfolio), portfolio.as_of]
    work = _Figures(
        luggage=luggage(portfolio, days, workers, now=now),
        champions=None if champions is None else files_of(champions),
        names=tuple(names),
        is_delivered=bool(portfolio.settings.portfolio.delivery),
    )
    return found_in(Path(workers.once(work)), workers)


def columns_by_a_worker(
    portfolio: Moved[Opened],
    champions: Champions,
    workers: SparkEngine,
    *,
    as_of: date,
    bands_before: Path,
    erased: Suppression,
    now: Clock,
) -> Path:
    """What the figures of a date say of each customer, as `reckoned.columns_of_customers` has it.

    The scores that they need are made once more, by that worker: the delivered ones are rounded.

    Args:
        portfolio: The history; it may go on after the date.
        champions: The models in force.
        workers: Of whom one reckons.
        as_of: The date.
        bands_before: A Parquet file of what was delivered before.
        erased: Who was erased; they have no row.
        now: The wall clock.

    Returns:
        A Parquet file, alone in its folder.

    Raises:
        ServiceUnavailableError: Spark gave the work up.
    """
    work = _Columns(
        luggage=Luggage(portfolio, {as_of: bands_before}, erased, now()),
        champions=files_of(champions),
        as_of=as_of,
    )
    return Path(workers.once(work))


def luggage(
    portfolio: Opened, days: Sequence[date], workers: SparkEngine, *, now: Clock
) -> Luggage:
    """What a worker takes along to reckon by what was delivered before each of some dates.

    Args:
        portfolio: The history.
        days: The dates.
        workers: Of whom one reckons.
        now: The wall clock.
    """
    settings = portfolio.settings
    return Luggage(
        portfolio=carried(portfolio, workers),
        bands={
            day: workers.passed(delivering.bands_in_batches(settings, day), BANDS) for day in days
        },
        erased=suppression(settings),
        at=now(),
    )


def carried(portfolio: Opened, workers: SparkEngine) -> Moved[Opened]:
    """The portfolio for a worker, without refused rows, and without addresses of databases."""
    settings = portfolio.settings
    own = settings.engine
    limit = (own if isinstance(own, Spark) else Spark(kind="spark")).memory_limit
    slim = replace(
        portfolio,
        settings=_without_addresses(settings),
        **{name: _without_refused(getattr(portfolio, name)) for name in _TABLES},
    )
    return moved(slim, workers, memory_limit=limit)


def _without_addresses(settings: Settings) -> Settings:
    """The settings that say what is reckoned; where the data are and go, a worker need not know."""
    usual = {name: type(getattr(settings, name))() for name in ("state", "tracking")}
    figures = settings.portfolio.model_copy(update={"delivery": ()})
    nowhere = {"data": None, "delivery": (), "engine": DuckDB(), "portfolio": figures}
    return settings.model_copy(update=usual | nowhere)


_TABLES = (
    "history", "customers", "interactions", "contacts", "opportunities", "points", "prospects",
    "valuations",
)  # fmt: skip


def _without_refused(table: Any) -> Any:  # noqa: ANN401 - any of a portfolio's tables
    if table is None:
        return None
    return replace(table, quarantine=table.quarantine.schema.empty_table())


def files_of(champions: Champions) -> Files:
    """The champions as they go to a worker."""
    return Files(champions.files, champions.versions)


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the worker does: all figures, into a folder."""

    luggage: Luggage
    champions: Files | None
    names: tuple[str, ...]
    is_delivered: bool

    def __call__(self) -> str:
        """The folder with the figures."""
        champions = None if self.champions is None else self.champions.read()
        with self.luggage.opened() as (portfolio, circumstances):
            found = reckoned(portfolio, champions, circumstances, names=self.names)
        folder = self.luggage.new_folder()
        write_figures(found, folder, is_delivered=self.is_delivered)
        return str(folder)


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the worker does for the customer rows."""

    luggage: Luggage
    champions: Files
    as_of: date

    def __call__(self) -> str:
        """The file."""
        champions = self.champions.read()
        file = self.luggage.new_folder() / "columns.parquet"
        with self.luggage.opened() as (portfolio, circumstances):
            found = scored_dates(
                portfolio,
                champions,
                [self.as_of],
                bands_before=circumstances.bands_before,
                now=circumstances.now,
            )
            rows = [
                columns_of_customers(each, portfolio, champions, erased=circumstances.erased)
                for each in found
            ]
        pq.write_table(pa.concat_tables(rows) if rows else _NOBODY, file)
        return str(file)


_FIGURES = [field.with_nullable(True) for field in CUSTOMER_ROWS.arrow]
_NOBODY = pa.schema(
    [field for field in _FIGURES if field.name in ("customer_id", *CUSTOMER_FIGURES)]
).empty_table()


_TOLD = "reckoned.json"


def write_figures(found: Reckoned, folder: Path, *, is_delivered: bool) -> None:
    """Leave figures in a folder, and beside them their rows as they are delivered, if they are."""
    figures = []
    for figure in found.figures:
        _write_mapped(figure.rows, folder / f"{figure.name}.arrow")
        delivered = is_delivered and not figure.absent
        figures.append(
            {
                "name": figure.name,
                "title": figure.title,
                "absent": figure.absent,
                "notes": figure.notes,
                "delivered": _prepared(figure, found.as_of, folder) if delivered else None,
            }
        )
    told = {
        "as_of": found.as_of.isoformat(),
        "run_id": found.run_id,
        "versions": {**found.versions},
        "currency": found.currency,
        "figures": figures,
    }
    (folder / _TOLD).write_text(json.dumps(told))


def _write_mapped(rows: pa.Table, file: Path) -> None:
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)


def _prepared(figure: Figure, as_of: date, folder: Path) -> dict[str, Any]:
    made = prepare(figure.rows, figure.contract, as_of=as_of)
    rows = made.rows.append_column(FATE, pa.nulls(made.count, pa.string()))
    pq.write_table(rows, folder / f"{figure.name}.parquet")
    return {
        "rows": made.count,
        "sum": sum_of(made.batches(), figure.contract),
        "rejects": [asdict(reject) for reject in made.rejects],
    }


def found_in(folder: Path, workers: SparkEngine) -> Reckoned:
    """The figures that a worker left in a folder."""
    told = json.loads((folder / _TOLD).read_text())
    by_name = {contract.name: contract for contract in contracts()}
    figures, parts = [], {}
    for of in told["figures"]:
        contract, name = by_name[of["name"]], of["name"]
        rows = _mapped(folder / f"{name}.arrow")
        figures.append(Figure(contract, of["title"], rows, of["absent"], tuple(of["notes"])))
        if (made := of["delivered"]) is not None:
            parts[name] = Parts(
                contract=contract,
                parts=parts_of([folder / f"{name}.parquet"], [made["rows"]]),
                rejects=tuple(Reject(**reject) for reject in made["rejects"]),
                digest=digest_of([made["sum"]]),
                each=workers.each,
            )
    return Reckoned(
        as_of=date.fromisoformat(told["as_of"]),
        figures=tuple(figures),
        run_id=told["run_id"],
        versions=told["versions"],
        currency=told["currency"],
        parts=parts,
    )


def _mapped(file: Path) -> pa.Table:
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()
