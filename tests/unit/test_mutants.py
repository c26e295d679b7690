"""The tools that judge the tests: mutants, and runs in several orders."""

import pytest
from tests.flaky import disagreeing, fates
from tests.mutants import mutations
from tests.mutants.covering import Covering
from tests.mutants.explained import explained, gone
from tests.mutants.mutations import dotted, mutants
from tests.mutants.page import PLACE, Figures, table, written
from tests.mutants.subjects import SUBJECTS

pytestmark = pytest.mark.unit

MODULE = """LIMIT = 3


def is_small(value: int = 1) -> bool:
    if value < LIMIT:
        return True
    return False
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setattr(mutations, "SOURCE", tmp_path)
    path = tmp_path / "small.py"
    path.write_text(MODULE)
    return path


def test_mutants_reach_functions_their_heads_and_the_modules_top(module):
    changes = {(mutant.where, mutant.before, mutant.after) for mutant in mutants(module)}
    assert changes == {
        ("", "LIMIT = 3", "LIMIT = None"),
        ("", "LIMIT = 3", "LIMIT = 4"),
        (
            "is_small",
            "def is_small(value: int = 1) -> bool:",
            "def is_small(value: int = 2) -> bool:",
        ),
        ("is_small", "if value < LIMIT:", "if value <= LIMIT:"),
        ("is_small", "return True", "return False"),
        ("is_small", "return False", "return True"),
    }


def test_a_mutant_is_the_whole_module_with_one_change(module):
    (smaller,) = [mutant for mutant in mutants(module) if "<=" in mutant.after]
    assert smaller.source == MODULE.replace("<", "<=")
    assert (smaller.module, smaller.line) == ("small", 5)


def test_a_changed_line_is_tried_by_those_that_run_it_and_their_neighbours_the_quick_first(module):
    seconds = {"a.py::slow": 2.0, "a.py::quick": 1.0, "a.py::other": 0.1, "b.py::none": 0.2}
    lines = {(module, 1): frozenset({""}), (module, 5): frozenset({"a.py::slow", "a.py::quick"})}
    covering = Covering(seconds, lines)
    assert covering.plan(module, 5) == ("a.py::quick", "a.py::slow", "a.py::other")
    assert covering.plan(module, 4) == covering.plan(module, 5)
    assert covering.plan(module, 1)[0] == "a.py::other"
    assert len(covering.plan(module, 1)) == len(seconds)
    assert covering.plan(module, 7) == ()


def test_every_mutant_that_is_explained_is_still_one():
    entries = explained()
    files = {path for subject in SUBJECTS for path in subject.files()}
    named = {entry.module for entry in entries}
    assert (
        gone(entries, (m for path in files if dotted(path) in named for m in mutants(path))) == ()
    )
    assert all(entry.reason for entry in entries)


def figures(name, killed, day="2026-11-27"):
    return Figures(name, 100, killed + 5, killed, timeouts=1, equivalent=2, survived=2, day=day)


def test_the_score_leaves_out_what_nobody_can_notice():
    last = table([figures("gate", 5)]).splitlines()[-1]
    assert last == "| gate | 100 | 10 | 5 | 1 | 2 | 2 | 75.0% | 2026-11-27 |"


def test_a_part_that_was_not_tried_has_no_score():
    nothing = Figures("gate", 100, 0, killed=0, timeouts=0, equivalent=0, survived=0)
    assert table([nothing]).splitlines()[-1] == "| gate | 100 | 0 | 0 | 0 | 0 | 0 | – | – |"


def test_a_part_that_was_not_tried_keeps_its_row_in_the_page():
    page = f"Above.\n\n{PLACE.begin}\n{PLACE.end}\n\nBelow.\n"
    first = written(page, [figures("labels", 50, day="2026-11-26")], ["gate", "labels"])
    both = written(first, [figures("gate", 5), figures("labels", 0, "")], ["gate", "labels"])
    rows = [line for line in both.splitlines() if line.endswith(("-26 |", "-27 |"))]
    assert rows == [
        "| gate | 100 | 10 | 5 | 1 | 2 | 2 | 75.0% | 2026-11-27 |",
        "| labels | 100 | 55 | 50 | 1 | 2 | 2 | 96.2% | 2026-11-26 |",
    ]


def test_tests_that_failed_or_did_not_do_the_same_in_all_runs_are_told_with_the_seeds():
    runs = {
        1: {"steady": "passed", "flaky": "passed", "broken": "failed", "gone": "passed"},
        2: {"steady": "passed", "flaky": "failed", "broken": "failed"},
    }
    assert disagreeing(runs) == {
        "broken": {"failed": [1, 2]},
        "flaky": {"passed": [1], "failed": [2]},
        "gone": {"passed": [1], "missing": [2]},
    }


def test_a_fixture_that_cannot_be_taken_down_fails_its_test(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase classname="a" name="well" />
        <testcase classname="a" name="left" />
        <testcase classname="a" name="left"><error /></testcase>
        <testcase classname="a" name="not_here"><skipped /></testcase>
        </testsuite></testsuites>"""
    )
    assert fates(report) == {"a::well": "passed", "a::left": "failed", "a::not_here": "skipped"}
