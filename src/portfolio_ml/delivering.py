"""Rows brought to every target of a config: delivered, or only rehearsed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import pyarrow as pa

from portfolio_ml.circumstances import Circumstances
from portfolio_ml.config import (
    CsvTarget,
    HubSpotTarget,
    ParquetTarget,
    SalesforceTarget,
    Settings,
    SqlTarget,
    Target,
)
from portfolio_ml.databases import redacted
from portfolio_ml.errors import PortfolioError
from portfolio_ml.opening import Opened
from portfolio_ml.scored import Clock, Scored
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks import sql
from portfolio_ml.sinks.crm import Crm, table_of
from portfolio_ml.sinks.differences import Change
from portfolio_ml.sinks.files import deliver_file, rehearse_file
from portfolio_ml.sinks.http import Reconciled, deliver_http
from portfolio_ml.sinks.order import Rows
from portfolio_ml.sinks.past_sql import BAND, places
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.rehearsal import rehearse_http
from portfolio_ml.sinks.suppression import suppression
from portfolio_ml.steps import Progress, Say, numbered, unheard, within

Deliver = Callable[[Target], Receipt | None]
"""Delivers to a target; None where there was nothing to deliver."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What became of the rows at every target.

    Attributes:
        receipts: Of the targets that took them.
        faults: What was wrong at the others; one target's fault stops no other target.
    """

    receipts: tuple[Receipt, ...]
    faults: tuple[PortfolioError, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a delivery would do at one target.

    Attributes:
        receipt: The receipt that it would leave.
        changes: Some of the rows that it would write.
    """

    receipt: Receipt
    changes: tuple[Change, ...]


def allowed(
    found: Scored, portfolio: Opened, champions: Champions, *, now: Callable[[], datetime]
) -> tuple[Scored, Run]:
    """The rows of customers who were not erased, and the run that delivers them."""
    erased = suppression(portfolio.settings)
    rows = erased.without(found.rows)
    run = Run(
        run_id=found.run_id,
        as_of=found.as_of,
        model_versions=champions.versions,
        now=now,
        suppressed=found.rows.num_rows - rows.num_rows,
        retired=retired(portfolio),
    )
    return replace(found, rows=rows, features=erased.without(found.features)), run


def retired(portfolio: Opened) -> frozenset[str]:
    """Who was merged into others, and is no customer any more."""
    if portfolio.merged is None:
        return frozenset()
    return frozenset(portfolio.merged["old_id"].to_pylist())


class UnfinishedError(Exception):
    """A delivery has rows left that a later run finishes.

    Attributes:
        receipt: What became of the rows so far.
        fault: Why it stopped.
    """

    def __init__(self, receipt: Receipt, fault: PortfolioError) -> None:
        self.receipt, self.fault = receipt, fault
        super().__init__(str(fault))


def deliver(
    rows: Rows, settings: Settings, run: Run, *, some: bool = False, say: Say = unheard
) -> Deliveries:
    """Deliver the rows to every target of the config, in its order.

    Args:
        rows: Customer rows of the run's as-of date, in this process or in parts.
        settings: The portfolio's settings.
        run: The scoring run.
        some: Whether the rows are those of some customers only: files, which hold everyone, are
            then left alone.
        say: Told which target is served.
    """
    targets = [t for t in settings.delivery if not (some and is_file(t))]
    places = {id(target): place for place, target in enumerate(targets, start=1)}

    def deliver_to(target: Target) -> Receipt:
        text = f"delivering to {name_of(target)}"
        step = numbered(text, places[id(target)], len(targets), work="delivery")
        say(step)
        return _delivered(rows, target, settings, run, progress=within(say, step, len(targets)))

    return each(targets, deliver_to)


def name_of(target: Target) -> str:
    """What people call a target: its kind and where it is, without secrets.

    Example:
        >>> from portfolio_ml.config import ParquetTarget
        >>> name_of(ParquetTarget(kind="parquet", path="scores.parquet"))
        'scores.parquet'
    """
    match target:
        case SqlTarget():
            return f"{target.table} in {redacted(target.url)}"
        case ParquetTarget() | CsvTarget():
            return str(target.path)
        case HubSpotTarget():
            return f"HubSpot {target.object}"
        case SalesforceTarget():
            return f"Salesforce {target.object}"


