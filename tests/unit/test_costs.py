"""What a run of tests costs, as its plugin tells it."""

from dataclasses import dataclass, field

import pytest
from tests.costs import COST, Costs

pytestmark = pytest.mark.unit


@dataclass
class Told:
    """What would be printed."""

    lines: list[str] = field(default_factory=list)

    def section(self, title):
        self.lines.append(title)

    def write_line(self, line):
        self.lines.append(" ".join(line.split()))


def report(nodeid, when, *told):
    outcome = {"outcome": "passed", "longrepr": None, "location": (nodeid, 1, nodeid)}
    return pytest.TestReport(
        nodeid=nodeid, keywords={}, when=when, user_properties=[*told], **outcome
    )


def test_costs_are_told_by_level_by_file_and_by_step():
    costs, told = Costs(), Told()
    for file, when, seconds in [
        ("tests/unit/test_a.py", "setup", 3.0),
        ("tests/unit/test_a.py", "call", 1.0),
        ("tests/unit/test_b.py", "setup", 0.5),  # skipped: no test was run
        ("tests/faults/test_c.py", "call", 9.0),
    ]:
        costs.pytest_runtest_logreport(report(f"{file}::test@group", when, (COST, seconds)))
    costs.pytest_runtest_logreport(report("tests/faults/test_c.py::test", "???"))  # it crashed
    costs.workers = 20.0

    costs.pytest_terminal_summary(told)

    assert told.lines[1:] == [
        "9.0 1 tests faults",
        "4.5 1 tests unit",
        "6.5 collecting, importing and what was not counted at a test",
        "9.0 1 tests tests/faults/test_c.py",
        "4.0 1 tests tests/unit/test_a.py",
        "0.5 0 tests tests/unit/test_b.py",
        "",
        "9.0 call tests/faults/test_c.py::test",
        "3.0 setup tests/unit/test_a.py::test",
        "1.0 call tests/unit/test_a.py::test",
        "0.5 setup tests/unit/test_b.py::test",
        "0.0 ??? tests/faults/test_c.py::test",
    ]
