"""Whole commands on a disk that fills, at once, and on a clock that jumps; `make test-faults`.

`PORTFOLIO_ML_WALK_FILLS` sets how often each command runs out of room.
"""

import os
import random

import pytest
from tests.commands import commands
from tests.full_disks import COMMANDS, cramped_shops, demos_filled, filled
from tests.pairs import PAIRS, at_once, demos_at_once, promotable, to_postgresql
from tests.walks import SECOND, shops

pytestmark = pytest.mark.campaign

FILLS = int(os.environ.get("PORTFOLIO_ML_WALK_FILLS", "12"))
JUMPS = [(days, readings) for days in (-1, 1) for readings in (0, 3)]


def shares(count: int, seed: int = 7) -> list[float]:
    """Shares of the room that a command needs, one from each of as many equal parts of it."""
    drawn = random.Random(seed)
    return [(part + drawn.random()) / count for part in range(count)]


@pytest.fixture(scope="module")
def cramped(tmp_path_factory):
    with cramped_shops(tmp_path_factory.mktemp("walk")) as found:
        yield found


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop whose second models wait to be promoted."""
    with shops(tmp_path_factory.mktemp("pairs")) as shop:
        promotable(shop)
        yield shop


@pytest.mark.parametrize("is_roomy", [False, True], ids=["all on it", "temporary files elsewhere"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_full_disk_is_finished_with_more_room(
    cramped, tmp_path, tell, command, is_roomy
):
    shop, small = cramped
    roomy = tmp_path if is_roomy else None
    seen = filled(shop, small, command, shares(FILLS), roomy=roomy)
    where = "temporary files elsewhere" if is_roomy else "all on it"
    tell(f"disk full, {where}", command, FILLS, seen)
    assert seen["finished"] == FILLS
    assert seen["room enough"] < FILLS


def test_a_demo_on_a_full_disk_is_finished_with_more_room(tmp_path, tell):
    times = max(2, FILLS // 4)
    seen = demos_filled(tmp_path, shares(times))
    tell("disk full, all on it", "demo", times, seen)
    assert seen["finished"] == times


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda words: words[0])
def test_two_commands_at_once_leave_what_a_plain_run_finishes(shop, tell, first, second):
    seen = at_once(shop, first, second)
    tell("at once", f"{first[0]} and {second[0]}", 1, seen)
    assert seen["done"] >= 1


def test_two_scorings_to_one_postgresql_give_the_rows_of_one_alone(shop, postgresql, tell):
    seen = to_postgresql(shop, postgresql)
    tell("at once, to one PostgreSQL", "score and score", 1, seen)
    assert seen.total() == 2


def test_two_demos_in_one_folder_leave_what_a_plain_one_finishes(tmp_path, tell):
    with commands(tmp_path) as by:
        seen = demos_at_once(by, tmp_path)
    tell("at once, in one folder", "demo and demo", 1, seen)
    assert seen["done"] >= 1


@pytest.fixture(scope="module")
def undisturbed(shop):
    """What a training and a scoring make where no clock jumps."""
    shop.begin_again()
    for command in ("train", "score"):
        ended = shop.run(command, "--as-of", SECOND)
        assert ended.code == 0, ended.told
    return shop.champions_files(), shop.delivered()


@pytest.mark.parametrize(("days", "readings"), JUMPS)
def test_a_clock_that_jumps_changes_nothing_but_times(shop, undisturbed, tell, days, readings):
    shop.begin_again()
    jump = {"CLOCK_DAYS": str(days), "CLOCK_READINGS": str(readings)}
    for command in ("train", "score", "monitor", "report"):
        ended = shop.run(command, "--as-of", SECOND, calls="tests.clocks:main", **jump)
        assert ended.code == 0, ended.told
    late = "SELECT count(*) FROM portfolio_runs WHERE finished_at < started_at"
    assert shop.told(late, "crm.db") == [(0,)]
    assert (shop.champions_files(), shop.delivered()) == undisturbed
    for command in ("train", "score"):  # the clock is right again
        ended = shop.run(command, "--as-of", SECOND)
        assert ended.code == 0, ended.told
    assert shop.champions_files() == undisturbed[0]
    assert shop.half_done() == {}
    assert shop.left_files() == []
    when = "from the beginning" if not readings else f"after {readings} readings of it"
    what = "train, score, monitor, report"
    tell(f"clock {days:+d} day, {when}", what, 1, {"the same files and rows": 1})
