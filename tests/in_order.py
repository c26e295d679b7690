"""Two deliveries at once into one table, of which the older ends last."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pyarrow as pa
from tests.crm import MONDAY, TUESDAY, WEDNESDAY, Crm, deliver, rows, run_of

from portfolio_ml.sinks import sql
from portfolio_ml.sinks.receipts import Receipt


def the_newer_stands(crm: Crm, *, older_begins_first: bool) -> None:
    """Tuesday and Wednesday are delivered after Monday, by two threads at the same time.

    Customer a changes on each day, b on none, c on Tuesday only, d on Wednesday only.
    """
    deliver(crm, MONDAY, {}, {}, {}, {})
    tuesday = rows(TUESDAY, {"ltv": 2.0}, {}, {"ltv": 2.0}, {}, run_id="r2")
    wednesday = rows(WEDNESDAY, {"ltv": 3.0}, {}, {}, {"ltv": 3.0}, run_id="r3")
    jobs = [(tuesday, run_of(TUESDAY, "r2")), (wednesday, run_of(WEDNESDAY, "r3"))]
    if not older_begins_first:
        jobs.reverse()
    go = Event()

    def job(given: pa.Table, run: sql.Run) -> Receipt:
        go.wait()
        return sql.deliver_sql(given, url=crm.url, table="customer_scores", base=crm.base, run=run)

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(job, *each) for each in jobs]
        go.set()
        receipts = {each.result().as_of: each.result() for each in waiting}
    assert receipts[WEDNESDAY].status == "delivered"
    assert crm.ask("SELECT newest_as_of FROM portfolio_tables") == [("2024-03-06",)]
    late = receipts[TUESDAY].status == "history_only"
    since = {"b": "2024-03-04", "c": "2024-03-04" if late else "2024-03-06"}
    assert crm.ask("SELECT customer_id, ltv, as_of FROM customer_scores ORDER BY 1") == [
        ("a", 3.0, "2024-03-06"),
        ("b", 120.0, since["b"]),
        ("c", 120.0, since["c"]),
        ("d", 3.0, "2024-03-06"),
    ]
    past = "SELECT as_of, ltv FROM customer_scores_history WHERE customer_id = '{}' ORDER BY 1"
    assert crm.ask(past.format("a")) == [
        ("2024-03-04", 120.0),
        ("2024-03-05", 2.0),
        ("2024-03-06", 3.0),
    ]
    assert crm.ask(past.format("b")) == [("2024-03-04", 120.0)]
    assert crm.ask(past.format("c")) == [
        ("2024-03-04", 120.0),
        ("2024-03-05", 2.0),
        ("2024-03-06", 120.0),
    ]
    assert crm.ask(past.format("d")) == [("2024-03-04", 120.0), ("2024-03-06", 3.0)]
