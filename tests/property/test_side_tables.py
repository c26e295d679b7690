"""Whatever is in the tables beside the transactions: each row is kept, or refused by one rule."""

import csv
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import customers, events, opportunities, points, prospects
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
said = st.sampled_from(("won", " Closed Won", "LOST", "offered", ""))
amounts = st.sampled_from(("5", " -2.5 ", "0", "many", "1e300", "nan", ""))
rows = st.lists(st.tuples(ids, moments, texts), min_size=1, max_size=30)

examples = shown(15, HealthCheck.function_scoped_fixture)


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
        if name in ("customers", "prospects"):
            return {"customers": customers, "prospects": prospects}[name].load(given, engine)
        if name in ("opportunities", "points"):
            module = {"opportunities": opportunities, "points": points}[name]
            return module.load(given, engine, today=TODAY)
        of = INTERACTIONS if name == "interactions" else CONTACTS
        return events.load(of, given, engine, today=TODAY)

    return load


def check(
    table: list[tuple[str, ...]],
    verdicts: list[str | tuple],
    loaded: Callable,
    engine,
    names: tuple[str, ...] = (),
):
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
    columns = [frame[name].to_pylist() for name in names or kept_names(frame.column_names)]
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


@examples
@given(table=st.lists(st.tuples(ids, texts), min_size=1, max_size=30))
def test_a_prospect_is_kept_once_or_refused(load, engine, table):
    seen, verdicts = set(), []
    for raw, region in table:
        prospect = raw.strip()
        if not prospect:
            verdicts.append("prospect_id_missing")
        elif prospect in seen:
            verdicts.append("duplicate_key")
        else:
            seen.add(prospect)
            verdicts.append((prospect, region.strip() or None))
    check(table, verdicts, lambda: load("prospects", ("prospect_id", "region"), table), engine)


@examples
@given(table=st.lists(st.tuples(ids, moments, amounts, moments), min_size=1, max_size=30))
def test_points_are_kept_exactly_or_refused(load, engine, table):
    numbers = {"5": 50_000, " -2.5 ": -25_000, "0": 0, "many": "unreadable"}
    numbers |= {"1e300": "out_of_range", "nan": "unreadable", "": "missing"}
    verdicts = []
    for raw, moment, amount, expiry in table:
        customer, day, number, until = (
            raw.strip(),
            MOMENTS[moment],
            numbers[amount],
            MOMENTS[expiry],
        )
        until = date(2024, 3, 12) if until == "in_the_future" else until
        until = None if until == "missing" else until
        if not customer:
            verdicts.append("customer_id_missing")
        elif isinstance(day, str):
            verdicts.append(f"timestamp_{day}")
        elif isinstance(number, str):
            verdicts.append(f"points_{number}")
        elif isinstance(until, str):
            verdicts.append(f"expires_at_{until}")
        elif number > 0 and until and until < day:
            verdicts.append("expired_before_earned")
        else:
            verdicts.append((customer, to_day(day), number, until and to_day(until)))
    header = ("customer_id", "timestamp", "points", "expires_at")
    names = ("customer_id", "day", "points", "expires_day")
    check(table, verdicts, lambda: load("points", header, table), engine, names)


deals = st.lists(st.tuples(ids, said, moments, moments), min_size=1, max_size=30)
DEALS = ("opportunity_id", "outcome", "opened_at", "closed_at")


def judged(table: list[tuple[str, ...]]) -> list[str | tuple]:
    """What becomes of each deal: its id, outcome, and the days it was opened and closed."""
    verdicts, seen = [], set()
    for raw, outcome, opening, closing in table:
        deal, opened, closed = raw.strip(), MOMENTS[opening], MOMENTS[closing]
        is_won = {"won": True, "closed won": True, "lost": False}.get(outcome.strip().lower())
        opened = None if opened == "missing" else opened
        closed = None if closed == "missing" or is_won is None else closed
        if not deal:
            verdicts.append("opportunity_id_missing")
        elif isinstance(opened, str):
            verdicts.append(f"opened_at_{opened}")
        elif isinstance(closed, str):
            verdicts.append(f"closed_at_{closed}")
        elif opened and closed and closed < opened:
            verdicts.append("closed_before_opened")
        elif deal in seen:
            verdicts.append("duplicate_key")
        else:
            seen.add(deal)
            verdicts.append((deal, is_won, opened and to_day(opened), closed and to_day(closed)))
    return verdicts


def with_representatives(table: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [(*row, "r") for row in table]


@examples
@given(table=deals)
def test_a_deal_is_kept_once_or_refused_under_the_first_rule_that_it_breaks(load, engine, table):
    header = (*DEALS, "representative_id")
    rows = with_representatives(table)
    names = ("opportunity_id", "is_won", "opened_day", "closed_day")
    check(rows, judged(table), lambda: load("opportunities", header, rows), engine, names)


@examples
@given(table=deals, as_of=st.dates(date(2024, 2, 27), date(2024, 3, 12)))
def test_deals_on_a_day_are_those_of_a_table_without_the_future(load, engine, table, as_of):
    """Rows that began later are taken out, and outcomes of later taken away, before loading."""
    day = to_day(as_of)
    expected = []
    for verdict in judged(table):
        if isinstance(verdict, tuple):
            deal, is_won, opened, closed = verdict
            began = closed if opened is None else opened
            if began is None or began <= day:
                is_later = closed is not None and closed > day
                expected.append((deal, *((None, None) if is_later else (is_won, closed))))
    if not any(isinstance(verdict, tuple) for verdict in judged(table)):
        return
    header = (*DEALS, "representative_id")
    found = load("opportunities", header, with_representatives(table)).known_on(as_of)
    rows = engine.collect(found.select("opportunity_id", "is_won", "closed_day")).to_pylist()
    assert sorted((tuple(row.values()) for row in rows), key=repr) == sorted(expected, key=repr)
