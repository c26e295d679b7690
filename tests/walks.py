"""Whole commands of a small shop, disturbed at any moment; then what stands, and what is left.

The shop has champions and has delivered once. Each disturbance begins with that, at the same
place, since MLflow keeps absolute paths.
"""

import hashlib
import json
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
from tests import small_shop
from tests.commands import Commands, Ended, Running, commands

CONFIG = "shop.yaml"
FIRST, SECOND = "2023-10-31", "2023-11-29"
"""The date that was trained on and delivered, and the one that is."""
DELIVERY = (
    {"kind": "sql", "url": "sqlite:///crm.db", "table": "customer_scores"},
    {"kind": "parquet", "path": "scores.parquet"},
)
FIGURES = (
    {"kind": "sql", "url": "sqlite:///figures.db", "prefix": "figure_"},
    {"kind": "parquet", "path": "figures"},
)
_LEFT = ("*.part", "*.tmp", "*-journal", "*-wal", ".artifact.uploading.*", "portfolio-ml-*")

HALF_DONE = {
    "runs that seem to run": "SELECT count(*) FROM runs WHERE status = 'RUNNING'",
    "models that seem to be written": "SELECT count(*) FROM logged_models WHERE status = 1",
    "versions that nobody completed or gave up": (
        "SELECT count(*) FROM model_versions v WHERE NOT EXISTS (SELECT 1 FROM model_version_tags t"
        " WHERE t.name = v.name AND t.version = v.version AND t.key = 'state')"
    ),
    "moves that were only announced": (
        "SELECT count(*) FROM registered_model_tags"
        " WHERE key LIKE 'move.%' AND value LIKE '%\"is_done\": false%'"
    ),
}
FILES = (
    "SELECT a.name, t.key, t.value FROM registered_model_aliases a JOIN model_version_tags t"
    " ON t.name = a.name AND t.version = a.version AND t.key LIKE 'sha256.%'"
    " WHERE a.alias = 'champion' ORDER BY 1, 2"
)
CHAMPIONS = (
    "SELECT a.name, a.version, t.value FROM registered_model_aliases a LEFT JOIN"
    " model_version_tags t ON t.name = a.name AND t.version = a.version AND t.key = 'state'"
    " WHERE a.alias = 'champion' ORDER BY 1"
)


