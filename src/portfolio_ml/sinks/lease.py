"""One delivery at a time to a CRM: a row in the state database says who is at it.

The row is taken and given back in transactions of their own, and renewed with everything that is
written to the outbox, and while a delivery waits. A process of this machine that died has lost it
at once; one of another machine, which cannot be asked, once it has not renewed it for a while.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from portfolio_ml.databases import Writer as Database
from portfolio_ml.databases import writing
from portfolio_ml.errors import PortfolioError, TryAgainLaterError
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.ledger import as_moment
from portfolio_ml.writers import Writer, at_work

EXPIRY = timedelta(minutes=15)
BEAT_SECONDS = 60.0

LEASES = Table(
    name="portfolio_leases",
    grain="one target that is delivered to over HTTP",
    key=("target",),
    columns=(
        Column("target", pa.string(), "the table that holds what the CRM should hold"),
        Column("place", pa.string(), "the CRM and object that it was last delivered to"),
        Column("holder", pa.string(), "machine and process delivering to it", null="nobody"),
        Column(
            "renewed_at", pa.timestamp("us", tz="UTC"), "when it last gave a sign", null="never"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to deliver to a target, in its state database.

    Attributes:
        url: The state database.
        base: The folder that a relative file is relative to.
        target: The table of what the CRM should hold.
        holder: Who has it.
        now: The clock.
    """

    url: str
    base: Path
    target: str
    holder: str
    now: Callable[[], datetime]

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """A short transaction on the state database, which renews the lease.

        Raises:
            TryAgainLaterError: Another run has taken it over, as this one gave no sign.
        """
        with writing(self.url, base=self.base) as database:
            held = database.run(
                "UPDATE portfolio_leases SET renewed_at = ? WHERE target = ? AND holder = ?",
                self.now(),
                self.target,
                self.holder,
            )
            if held != 1:
                raise TryAgainLaterError(
                    "another run has taken over this delivery", where=self.target, do="run again"
                )
            yield database

    def sleeping(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """The same sleep, which renews the lease when it is long."""

        def slept(seconds: float) -> None:
            while seconds > BEAT_SECONDS:
                sleep(BEAT_SECONDS)
                seconds -= BEAT_SECONDS
                with self.writing():
                    pass
            sleep(seconds)

        return slept


@contextmanager
def leased(target: str, *, url: str, base: Path, now: Callable[[], datetime]) -> Iterator[Lease]:
    """The lease for the length of a `with` block; `LEASES` must be there.

    Raises:
        TryAgainLaterError: Another run is delivering to the target.
    """
    on = f"{base.resolve()} {url} {target}"
    with ExitStack() as held:
        lease = Lease(url, base, target, str(Writer.this()), now)
        with writing(url, base=base) as database:
            _take(lease, database, on=on)
            held.enter_context(at_work(on))
        held.callback(_give_back, lease)
        yield lease


def _take(lease: Lease, database: Database, *, on: str) -> None:
    database.run(
        "INSERT INTO portfolio_leases (target, place) VALUES (?, '') ON CONFLICT DO NOTHING",
        lease.target,
    )
    [(holder, renewed)] = database.ask(
        "SELECT holder, renewed_at FROM portfolio_leases WHERE target = ?", lease.target
    )
    if holder and not _has_left(holder, as_moment(renewed), on=on, now=lease.now()):
        raise _busy(lease, holder)
    same = "holder IS NULL" if holder is None else "holder = ?"
    taken = database.run(
        f"UPDATE portfolio_leases SET holder = ?, renewed_at = ? WHERE target = ? AND {same}",  # noqa: S608 - constants
        lease.holder,
        lease.now(),
        lease.target,
        *(() if holder is None else (holder,)),
    )
    if taken != 1:  # somebody came first, between the two statements
        raise _busy(lease, "another process")


def _give_back(lease: Lease) -> None:
    """Give the lease back; where the database refuses, it is lost with the process."""
    with suppress(PortfolioError), writing(lease.url, base=lease.base) as database:
        database.run(
            "UPDATE portfolio_leases SET holder = NULL WHERE target = ? AND holder = ?",
            lease.target,
            lease.holder,
        )


def _has_left(holder: str, renewed: datetime, *, on: str, now: datetime) -> bool:
    who = Writer.read(holder)
    if who is None:
        return True
    if who.host != socket.gethostname():
        return abs(now - renewed) > EXPIRY  # from the future only where a clock has jumped
    return who.has_left(on, begun=renewed, now=now)


def _busy(lease: Lease, holder: str) -> TryAgainLaterError:
    return TryAgainLaterError(
        "another run is delivering to this target",
        where=lease.target,
        saw=holder,
        do="run again when it has ended",
    )
