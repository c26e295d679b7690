"""The table of `make coverage`: parts of the walk, and where too little is taken."""

import pytest
from tests.covered_branches import Module, modules, rows

pytestmark = pytest.mark.unit


def measured(branches, taken, missing=()):
    counts = {"num_branches": branches, "covered_branches": taken}
    return {"summary": counts, "missing_branches": [list(way) for way in missing]}


def test_each_module_has_its_part_and_the_ways_that_no_test_goes():
    files = {
        "src/portfolio_ml/sinks/files/places.py": measured(4, 3, [(7, 9)]),
        "src/portfolio_ml/gate.py": measured(2, 2),
        "src/portfolio_ml/sinks/__init__.py": measured(0, 0),
    }
    found = {module.name: module for module in modules({"files": files})}
    assert found["sinks.files.places"] == Module("sinks.files.places", 4, 3, ((7, 9),))
    assert [found[name].part for name in ("sinks", "sinks.files.places", "gate")] == [
        "sinks",
        "sinks",
        "gate",
    ]
    assert found["sinks"].share == 1


def test_a_part_is_summed_and_names_its_modules_that_take_too_few():
    found = [
        Module("sinks.rows", 100, 99, ((1, 2),)),
        Module("sinks.lease", 10, 7, ()),
        Module("sinks.http", 10, 4, ()),
        Module("gate", 0, 0, ()),
    ]
    assert rows(found) == {
        "gate": "| gate | 1 | 0 | 0 | – |  |\n",
        "sinks": "| sinks | 3 | 120 | 110 | 91.7% | `sinks.http` 40%, `sinks.lease` 70% |\n",
        "all": "| all | 4 | 120 | 110 | 91.7% |  |\n",
    }