@dataclass
class Shop:
    """A small shop in a folder, which a copy beside it brings back to where it began.

    Attributes:
        folder: The shop.
        by: What begins its commands.
        seconds: What each command takes where nobody disturbs it.
        config: The config that they are given.
    """

    folder: Path
    by: Commands
    seconds: dict[str, float] = field(default_factory=dict)
    config: str = CONFIG

    @property
    def _copy(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-before")

    def run(self, *words: str, **how: object) -> Ended:
        """A command on the shop's config, to its end."""
        return self.begin(*words, **how).end()

    def begin(self, *words: str, **how: object) -> Running:
        """Begin one."""
        return self.by.begin(*words, "--config", self.config, at=self.folder, **how)

    def keep(self) -> None:
        """Have it begin from here."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.folder, self._copy)

    def begin_again(self) -> None:
        """Bring it back to where it began."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._copy, self.folder)

    def measure(self, *words: str) -> Ended:
        """A command that nobody disturbs."""
        began = time.monotonic()
        ended = self.run(*words)
        self.seconds[words[0]] = time.monotonic() - began
        assert ended.code == 0, ended.told
        return ended

    def killed(self, moment: float, *words: str) -> bool:
        """Kill a command at a share of its usual time; gives whether it had not ended before."""
        begun = self.begin(*words)
        time.sleep(moment * self.seconds[words[0]])
        begun.kill()
        return begun.end().code < 0

    def told(self, question: str, database: str = "mlflow.db") -> list[tuple[object, ...]]:
        """What a database of the shop answers; it must be sound, too."""
        with closing(sqlite3.connect(self.folder / database)) as connection:
            assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            return connection.execute(question).fetchall()

    def champions(self) -> dict[str, str]:
        """The version of each champion, which is complete."""
        found = self.told(CHAMPIONS)
        assert {state for *_, state in found} == {"complete"}, found
        return {str(name): str(version) for name, version, _ in found}

    def champions_files(self) -> list[tuple[object, ...]]:
        """The files of each champion, by their digests."""
        assert self.champions()
        return self.told(FILES)

    def half_done(self) -> dict[str, object]:
        """What dead trainings left in the registry."""
        found = {what: self.told(question)[0][0] for what, question in HALF_DONE.items()}
        return {what: count for what, count in found.items() if count}

    def left_files(self) -> list[str]:
        """Temporary files, in the shop's folder and in that of all its commands."""
        there = [path for pattern in _LEFT for path in self.folder.rglob(pattern)]
        return sorted(str(path) for path in {*there, *self.by.temporary.iterdir()})

    def delivered(self) -> dict[str, str]:
        """Per target a digest of its rows, lineage aside, and of its receipts."""
        scores = self.told("SELECT * FROM customer_scores ORDER BY customer_id", "crm.db")
        file = pq.read_table(self.folder / "scores.parquet").drop_columns(["run_id", "scored_at"])
        return {
            "database": _digest([_without_stamps(row) for row in scores]),
            "database's receipts": _digest(self.receipts("crm.db")),
            "file": _digest(file.to_pylist()),
            "file's receipts": _digest(self.receipts("portfolio_state.db")),
        }

    def receipts(self, database: str) -> list[tuple[object, ...]]:
        """What the receipts tell beside whose run it was and when."""
        return self.told(
            "SELECT table_name, as_of, rows, sent, unchanged, rejected, status FROM portfolio_runs"
            " ORDER BY as_of, finished_at",
            database,
        )


@contextmanager
def shops(
    folder: Path, *, within: Path | None = None, has_portfolio: bool = True
) -> Iterator[Shop]:
    """A shop that has trained and delivered on the first date, for the length of a block.

    Args:
        folder: For what its commands tell, and for the shop itself.
        within: Where the shop and its temporary files are instead.
        has_portfolio: Whether its rows tell what the portfolio's figures say, too, for which a
            scoring takes twice as long.
    """
    with commands(folder, within=within) as by:
        there = (within or folder) / "shop"
        there.mkdir()
        small_shop.settings_of(there)
        told = config() | {"scoring": {"portfolio": has_portfolio}}
        (there / CONFIG).write_text(json.dumps(told), "utf-8")
        shop = Shop(there, by)
        for words in (("train",), ("score",)):
            done = shop.run(*words, "--as-of", FIRST)
            assert done.code == 0, done.told
        shop.keep()
        yield shop


def config(uri: str = "sqlite:///mlflow.db") -> dict[str, object]:
    """The shop's config, as plain values."""
    horizon = {"horizon_days": 30}
    return {
        "name": "shop",
        "data": {"transactions": {"source": "sales.parquet"}},
        "targets": {"churn": horizon, "lifetime_value": horizon, "segments": {"count": 3}},
        "training": {"snapshots": 1},
        "backtest": {"cutoffs": 1, "bootstrap": 100},
        "engine": {"threads": 1},
        "tracking": {"uri": uri},
        "delivery": [*DELIVERY],
        "report": {"path": "report.html"},
        "portfolio": {"delivery": [*FIGURES]},
    }


def trainings_killed(shop: Shop, kills: int, *, seed: int = 7) -> Counter[str]:
    """Trainings killed at moments spread over their time, each finished by a plain run of it.

    Gives how often the champions were the old ones, the new ones, or some of each, and how often
    a training had ended before it was killed.
    """
    words = ("train", "--as-of", SECOND)
    old = shop.champions()
    shop.measure(*words)
    new = shop.champions()
    assert old != new
    seen = Counter[str]()
    for moment in _moments(kills, seed):
        shop.begin_again()
        if not shop.killed(moment, *words):
            seen["ended before"] += 1
        seen[_named(shop.champions(), old=old, new=new)] += 1
        again = shop.run(*words)
        assert again.code == 0, again.told
        assert {*shop.champions()} == {*new}
        assert shop.half_done() == {}
        assert shop.left_files() == []
        seen["finished"] += 1
    return seen


def scorings_killed(shop: Shop, kills: int, *, seed: int = 7) -> Counter[str]:
    """The same for scorings: what was delivered is the old or the new at each target."""
    words = ("score", "--as-of", SECOND)
    shop.begin_again()
    old = shop.delivered()
    shop.measure(*words)
    new = shop.delivered()
    assert not {*old.items()} & {*new.items()}
    seen = Counter[str]()
    for moment in _moments(kills, seed):
        shop.begin_again()
        if not shop.killed(moment, *words):
            seen["ended before"] += 1
        found = shop.delivered()
        seen[_named(found, old=old, new=new)] += 1
        assert (found["database"] == new["database"]) == (
            found["database's receipts"] == new["database's receipts"]
        )
        again = shop.run(*words)
        assert again.code == 0, again.told
        _demand_finished(shop.delivered(), new)
        assert shop.left_files() == []
        seen["finished"] += 1
    return seen


def _demand_finished(found: dict[str, str], new: dict[str, str]) -> None:
    """The rows are the new ones; the receipts may tell of one run more, which changed nothing."""
    for name in ("database", "file"):
        assert found[name] == new[name], name


def _moments(count: int, seed: int) -> Iterator[float]:
    """Shares of a command's time, one from each of as many equal parts of it, in any order."""
    drawn = random.Random(seed)
    parts = [*range(count)]
    drawn.shuffle(parts)
    for part in parts:
        yield (part + drawn.random()) / count * 1.05


def _named(found: dict[str, str], *, old: dict[str, str], new: dict[str, str]) -> str:
    assert {*found} == {*new}
    assert all(state in {old[name], new[name]} for name, state in found.items()), found
    if found == old:
        return "old"
    return "new" if found == new else "some of each"


def _without_stamps(row: tuple[object, ...]) -> list[object]:
    """A delivered row without what tells its run, the last two columns."""
    return [*row[:-2]]


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
