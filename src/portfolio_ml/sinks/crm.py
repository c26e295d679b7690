"""A CRM reached over HTTP, and where the package keeps what it must know of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config.delivery_sections import HubSpotTarget, SalesforceTarget
from portfolio_ml.errors import ConfigError
from portfolio_ml.sinks.vendors.limits import Clock, Patience
from portfolio_ml.sinks.vendors.vendor import Vendor
from portfolio_ml.steps import Progress, unheard

_IDS_AT_ONCE = 50_000


def nobody(_customer_id: str) -> bool:
    """Nobody is suppressed."""
    return False


@dataclass(frozen=True, slots=True)
class Crm:
    """A CRM reached over HTTP, and where the package keeps what it must know of it.

    Attributes:
        target: The section of the config.
        url: The state database.
        base: The folder that a relative file is relative to.
        table: The table there that holds what the CRM should hold.
        suppressed: Whether a customer was erased, and is to be written nowhere.
        clock: The time for waits.
        patience: How long to wait.
        progress: Told which share of what is to be sent has been.
    """

    target: HubSpotTarget | SalesforceTarget
    url: str
    base: Path
    table: str
    suppressed: Callable[[str], bool] = nobody
    clock: Clock = field(default_factory=Clock)
    patience: Patience = field(default_factory=Patience)
    progress: Progress = unheard

    def without_suppressed(self, rows: pa.Table) -> tuple[pa.Table, int]:
        """The rows of customers who were not erased, and the number of the others.

        All rows, uncopied, where no customer among them was.
        """
        ids = rows.select(["customer_id"]).to_batches(max_chunksize=_IDS_AT_ONCE)
        kept = pa.chunked_array([self._kept(batch.column(0)) for batch in ids], pa.bool_())
        erased = len(kept) - (pc.sum(kept).as_py() or 0)
        return (rows.filter(kept), erased) if erased else (rows, 0)

    def _kept(self, ids: pa.Array) -> pa.Array:
        told = (who is None or not self.suppressed(str(who)) for who in ids.to_pylist())
        return pa.array(told, pa.bool_(), size=len(ids))


def table_of(target: HubSpotTarget | SalesforceTarget) -> str:
    """The table that holds what the CRM should hold, such as `hubspot_contacts`."""
    object_name = "".join(c if c.isalnum() else "_" for c in target.object.lower())
    return f"{target.kind}_{object_name}"


def opened(to: Crm, *, sleep: Callable[[float], None], now: Callable[[], datetime]) -> Vendor:
    """The CRM as a vendor, to be closed.

    Args:
        to: The CRM.
        sleep: How to wait, instead of the clock's own way.
        now: The time of day, in UTC; a signed login says until when it is good.

    Raises:
        ConfigError: The address or what is needed to get in cannot be right.
    """
    clock = replace(to.clock, sleep=sleep)
    try:  # here, since what they need is an optional extra
        from portfolio_ml.sinks.vendors.hubspot import HubSpot  # noqa: PLC0415 - as above
        from portfolio_ml.sinks.vendors.salesforce import Salesforce  # noqa: PLC0415 - as above
    except ImportError:
        raise ConfigError(
            "delivery to a CRM over HTTP needs httpx2, stamina and pyjwt",
            do="pip install 'portfolio-ml[crm]'",
        ) from None
    if isinstance(to.target, HubSpotTarget):
        return HubSpot(to.target, clock=clock, patience=to.patience)
    return Salesforce(to.target, clock=clock, patience=to.patience, now=now)
