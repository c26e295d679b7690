"""Whatever is in the tables beside the transactions: each row is kept, or refused by one rule."""

import csv
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import customers, events
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.schema import CONTACTS, INTERACTIONS
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.property

TODAY = date(2024, 3, 10)

# What a text says: the day, or why it is none.
MOMENTS = {
    "2024-03-01": date(2024, 3, 1),
    " 20240229 ": date(2024, 2, 29),
    "2024-03-01 10:00": date(2024, 3, 1),
    "1900-01-01": date(1900, 1, 1),
    "2024-03-11": date(2024, 3, 11),
    "2024-03-12": "in_the_future",
    "1899-12-31": "before_1900",
    "soon": "unreadable",
    "2023-02-29": "unreadable",
    "": "missing",
    "\t ": "missing",
}
ids = st.sampled_from(("a", " a", "b", "007", "7", "", " ", "o'Brien", '"'))
moments = st.sampled_from(tuple(MOMENTS))
texts = st.sampled_from(("call", " ", "", "x"))
rows = st.lists(st.tuples(ids, moments, texts), min_size=1, max_size=30)

examples = shown(25, HealthCheck.function_scoped_fixture)


@pytest.fixture
def load(engine, tmp_path):
    """Loads rows of one of the tables through a CSV file."""

    def load(name: str, header: tuple[str, ...], table: list[tuple[str, ...]]):
        with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows([header, *table])
        data = {
            "transactions": {"source": "x.csv"},
            name: {"source": "rows.csv"},
            "max_quarantined_share": 1,
        }
        given = settings_from({"name": "shop", "data": data}, base=tmp_path)
        if name == "customers":
            return customers.load(given, engine)
        of = INTERACTIONS if name == "interactions" else CONTACTS
        return events.load(of, given, engine, today=TODAY)

    return load


def check(table: list[tuple[str, ...]], verdicts: list[str | tuple], loaded: Callable, engine):
    """Each row is kept as its verdict says, or refused under the rule that it names."""
    kept = [verdict for verdict in verdicts if isinstance(verdict, tuple)]
    if not kept:
        with pytest.raises(DataError, match="none is left"):
            loaded()
        return
    found = loaded()
    assert found.kept + found.quarantined == len(table)
    assert found.kept == len(kept)
    assert [(r["row_number"], r["rule"]) for r in found.quarantine.to_pylist()] == [
        (n, verdict) for n, verdict in enumerate(verdicts, start=1) if isinstance(verdict, str)
    ]
    frame = engine.collect(found.frame)
    columns = [frame[name].to_pylist() for name in kept_names(frame.column_names)]
    assert sorted(zip(*columns, strict=True), key=repr) == sorted(kept, key=repr)


def kept_names(names: list[str]) -> list[str]:
    return [name for name in names if name != "minute"]


@examples
@given(table=rows)
def test_a_customers_row_is_kept_once_per_key_or_refused(load, engine, table):
    seen, verdicts = set(), []
    for raw, moment, region in table:
        customer, day = raw.strip(), MOMENTS[moment]
        since = None if day == "missing" else day
        if day == "in_the_future":
            since = date(2024, 3, 12)  # a change may be planned
        key = (customer, since if since is None or isinstance(since, str) else to_day(since))
        if not customer:
            verdicts.append("customer_id_missing")
        elif isinstance(since, str):
            verdicts.append(f"valid_from_{since}")
        elif key in seen:
            verdicts.append("duplicate_key")
        else:
            seen.add(key)
            verdicts.append((*key, region.strip() or None))
    header = ("customer_id", "valid_from", "region")
    check(table, verdicts, lambda: load("customers", header, table), engine)


@examples
@given(table=rows, name=st.sampled_from(("interactions", "contacts")))
def test_an_event_is_kept_or_refused_under_the_first_rule_that_it_breaks(load, engine, table, name):
    said = {"interactions": "kind", "contacts": "action"}[name]
    verdicts = []
    for raw, moment, text in table:
        customer, day = raw.strip(), MOMENTS[moment]
        if not customer:
            verdicts.append("customer_id_missing")
        elif isinstance(day, str):
            verdicts.append(f"timestamp_{day}")
        elif not text.strip():
            verdicts.append(f"{said}_missing")
        else:
            verdicts.append((customer, to_day(day), text.strip()))
    check(table, verdicts, lambda: load(name, ("customer_id", "timestamp", said), table), engine)
