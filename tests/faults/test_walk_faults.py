"""Whole commands that run out of disk, meet each other, or have a clock that jumps.

A few of each; `make test-faults` has many (`tests/campaign/test_walk_faults.py`).
"""

import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.examples import is_long
from tests.full_disks import cramped_shops, filled
from tests.pairs import SCORE, to_postgresql
from tests.walks import FIRST, SECOND

pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("walk_faults"),
]

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def cramped(tmp_path_factory):
    """A shop that has trained and delivered, on a disk that can be made to be full.

    What its rows tell of the portfolio is there in `make test-faults`.
    """
    folder = tmp_path_factory.mktemp("walk")
    with cramped_shops(folder, has_portfolio=is_long()) as found:
        yield found


def test_a_scoring_on_a_full_disk_is_finished_with_more_room(cramped, tmp_path):
    shop, small = cramped
    seen = filled(shop, small, "score", (0.4,), roomy=tmp_path)
    assert seen == {"The disk is full": 1, "finished": 1}


def test_a_scoring_killed_at_a_step_is_finished_by_a_plain_run(cramped):
    """`make test-faults` kills at moments spread over the whole command."""
    shop, _ = cramped
    shop.begin_again()
    for step, there in (
        ("delivering to customer_scores", FIRST),
        ("delivering to scores.parquet", SECOND),
    ):
        assert shop.run(*SCORE, calls="tests.dying:main", DIE_AT=step).code == -signal.SIGKILL
        assert newest(shop) == {"table": there, "receipt": there, "file": FIRST}
        assert [*shop.by.temporary.iterdir()] != []
    assert shop.run(*SCORE).code == 0
    assert newest(shop) == {"table": SECOND, "receipt": SECOND, "file": SECOND}
    assert shop.left_files() == []


def newest(shop) -> dict[str, str]:
    """The date of each target's rows, all of which have it; and that of the newest receipt."""
    [(table,)] = shop.told("SELECT DISTINCT as_of FROM customer_scores", "crm.db")
    [(receipt,)] = shop.told("SELECT MAX(as_of) FROM portfolio_runs", "crm.db")
    [day] = pq.read_table(shop.folder / "scores.parquet")["as_of"].unique().to_pylist()
    return {"table": table, "receipt": receipt, "file": str(day)}


def test_two_scorings_to_one_postgresql_give_the_rows_of_one_alone(cramped, postgresql):
    shop, _ = cramped
    assert to_postgresql(shop, postgresql).total() == 2


def test_a_clock_that_goes_back_by_a_day_meanwhile_changes_no_row(cramped):
    shop, _ = cramped
    shop.begin_again()
    jump = {"CLOCK_DAYS": "-1", "CLOCK_READINGS": "3"}
    ended = shop.run(*SCORE, calls="tests.clocks:main", **jump)
    assert ended.code == 0, ended.told
    delivered = shop.delivered()
    late = "SELECT count(*) FROM portfolio_runs WHERE finished_at < started_at"
    assert shop.told(late, "crm.db") == [(0,)]
    assert shop.run(*SCORE).code == 0
    assert shop.delivered()["database"] == delivered["database"]
    assert shop.delivered()["file"] == delivered["file"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [("--version",), ("--help",)], ids=" ".join)
def test_what_is_printed_to_a_full_disk_is_one_sentence_and_69(words):
    program = "from portfolio_ml.cli import app; app.main()"
    with FULL.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 69
    assert ended.stderr.startswith("portfolio-ml: There is no room for what is written (in ")
    assert ended.stderr.count("\n") == 1
