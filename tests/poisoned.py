"""Rows that a CRM's rules refuse among many that they do not.

`abstention` of every row is the row's own, but that of bad rows, who have the first customer's.
"""

from datetime import date

import pyarrow as pa
from tests.crm import MONDAY, Crm, many, quoted, run_of

from portfolio_ml.config import Settings, SqlTarget, settings_from
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.sinks.sql import deliver_sql

IS_BAD = "abstention = 'own of c000000' AND customer_id <> 'c000000'"

_SERVER_RULES = {
    "check": f"ALTER TABLE customer_scores ADD CONSTRAINT rule CHECK (NOT ({IS_BAD}))",
    "unique": "CREATE UNIQUE INDEX rule ON customer_scores (abstention)",
    "foreign key": "CREATE TABLE allowed AS SELECT customer_id, abstention FROM customer_scores;"
    "ALTER TABLE allowed ADD PRIMARY KEY (customer_id, abstention);"
    "ALTER TABLE customer_scores ADD CONSTRAINT rule FOREIGN KEY (customer_id, abstention)"
    " REFERENCES allowed DEFERRABLE INITIALLY DEFERRED",
    "trigger": "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION 'no %', NEW.customer_id; END $$;"
    "CREATE TRIGGER rule BEFORE INSERT OR UPDATE ON customer_scores FOR EACH ROW"
    f" WHEN ({IS_BAD.replace('abst', 'NEW.abst').replace('cust', 'NEW.cust')})"
    " EXECUTE FUNCTION refuse()",
}
_FILE_TRIGGER = (
    "CREATE TRIGGER rule BEFORE {} ON customer_scores"
    f" WHEN {IS_BAD.replace('abst', 'NEW.abst').replace('cust', 'NEW.cust')}"
    " BEGIN SELECT RAISE(ABORT, 'no such row'); END"
)


def with_rule(crm: Crm, rule: str, *, rows: int) -> None:
    """Deliver Monday's rows, all good, and let the table have a rule from then on."""
    deliver_rows(crm, MONDAY, rows=rows)
    if (crm.is_postgresql and rule != "validation") or rule == "unique":
        crm.change(_SERVER_RULES[rule])
    elif rule == "trigger":
        crm.change(_FILE_TRIGGER.format("INSERT"))
        crm.change(_FILE_TRIGGER.format("UPDATE").replace("rule", "rule2"))
    elif rule == "check":
        _replace_table(crm, f", CHECK (NOT ({IS_BAD})))")


def without_rule(crm: Crm, rule: str) -> None:
    """Take the rule away."""
    if rule == "unique":
        crm.change("DROP INDEX rule")
    elif crm.is_postgresql and rule == "trigger":
        crm.change("DROP TRIGGER rule ON customer_scores")
    elif crm.is_postgresql:
        crm.change("ALTER TABLE customer_scores DROP CONSTRAINT rule")
    elif rule == "trigger":
        crm.change("DROP TRIGGER rule; DROP TRIGGER rule2")
    else:
        _replace_table(crm, ")")


def deliver_rows(crm: Crm, as_of: date, *, rows: int, bad: int = 0, rule: str = "check") -> Receipt:
    """Deliver rows that all differ from those of other days; every n-th is bad."""
    given = many(as_of, rows)
    ids = given["customer_id"].to_pylist()
    chosen = set(ids[1 :: max((rows - 1) // bad, 1)][:bad]) if bad else set()
    own = [f"own of {'c000000' if each in chosen else each}" for each in ids]
    given = _with(given, "abstention", own)
    if rule == "validation":
        ltv = given["ltv"].to_pylist()
        bad_ltv = [None if i in chosen else v for i, v in zip(ids, ltv, strict=True)]
        given = _with(given, "ltv", bad_ltv)
    url, base = crm.url, crm.base
    return deliver_sql(given, url=url, table="customer_scores", base=base, run=run_of(as_of))


def settings_of(crm: Crm, *targets: SqlTarget) -> Settings:
    """A config that delivers into the CRM."""
    target = {"kind": "sql", "url": crm.url, "table": "customer_scores"}
    delivery = [each.model_dump() for each in targets] or [target]
    given = {
        "name": "shop",
        "data": {
            "transactions": {
                "source": "sales.csv",
                "columns": {"customer_id": "id", "timestamp": "day", "amount": "amount"},
            }
        },
        "delivery": delivery,
    }
    return settings_from(given, base=crm.base)


def _with(rows: pa.Table, name: str, values: list[object]) -> pa.Table:
    place = rows.column_names.index(name)
    return rows.set_column(place, name, pa.array(values, rows.schema.field(name).type))


def _replace_table(crm: Crm, end: str) -> None:
    """Give SQLite's table another end of its definition."""
    [(definition,)] = crm.ask("SELECT sql FROM sqlite_master WHERE name = 'customer_scores'")
    plain, _, check = str(definition).partition(", CHECK")
    plain = plain if check else plain.removesuffix(")")
    crm.change(
        f"ALTER TABLE customer_scores RENAME TO {quoted('moved')}; {plain}{end};"
        "INSERT INTO customer_scores SELECT * FROM moved; DROP TABLE moved"
    )
