"""The statements that bring staged rows into a table that the CRM has.

Values are compared as the CRM's columns hold them, so that a `numeric(5, 4)` or a `varchar` is not
written anew every night for digits that it cannot keep. Customers are told apart by the text of
their ids, whatever the type of the key.
"""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Mapping
from dataclasses import dataclass

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import SqlColumn, Writer, expected_columns
from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.staging import PLACE, STAGING


@dataclass(frozen=True, slots=True)
class CrmTable:
    """The CRM's table, and which staged column goes into which of its columns.

    Attributes:
        name: The table, quoted.
        key: The column with the customer's id.
        columns: Staged column -> the CRM's column.
        database: The transaction.
    """

    name: str
    key: SqlColumn
    columns: Mapping[str, SqlColumn]
    database: Writer

    @classmethod
    def opened(cls, target: SqlTarget, database: Writer, *, where: str) -> "CrmTable":
        """The table of a target, checked column by column.

        Raises:
            ConfigError: The table or a column is missing, a column cannot hold what goes into it,
                or two rows have the same id.
        """
        there = {column.name: column for column in database.columns(target.table)}
        if not there:
            names = database.tables(target.table)
            guess = nearest(target.table, names)
            raise ConfigError(
                f"the CRM's table {target.table!r} is missing",
                where=where,
                saw=f"tables {', '.join(map(repr, names))}" if names else "no tables",
                do=f"did you mean {guess!r}?" if guess else "check the name and the user's rights",
            )
        _demand_columns(target, there, has_booleans=database.has_booleans, where=where)
        columns = {ours: there[theirs] for ours, theirs in target.columns.items()}
        table = cls(database.quote_table(target.table), there[target.key], columns, database)
        table._demand_unique(target, where=where)
        return table

    def leave_out_absent(self) -> int:
        """Take staged rows of customers whom the CRM does not have out; gives how many."""
        theirs = self.database.as_text(f"held.{self.database.quote(self.key.name)}")
        return self.database.run(
            f"DELETE FROM {STAGING} WHERE customer_id IN (SELECT customer_id FROM {STAGING}"
            f" EXCEPT SELECT {theirs} FROM {self.name} AS held)"
            if self.database.has_fast_except
            else f"DELETE FROM {STAGING} WHERE {self._is_absent(STAGING, fresh=STAGING)}"
        )

    def upsert(self, first: int, last: int) -> int:
        """Bring staged rows into the table, new ones too; gives how many it took."""
        updated = self.update(first, last)
        return updated + self._insert(first, last)

    def clear(self, customer_id: str) -> int:
        """Set a customer's figures to null where they may be; gives how many rows had any."""
        quote = self.database.quote
        may = [quote(column.name) for column in self.columns.values() if column.nullable]
        if not may:
            return 0
        key = self.database.as_text(quote(self.key.name))
        return self.database.run(
            f"UPDATE {self.name} SET {', '.join(f'{name} = NULL' for name in may)}"
            f" WHERE {key} = ? AND ({' OR '.join(f'{name} IS NOT NULL' for name in may)})",
            customer_id,
        )

    def update(self, first: int, last: int) -> int:
        """Bring staged rows into those of the table that differ; gives how many did."""
        quote = self.database.quote
        return self.database.update_from(
            self.name,
            STAGING,
            {quote(column.name): self._as(ours, column) for ours, column in self._pairs},
            f"{self.same_customer('held', 'fresh')}"
            f" AND fresh.{PLACE} BETWEEN ? AND ? AND ({self.differ})",
            first,
            last,
        )

    def _insert(self, first: int, last: int) -> int:
        quote = self.database.quote
        names = ", ".join(quote(c.name) for c in (self.key, *self.columns.values()))
        values = ", ".join(
            self._as(ours, c) for ours, c in (("customer_id", self.key), *self._pairs)
        )
        absent = self._is_absent("fresh", fresh=f"{STAGING} AS fresh")
        return self.database.run(
            f"INSERT INTO {self.name} ({names}) SELECT {values} FROM {STAGING} AS fresh"
            f" WHERE fresh.{PLACE} BETWEEN ? AND ? AND {absent}",
            first,
            last,
        )

    def same_customer(self, held: str, fresh: str) -> str:
        """That a row of the table and a staged one are of the same customer."""
        key = f"{held}.{self.database.quote(self.key.name)}"
        return self.database.same_text(key, self.key.type, f"{fresh}.customer_id")

    def _is_absent(self, name: str, *, fresh: str) -> str:
        """That the CRM has no row of a staged row's customer."""
        same = self.same_customer("held", name)
        return self.database.unmatched(self.name, same, fresh=fresh, place=f"{name}.{PLACE}")

    @property
    def differ(self) -> str:
        """That a row of the table, `held`, has other figures than the staged one, `fresh`."""
        return " OR ".join(self.database.differ(held, fresh) for held, fresh in self.pairs())

    def pairs(self) -> list[tuple[str, str]]:
        """What each column of the table holds, and what it would hold, as SQL."""
        quote = self.database.quote
        return [(f"held.{quote(c.name)}", self._as(ours, c)) for ours, c in self._pairs]

    @property
    def _pairs(self) -> tuple[tuple[str, SqlColumn], ...]:
        return tuple(self.columns.items())

    def _as(self, ours: str, column: SqlColumn) -> str:
        """A staged value as the CRM's column will hold it."""
        return self.database.as_type(f"fresh.{self.database.quote(ours)}", column.type)

    def _demand_unique(self, target: SqlTarget, *, where: str) -> None:
        key = self.database.quote(self.key.name)
        twice = self.database.ask(
            f"SELECT 1 FROM {self.name} WHERE {key} IS NOT NULL"
            f" GROUP BY {key} HAVING COUNT(*) > 1 LIMIT 1"
        )
        if twice:
            raise ConfigError(
                f"two rows of the CRM's table {target.table!r} have the same {target.key}",
                where=where,
                do="name a column as the key that tells customers apart",
            )


_FAMILIES = {
    "money": ("money",),
    "number": ("int", "serial", "numeric", "decimal", "real", "double", "float"),
    "text": ("char", "text", "clob"),
    "truth": ("bool",),
    "date": ("date", "time"),
}


def family(sql_type: str) -> str | None:
    """What kind of values a column of this type holds; None where the type's name does not tell.

    Example:
        >>> family("character varying(20)"), family("numeric(5,2)"), family("customer_kind")
        ('text', 'number', None)
    """
    lower = sql_type.lower()
    return next((kind for kind, words in _FAMILIES.items() if any(w in lower for w in words)), None)


def _demand_columns(
    target: SqlTarget, there: Mapping[str, SqlColumn], *, has_booleans: bool, where: str
) -> None:
    ours = {column.name: column.type for column in expected_columns(CUSTOMER_ROWS)}
    faults = []
    for name in (target.key, *target.columns.values()):
        if name not in there:
            guess = nearest(name, there)
            faults.append(f"{name!r} is missing" + (f" (did you mean {guess!r}?)" if guess else ""))
    for source, name in target.columns.items():
        theirs = family(there[name].type) if name in there else None
        wanted = family(ours[source])
        fits = {None, "text", wanted}
        if wanted == "truth" and not has_booleans:
            fits.add("number")
        if theirs not in fits:
            faults.append(f"{name!r} is {there[name].type}, which cannot hold {source}")
    if faults:
        raise ConfigError(
            f"the CRM's table {target.table!r} does not fit the columns of the config",
            where=where,
            saw="; ".join(faults),
            do=f"its columns are {', '.join(map(repr, there))}",
        )
