"""Who was erased, as keyed hashes: no later run writes them anywhere.

The list is in the state database. A hash without its key tells nothing; with a key that is kept
beside it, as where the config gives none, an id can be looked for but not read.
"""
# ruff: noqa: S608 - every name is a constant

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Settings
from portfolio_ml.databases import Writer, read_query, redacted, there_are, writing
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.tables import create_or_check

SUPPRESSED = Table(
    name="portfolio_suppressed",
    grain="one customer who was erased",
    key=("customer_hash",),
    columns=(
        Column("customer_hash", pa.string(), "HMAC-SHA-256 of the customer's id"),
        Column("erased_at", pa.timestamp("us", tz="UTC"), "when"),
    ),
)
KEYS = Table(
    name="portfolio_suppression_key",
    grain="the one key that all hashes are made with",
    key=("fingerprint",),
    columns=(
        Column("fingerprint", pa.string(), "tells whether a key is this one"),
        Column("drawn", pa.string(), "the key", null="the config has it"),
    ),
)


@dataclass(frozen=True, slots=True)
class Suppression:
    """The hashes of those who were erased.

    Attributes:
        key: What ids are hashed with.
        hashes: Of every erased customer.
    """

    key: bytes = field(default=b"", repr=False)
    hashes: frozenset[str] = frozenset()

    def holds(self, ids: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Which of the customers were erased, shape (customers,)."""
        if not self.hashes:
            return pa.array(np.zeros(len(ids), bool))
        chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
        told = (each for chunk in chunks for each in chunk.to_pylist())
        return pa.array([each is not None and self.has(each) for each in told], pa.bool_())

    def has(self, customer_id: str) -> bool:
        """Whether a customer was erased."""
        return bool(self.hashes) and _hash(self.key, customer_id) in self.hashes

    def without(self, rows: pa.Table) -> pa.Table:
        """The rows of those who were not erased; all of them, uncopied, where nobody was."""
        if not self.hashes:
            return rows
        return rows.filter(pc.invert(self.holds(rows["customer_id"])))


def suppression(settings: Settings) -> Suppression:
    """Who was erased, by the state database; nobody where there is none yet.

    Raises:
        ConfigError: `state.key` is another than the one that the list was made with, or that one
            is gone.
        ServiceUnavailableError: The state database cannot be used.
        TryAgainLaterError: It is locked.
    """
    url, base = settings.state.url, settings.base
    if not there_are(url, (SUPPRESSED.name,), base=base):
        return Suppression()
    hashes = read_query(url, f"SELECT customer_hash FROM {SUPPRESSED.name}", base=base)
    if not hashes.num_rows:
        return Suppression()
    if not there_are(url, (KEYS.name,), base=base):
        raise _lost_key(settings)
    keys = read_query(url, f"SELECT fingerprint, drawn FROM {KEYS.name}", base=base).to_pylist()
    if not keys:
        raise _lost_key(settings)
    key = _key_of(settings, keys[0]["fingerprint"], keys[0]["drawn"])
    return Suppression(key, frozenset(hashes["customer_hash"].to_pylist()))


def suppress(settings: Settings, customer_id: str, *, now: datetime) -> bool:
    """Put a customer on the list; False where they were on it already.

    Raises:
        ConfigError: `state.key` is another than the one that the list was made with, or that one
            is gone.
        ServiceUnavailableError: The state database cannot be written.
        TryAgainLaterError: It is locked.
    """
    with writing(settings.state.url, base=settings.base) as database:
        database.lock(SUPPRESSED.name)  # else two at once would each draw a key
        create_or_check((SUPPRESSED, KEYS), database, where=redacted(settings.state.url))
        key = _held_or_new_key(settings, database)
        row = {"customer_hash": _hash(key, customer_id), "erased_at": now}
        is_known = database.ask(
            f"SELECT 1 FROM {SUPPRESSED.name} WHERE customer_hash = ?",
            row["customer_hash"],
        )
        if not is_known:
            database.load(SUPPRESSED.name, pa.Table.from_pylist([row], schema=SUPPRESSED.arrow))
    return not is_known


def _held_or_new_key(settings: Settings, database: Writer) -> bytes:
    held = database.ask(f"SELECT fingerprint, drawn FROM {KEYS.name}")
    if held:
        return _key_of(settings, *held[0])
    if database.ask(f"SELECT 1 FROM {SUPPRESSED.name} LIMIT 1"):
        raise _lost_key(settings)
    drawn = None if settings.state.key else secrets.token_hex(32)
    key = (settings.state.key or drawn or "").encode()
    row = {"fingerprint": _hash(key, "portfolio-ml"), "drawn": drawn}
    database.load(KEYS.name, pa.Table.from_pylist([row], schema=KEYS.arrow))
    return key


def _key_of(settings: Settings, fingerprint: str, drawn: str | None) -> bytes:
    key = (drawn or settings.state.key or "").encode()
    if not hmac.compare_digest(_hash(key, "portfolio-ml"), fingerprint):
        raise ConfigError(
            "the key is another than the one that erased customers were hashed with",
            where="state.key",
            do="set the key of then; without it, who was erased would come back",
        )
    return key


def _lost_key(settings: Settings) -> ConfigError:
    return ConfigError(
        f"{KEYS.name} has lost the key that erased customers were hashed with",
        where=redacted(settings.state.url),
        do="restore its row from a backup; without it, who was erased would come back",
    )


def _hash(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()
