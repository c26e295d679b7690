"""The targets of the Makefile that run tests leave none out."""

import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
LEVELS = ("unit", "property", "oracle", "parity", "integration", "faults", "browser")


def is_run_by(target: str, *marks: str) -> bool:
    """Whether a target's choice of tests holds for one with these marks."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    chosen = re.search(r'-m "(.+?)"', recipe[1])
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    known = [line.partition(":")[0] for line in markers["ini_options"]["markers"]]
    return eval(chosen[1], {name: name in marks for name in known})


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_in_make_test_and_what_waits_there_is_in_make_test_long(level):
    assert is_run_by("test", level)
    assert is_run_by("test-long", level, "long")


def test_every_level_has_its_row_where_the_levels_are_told():
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    levels = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert levels >= {*LEVELS}
    assert {level for level in levels if f"| `tests/{level}` |" not in told} == set()


@pytest.mark.parametrize("mark", ["campaign", "airflow"])
def test_neither_takes_what_has_a_target_of_its_own(mark):
    assert not is_run_by("test", mark)
    assert not is_run_by("test-long", mark)
