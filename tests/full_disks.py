"""Commands of a small shop on a disk that fills while they run.

Whatever room there is, a command ends with one sentence and exit code 69, or has done its work;
nothing is torn, nothing temporary is left, and with room the same command gives what it gives where
nobody disturbs it.
"""

import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tests.commands import Ended, commands
from tests.disks import Disk, disk
from tests.pairs import rows_of
from tests.walks import SECOND, Shop, shops

from portfolio_ml.portfolio.catalogue import contracts

NO_ROOM = 69
COMMANDS = ("train", "score", "report", "portfolio", "monitor")
_LINEAGE = {c.name for contract in contracts() for c in contract.columns if c.lineage}


@contextmanager
def cramped_shops(folder: Path, *, has_portfolio: bool = True) -> Iterator[tuple[Shop, Disk]]:
    """A small shop, its temporary files too, on a disk of its own."""
    with (
        disk(folder / "disk") as small,
        shops(folder, within=small.folder, has_portfolio=has_portfolio) as shop,
    ):
        yield shop, small


def filled(
    shop: Shop, small: Disk, command: str, shares: Iterable[float], *, roomy: Path | None = None
) -> Counter[str]:
    """A command on a disk with room for shares of what it needs, each time begun again.

    Gives how often it ran out of room with which sentence, and how often it had done its work.

    Args:
        shop: The shop, on the disk.
        small: The disk.
        command: One of `COMMANDS`.
        shares: Of what it needs at most.
        roomy: A folder elsewhere for temporary files, so that what is to stay runs out of room.
    """
    words = (command, "--as-of", SECOND, *(["--json"] if command == "monitor" else []))
    how = {} if roomy is None else {"TMPDIR": str(roomy)}
    shop.begin_again()
    before = _made(command, shop, None)
    need, wanted = _undisturbed(shop, small, words, how)
    assert need > 0
    seen = Counter[str]()
    for share in shares:
        shop.begin_again()
        small.leave(int(share * need))
        ended = shop.run(*words, **how)
        small.widen()
        assert ended.code in {0, NO_ROOM}, ended.told
        assert "Traceback" not in ended.told
        if ended.code:
            assert ended.sentence.startswith("portfolio-ml: "), ended.told
        seen[_plain(ended.sentence) if ended.code else "room enough"] += 1
        assert shop.left_files() == []
        assert roomy is None or [*roomy.iterdir()] == []
        _demand_whole(_made(command, shop, ended), before, wanted, is_done=not ended.code)
        again = shop.run(*words)
        assert again.code == 0, again.told
        assert _made(command, shop, again) == wanted
        assert shop.left_files() == []
        if command == "train":
            assert shop.half_done() == {}
        seen["finished"] += 1
    return seen


def demos_filled(folder: Path, shares: Iterable[float]) -> Counter[str]:
    """The same for demos, each in an empty folder of a disk of its own."""
    seen = Counter[str]()
    words = ("demo", "cdnow", "--dir", "demo")
    with disk(folder / "disk") as small, commands(folder, within=small.folder) as by:
        how = {"at": small.folder, "calls": "tests.light_demo:main"}
        began = small.used
        done = by.run(*words, **how)
        assert done.code == 0, done.told
        need, wanted = small.used - began, _scores(small.folder)
        for share in shares:
            shutil.rmtree(small.folder / "demo")
            small.leave(int(share * need))
            ended = by.run(*words, **how)
            small.widen()
            assert ended.code == NO_ROOM, ended.told
            assert "Traceback" not in ended.told
            seen[_plain(ended.sentence)] += 1
            again = by.run(*words, **how)
            assert again.code == 0, again.told
            assert _scores(small.folder).equals(wanted)
            assert [*by.temporary.iterdir()] == []
            seen["finished"] += 1
    return seen


def _scores(folder: Path) -> pa.Table:
    """A demo's rows, segments numbered from one: a training that was cut off has used up its own.

    Which numbers were ever given is kept before a version is complete (`publish`).
    """
    rows = rows_of(folder / "demo" / "scores.parquet")
    given = rows["segment_id"]
    anew = pc.add(pc.subtract(given, pc.min(given)), 1)
    return rows.set_column(rows.column_names.index("segment_id"), "segment_id", anew)


def _plain(sentence: str) -> str:
    """What was wrong, without where and what was seen: they have the test's folders."""
    return re.sub(r"(: saw| \(in) .*", "", sentence).removeprefix("portfolio-ml: ")


def _demand_whole(
    found: dict[str, object],
    before: dict[str, object],
    wanted: dict[str, object],
    *,
    is_done: bool,
) -> None:
    """Everything is what it was or what it is to be; all of it the latter where it is done."""
    if is_done:
        assert found == wanted
    for name, value in found.items():
        assert value in (before.get(name), wanted.get(name)), name


def _undisturbed(
    shop: Shop, small: Disk, words: tuple[str, ...], how: Mapping[str, str]
) -> tuple[int, dict[str, object]]:
    """How much room a command takes at most, and what it makes."""
    began = small.used
    most, is_over = [began], threading.Event()

    def look() -> None:
        while not is_over.wait(0.005):
            most[0] = max(most[0], small.used)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        ended = shop.run(*words, **how)
    finally:
        is_over.set()
        looking.join()
    assert ended.code == 0, ended.told
    return max(most[0], small.used) - began, _made(words[0], shop, ended)


def _made(command: str, shop: Shop, ended: Ended | None) -> dict[str, object]:
    """What a command has made by now, without its times and the names of its runs."""
    made: dict[str, Callable[[], dict[str, object]]] = {
        "train": lambda: {"champions": shop.champions_files()},
        "score": lambda: {
            name: digest for name, digest in shop.delivered().items() if "receipt" not in name
        },
        "report": lambda: _reported(shop.folder),
        "portfolio": lambda: _figures(shop),
        "monitor": lambda: _judged(ended),
    }
    return made[command]()


def _reported(folder: Path) -> dict[str, object]:
    facts, page = folder / "report.json", folder / "report.html"
    found: dict[str, object] = {}
    if facts.exists():
        told = json.loads(facts.read_bytes())
        del told["lineage"]
        found["facts"] = json.dumps(told, sort_keys=True)
    if page.exists():
        found["page"] = page.read_text("utf-8").rstrip().endswith("</html>")
    return found


def _figures(shop: Shop) -> dict[str, object]:
    files = (shop.folder / "figures").glob("*.parquet")
    found: dict[str, object] = {file.name: _without_lineage(file) for file in files}
    if (shop.folder / "figures.db").exists():
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'figure_%'"
        for (name,) in shop.told(names, "figures.db"):
            columns = shop.told(f"SELECT name FROM pragma_table_info('{name}')", "figures.db")
            kept = ", ".join(f'"{c}"' for (c,) in columns if c not in _LINEAGE)
            rows = shop.told(f"SELECT {kept} FROM {name}", "figures.db")
            found[str(name)] = sorted(map(repr, rows)) or None
    return {name: value for name, value in found.items() if value is not None}


def _without_lineage(file: Path) -> str:
    table = pq.read_table(file)
    return repr(table.select([n for n in table.column_names if n not in _LINEAGE]).to_pylist())


def _judged(ended: Ended | None) -> dict[str, object]:
    if ended is None or ended.code:
        return {}
    told = json.loads(ended.printed)
    told.pop("run_id", None)
    return {"told": json.dumps(told, sort_keys=True)}