def each(targets: Sequence[Target], deliver_to: Deliver) -> Deliveries:
    """Deliver to one target after the other, whatever becomes of one of them."""
    receipts: list[Receipt] = []
    faults: list[PortfolioError] = []
    for target in targets:
        try:
            receipt = deliver_to(target)
            receipts += [] if receipt is None else [receipt]
        except UnfinishedError as error:
            receipts.append(error.receipt)
            faults.append(error.fault)
        except PortfolioError as error:
            faults.append(error)
    return Deliveries(tuple(receipts), tuple(faults))


def is_file(target: Target) -> bool:
    """Whether a target is a file, which is replaced whole."""
    return isinstance(target, ParquetTarget | CsvTarget)


def rehearse(
    rows: Rows, settings: Settings, run: Run, *, some: bool = False
) -> tuple[Rehearsal, ...]:
    """What a delivery would do at every target; nothing is written.

    Raises:
        PortfolioError: What a delivery would stumble over.
    """
    targets = [t for t in settings.delivery if not (some and is_file(t))]
    return tuple(rehearsed(rows, target, settings, run) for target in targets)


def rehearsed(rows: Rows, target: Target, settings: Settings, run: Run) -> Rehearsal:
    """What a delivery would do at one target; nothing is written.

    Raises:
        PortfolioError: What a delivery would stumble over.
    """
    match target:
        case SqlTarget():
            return Rehearsal(*sql.rehearse(rows, target, base=settings.base, run=run))
        case ParquetTarget() | CsvTarget():
            return Rehearsal(rehearse_file(rows, target, settings=settings, run=run), ())
        case _:  # a CRM over HTTP
            return Rehearsal(rehearse_http(rows, crm_of(target, settings), run=run), ())


def bands_before(settings: Settings) -> Callable[[date], pa.Table]:
    """What gives the churn bands delivered last before a date, by the first target that has any.

    A target that cannot be read is passed over: what is wrong with it, its delivery tells.
    """

    def bands(as_of: date) -> pa.Table:
        for place in places(settings):
            try:
                found = place.bands_before(as_of)
            except PortfolioError:
                continue
            if found.num_rows:
                return found
        nobody = pa.array([], pa.string())
        return pa.table({"customer_id": nobody, BAND: nobody})

    return bands


def circumstances(settings: Settings, *, now: Clock, say: Say) -> Circumstances:
    """What a scoring and its figures go by, read in this process.

    Args:
        settings: Where rows were delivered before, and who was erased.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        ConfigError: `state.key` is another than the one that erased customers were hashed with.
        ServiceUnavailableError: The state database cannot be used.
        TryAgainLaterError: It is locked.
    """
    return Circumstances(bands_before(settings), suppression(settings), now, say)


def bands_in_batches(settings: Settings, as_of: date) -> Iterator[pa.RecordBatch]:
    """The same at one date, a batch at a time: nobody need hold everybody's."""
    for place in places(settings):
        found = place.bands_in_batches(as_of)
        try:
            first = next(found, None)
        except PortfolioError:
            continue
        if first is not None:
            yield first
            yield from found
            return


def _delivered(
    rows: Rows, target: Target, settings: Settings, run: Run, *, progress: Progress
) -> Receipt:
    match target:
        case SqlTarget():
            return sql.deliver_to_target(rows, target, base=settings.base, run=run)
        case ParquetTarget() | CsvTarget():
            return deliver_file(rows, target, settings=settings, run=run)
        case _:  # a CRM over HTTP
            crm = replace(crm_of(target, settings), progress=progress)
            return taken(deliver_http(rows, crm, run=run))


def crm_of(target: HubSpotTarget | SalesforceTarget, settings: Settings) -> Crm:
    """A CRM reached over HTTP, and where the package keeps what it must know of it."""
    erased = suppression(settings)
    return Crm(
        target=target,
        url=settings.state.url,
        base=settings.base,
        table=table_of(target),
        suppressed=erased.has,
    )


def taken(done: Reconciled) -> Receipt:
    """The receipt of a delivery that is whole.

    Raises:
        UnfinishedError: It is not; the receipt comes along.
    """
    if done.stopped is not None:
        raise UnfinishedError(done.receipt, done.stopped)
    return done.receipt
