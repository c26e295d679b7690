"""Scores as SQL databases held them on past dates: to be judged, and to stay steady by."""
# ruff: noqa: S608 - names are quoted, dates are dates

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from portfolio_ml.config import HubSpotTarget, SalesforceTarget, Settings, SqlTarget
from portfolio_ml.databases import (
    has_schemas,
    read_batches,
    read_query,
    there_are,
    written_table,
)
from portfolio_ml.sinks.crm import table_of
from portfolio_ml.sinks.delivered import PAST, SCORES, Delivered
from portfolio_ml.sinks.ledger import as_date, ledger_names
from portfolio_ml.sinks.order import history_name

BAND = "churn_band"
BANDS = pa.schema([("customer_id", pa.string()), (BAND, pa.string())])


@dataclass(frozen=True, slots=True)
class Place:
    """A table of scores in a database, and its history.

    Attributes:
        url: The database.
        table: The delivered table.
        history: The table with what it held on every date.
        base: The folder that a relative file is relative to.
    """

    url: str
    table: str
    history: str
    base: Path

    def deliveries(self) -> tuple[Delivered, ...]:
        """The dates delivered, ascending; none before the first delivery.

        Raises:
            ServiceUnavailableError: The database cannot be used.
            TryAgainLaterError: It is locked.
        """
        runs, *_ = ledger_names(self.table, has_schemas=has_schemas(self.url))
        if not there_are(self.url, (runs, self.history), base=self.base):
            return ()
        found = read_query(
            self.url,
            "SELECT table_name, as_of, model_versions"
            f" FROM {written_table(self.url, runs)} ORDER BY finished_at",
            base=self.base,
        ).to_pylist()
        versions = {
            as_date(r["as_of"]): r["model_versions"] for r in found if r["table_name"] == self.table
        }
        return tuple(Delivered(day, json.loads(versions[day])) for day in sorted(versions))

    def scores(self, as_of: date) -> Iterator[pa.RecordBatch]:
        """What the table held as of a date, as `delivered.PAST`, a batch at a time."""
        query = self._query(SCORES, f"past.as_of <= '{as_of.isoformat()}'")
        yield from read_batches(self.url, query, PAST, base=self.base)

    def bands_before(self, as_of: date) -> pa.Table:
        """The bands delivered last before a date: customer_id and churn_band.

        Raises:
            ServiceUnavailableError: The database cannot be used.
            TryAgainLaterError: It is locked.
        """
        if not there_are(self.url, (self.history,), base=self.base):
            return BANDS.empty_table()
        rows = self._held((BAND,), f"past.as_of < '{as_of.isoformat()}'")
        return rows.select(BANDS.names).cast(BANDS)

    def bands_in_batches(self, as_of: date) -> Iterator[pa.RecordBatch]:
        """The same a batch at a time; errors are those of `bands_before`."""
        if there_are(self.url, (self.history,), base=self.base):
            query = self._query((BAND,), f"past.as_of < '{as_of.isoformat()}'")
            yield from read_batches(self.url, query, BANDS, base=self.base)

    def _held(self, names: Sequence[str], until: str) -> pa.Table:
        return read_query(self.url, self._query(names, until), base=self.base)

    def _query(self, names: Sequence[str], until: str) -> str:
        """Columns of the newest row of each customer among those of the history."""
        history = written_table(self.url, self.history)
        return (
            f"SELECT customer_id, {', '.join(names)} FROM {history} AS held WHERE as_of ="
            f" (SELECT MAX(past.as_of) FROM {history} AS past"
            f" WHERE past.customer_id = held.customer_id AND {until})"
        )


def places(settings: Settings) -> tuple[Place, ...]:
    """Where the targets of a config keep their history in a database, in their order."""
    found = []
    for target in settings.delivery:
        if isinstance(target, SqlTarget):
            history = history_name(target.table, is_crms_own=target.is_crms_own)
            found.append(Place(target.url, target.table, history, settings.base))
        elif isinstance(target, HubSpotTarget | SalesforceTarget):
            table = table_of(target)
            found.append(Place(settings.state.url, table, f"{table}_history", settings.base))
    return tuple(found)
