"""Two commands of one shop at the same time; then what a plain run makes of what they left."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.commands import Commands, Ended
from tests.crm import Crm
from tests.small_shop import CUSTOMERS
from tests.walks import SECOND, Shop

Words = tuple[str, ...]

BUSY, NOTHING = 75, 99
TRAIN, SCORE, REPORT, MONITOR = (
    (name, "--as-of", SECOND) for name in ("train", "score", "report", "monitor")
)
PROMOTE = ("promote", "churn", "2")
PAIRS: tuple[tuple[Words, Words], ...] = (
    (TRAIN, TRAIN),
    (TRAIN, SCORE),
    (SCORE, SCORE),
    (PROMOTE, SCORE),
    (REPORT, SCORE),
    (MONITOR, TRAIN),
)
"""Whatever changes the champions comes first: by whom a date is scored depends on it."""
_VOLATILE = {
    "run_id",
    "scored_at",
    "churn_model_version",
    "ltv_model_version",
    "segment_model_version",
}
"""What may differ: whose run it was, and which of two equal models."""


def at_once(shop: Shop, first: Words, second: Words) -> Counter[str]:
    """Two commands at once, then both again, one by one: the state is that of both alone.

    Gives how many of the two had done their work, and how many were told to come again.
    """
    shop.begin_again()
    for words in (first, second):
        _demand_done(shop.run(*words), words)
    wanted = made(shop)
    shop.begin_again()
    begun = [shop.begin(*words) for words in (first, second)]
    seen = Counter(_told(each.end()) for each in begun)
    for words in (first, second):
        _demand_done(shop.run(*words), words)
    assert made(shop) == wanted
    assert shop.half_done() == {}
    assert shop.left_files() == []
    return seen


def promotable(shop: Shop) -> None:
    """Let a shop have models of the second date, too, which are no champions; begin from there."""
    _demand_done(shop.run(*TRAIN, "--no-promote"), TRAIN)
    shop.keep()


def to_postgresql(shop: Shop, crm: Crm) -> Counter[str]:
    """Two scorings to one table of a PostgreSQL server at once; its rows are those of one alone."""
    target = {"kind": "sql", "url": crm.url, "table": "customer_scores"}
    there = replace(shop, config="postgresql.yaml")
    shop.begin_again()
    settings = json.loads((shop.folder / shop.config).read_text("utf-8"))
    settings |= {"delivery": [target], "state": {"url": crm.url}}
    (shop.folder / there.config).write_text(json.dumps(settings), "utf-8")
    begun = [there.begin(*SCORE) for _ in range(2)]
    seen = Counter(_told(each.end()) for each in begun)
    _demand_done(there.run(*SCORE), SCORE)
    [(count,)] = crm.ask("SELECT count(*) FROM customer_scores")
    [*_, last] = crm.ask("SELECT sent, unchanged FROM portfolio_runs ORDER BY finished_at")
    assert last == (0, count)  # what stood was, row by row, what one run computes
    assert count == CUSTOMERS
    assert shop.left_files() == []
    return seen


def demos_at_once(by: Commands, folder: Path) -> Counter[str]:
    """Two demos begun in one empty folder; a plain one gives what one alone gives."""
    words = ("demo", "cdnow", "--dir")
    light = {"at": folder, "calls": "tests.light_demo:main"}
    _demand_done(by.run(*words, "alone", **light), words)
    begun = [by.begin(*words, "both", **light) for _ in range(2)]
    seen = Counter(_told(each.end()) for each in begun)
    _demand_done(by.run(*words, "both", **light), words)
    alone, both = (rows_of(folder / name / "scores.parquet") for name in ("alone", "both"))
    assert alone.equals(both)
    assert [*by.temporary.iterdir()] == []
    return seen


def made(shop: Shop) -> Mapping[str, object]:
    """What stands: the champions' files, and the rows delivered without what may differ."""
    rows = rows_of(shop.folder / "scores.parquet")
    listed = ", ".join(rows.column_names)
    return {
        "champions": shop.champions_files(),
        "file": rows.to_pylist(),
        "table": shop.told(f"SELECT {listed} FROM customer_scores ORDER BY 1", "crm.db"),
    }


def rows_of(file: Path) -> pa.Table:
    """Delivered rows without what may differ."""
    table = pq.read_table(file)
    return table.select([name for name in table.column_names if name not in _VOLATILE])


def _told(ended: Ended) -> str:
    assert ended.code in {0, BUSY, NOTHING}, ended.told
    assert "Traceback" not in ended.told
    if not ended.code:
        return "done"
    assert ended.sentence.startswith("portfolio-ml: "), ended.told
    return "come again"


def _demand_done(ended: Ended, words: Words) -> None:
    assert ended.code in ({0, NOTHING} if words[0] == "promote" else {0}), ended.told
