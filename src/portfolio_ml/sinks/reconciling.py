"""The loop between outbox and CRM: ask about what is in flight, send what is pending, record."""

from collections.abc import Iterator
from itertools import count

from portfolio_ml.errors import PortfolioError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.outbox import Batch, Outbox
from portfolio_ml.sinks.outbox_rows import PAGE_ROWS
from portfolio_ml.sinks.vendors.values import parsed
from portfolio_ml.sinks.vendors.vendor import Answer, Vendor, Wanted
from portfolio_ml.steps import Progress, unheard

ROUNDS = 3
"""How often a delivery sends a row that was read back and has not arrived."""
SILENT_BATCHES = 3
"""After so many batches in a row without any answer, the CRM counts as not answering."""


def settle(vendor: Vendor, outbox: Outbox) -> PortfolioError | None:
    """Ask what became of the rows in flight; gives what ends the delivery, where something does."""
    for batch in outbox.in_flight():
        try:
            answer = vendor.settle(batch.rows, batch.reference)
        except PortfolioError as error:
            return error
        outbox.record(answer.outcomes)
        if answer.stop:
            return answer.stop
    return None


def send(vendor: Vendor, outbox: Outbox, progress: Progress = unheard) -> PortfolioError | None:
    """Send what is pending and read back what got no answer, until nothing is left.

    Args:
        vendor: The CRM.
        outbox: What it should hold, and what became of that.
        progress: Told which share of what is pending has been sent.

    Returns:
        Why rows are left pending or unknown; None where none is.
    """
    for _ in range(ROUNDS):
        stop = _send_pending(vendor, outbox, progress) or settle(vendor, outbox)
        if stop:
            return stop
        if not outbox.pending(limit=1):
            break
    if any(outbox.in_flight()):
        return _unfinished("what became of some rows is not known yet", vendor)
    if outbox.pending(limit=1):
        return _unfinished(f"some rows did not arrive in {ROUNDS} attempts", vendor)
    return None


def _send_pending(vendor: Vendor, outbox: Outbox, progress: Progress) -> PortfolioError | None:
    silent, sent, total = 0, 0, outbox.count_pending()
    for number, rows in zip(count(1), _batches(vendor, outbox), strict=False):
        try:
            answer = _sent(vendor, outbox, rows, number=number)
        except PortfolioError as error:
            return error
        if answer.stop:
            return answer.stop
        sent += len(rows)
        progress(sent / total)
        heard = any(outcome.state != "unknown" for outcome in answer.outcomes)
        silent = 0 if heard else silent + 1
        if silent == SILENT_BATCHES:
            return ServiceUnavailableError(
                "the CRM gives no answer", where=vendor.name, do="run again later"
            )
    return None


def _sent(vendor: Vendor, outbox: Outbox, rows: tuple[Wanted, ...], *, number: int) -> Answer:
    reference = vendor.begin()
    outbox.take_off(Batch(f"{outbox.delivery_id}-{number}", reference, rows))
    answer = vendor.send(rows, reference)
    outbox.record(answer.outcomes)
    return answer


def _batches(vendor: Vendor, outbox: Outbox) -> Iterator[tuple[Wanted, ...]]:
    """The pending rows, once each, in batches that the vendor takes."""
    batch: list[Wanted] = []
    held = 0
    for customer, wanted in _pending(outbox, most=vendor.most_rows):
        size = len(customer.encode()) + len(wanted.encode()) + 4
        full = vendor.most_bytes is not None and held + size > vendor.most_bytes
        if batch and (full or len(batch) == vendor.most_rows):
            yield tuple(batch)
            batch, held = [], 0
        batch.append(Wanted(customer, parsed(wanted)))
        held += size
    if batch:
        yield tuple(batch)


def _pending(outbox: Outbox, *, most: int) -> Iterator[tuple[str, str]]:
    after: str | None = None
    limit = min(most, PAGE_ROWS)
    while page := outbox.pending(after=after, limit=limit):
        yield from page
        after = page[-1][0]


def _unfinished(what: str, vendor: Vendor) -> TryAgainLaterError:
    return TryAgainLaterError(what, where=vendor.name, do="run again later")
