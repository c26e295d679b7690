"""A delivery over HTTP as it would be: counted, nothing sent, nothing written."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from portfolio_ml.databases import redacted, rehearsing
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.crm import Crm, opened
from portfolio_ml.sinks.desired import desired
from portfolio_ml.sinks.lease import LEASES
from portfolio_ml.sinks.order import Rows
from portfolio_ml.sinks.outbox_rows import OUTBOX, held
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.rows import prepare
from portfolio_ml.sinks.sql import rehearse_sql
from portfolio_ml.sinks.tables import create_or_check
from portfolio_ml.sinks.vendors.values import parsed


def rehearse_http(rows: Rows, to: Crm, *, run: Run) -> Receipt:
    """The receipt that `deliver_http` would give if the CRM took every row.

    Nothing is sent, and the state database stays as it is. Columns of lineage, and `as_of`, do
    not count: a row is written when its figures change.

    Raises:
        ConfigError: The address, the token or the state database's URL cannot be right.
        ServiceUnavailableError: The state database cannot be opened.
        TryAgainLaterError: It is locked.
    """
    with closing(opened(to, sleep=to.clock.sleep, now=run.now)) as vendor:
        name, place = vendor.name, vendor.place
    kept, erased = (rows, 0) if isinstance(rows, Parts) else to.without_suppressed(rows)
    receipt = rehearse_sql(kept, url=to.url, table=to.table, base=to.base, run=run)
    receipt = replace(receipt, rows=receipt.rows + erased, suppressed=receipt.suppressed + erased)
    if receipt.status == "history_only":
        return receipt
    figures = {
        column.name: to.target.columns[column.name]
        for column in CUSTOMER_ROWS.columns
        if column.name in to.target.columns and not column.lineage and column.name != "as_of"
    }
    good = kept if isinstance(kept, Parts) else prepare(kept, CUSTOMER_ROWS, as_of=run.as_of)
    became = Counter(
        state
        for batch in good.batches()
        for part in desired(
            pa.Table.from_batches([batch]), columns=figures, suppressed=to.suppressed
        )
        for state in _become(part, to, place=place, names=frozenset(figures.values()))
    )
    return replace(
        receipt,
        target=name,
        mode=to.target.mode,
        sent=became["sent"],
        unchanged=became["unchanged"],
        rejected=receipt.rejected + became["rejected"],
        unknown=became["unknown"],
        absent=became["absent"],
    )


def look(to: Crm, *, now: Callable[[], datetime]) -> None:
    """Ask the CRM something that only reads.

    Raises:
        ConfigError: The address or the token cannot be right, or the object or key is not there.
        ServiceUnavailableError: It does not answer, or lets nobody in.
        TryAgainLaterError: It takes no calls for now.
    """
    with closing(opened(to, sleep=to.clock.sleep, now=now)) as vendor:
        vendor.look()


def _become(part: pa.Table, to: Crm, *, place: str, names: frozenset[str]) -> list[str]:
    """What a delivery would count some customers as, given what is wanted of them."""
    became = {"sent": "unchanged", "in_flight": "unknown", "pending": "sent"}
    if to.target.mode == "upsert":  # which adds who was absent
        became["absent"] = "sent"
    with rehearsing(to.url, base=to.base) as database:
        create_or_check((LEASES, OUTBOX), database, where=redacted(to.url))
        taken = {
            customer: (
                became.get(state, state),
                {name: value for name, value in parsed(wanted).items() if name in names},
            )
            for customer, state, wanted in held(
                part["customer_id"], target=to.table, place=place, database=database
            )
        }
    return [
        state if parsed(wanted) == same else "sent"
        for customer, wanted in zip(*(c.to_pylist() for c in part.columns), strict=True)
        for state, same in (taken.get(customer, ("sent", None)),)
    ]
