"""The benchmark of a night's work: its clock, and whether a promise is told as kept where it is."""

import doctest
import importlib
import operator
from dataclasses import replace
from itertools import count

import pytest
from benchmarks import markdown, score_page, steps
from benchmarks.children import Cost
from benchmarks.score_package import DELIVERY, FOLLOWED
from benchmarks.score_page import Night, Nights, page, verdicts
from benchmarks.steps import Spent, Steps

pytestmark = pytest.mark.unit


def night(seconds, *, peak=1, delivery=8.0):
    return Night(
        cost=Cost(wall_seconds=seconds, cpu_seconds=seconds, peak_bytes=peak),
        server_seconds=1.0,
        steps={"predict": Spent(1.0, 1.0), "write": Spent(delivery, 0.0)},
    )


NIGHTS = Nights(
    customers=1_000,
    lines=20_000,
    short=night(90.0),
    whole=night(500.0),
    first=night(100.0),
    again=night(90.0, delivery=4.0),
    copy_seconds=1.0,
)


def missed(**changes):
    return [v.promise for v in verdicts(replace(NIGHTS, **changes)) if not v.is_kept]


@pytest.mark.parametrize("module", [markdown, score_page, steps])
def test_the_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_promises_that_are_just_kept_are_told_so():
    assert missed() == []


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"whole": night(499.0)}, "at least 5 times as fast as the same job done plainly"),
        ({"again": night(90.0, peak=6_000_000_000, delivery=4.0)}, "peak memory under 6 GB"),
        (
            {"again": night(90.0, delivery=4.1)},
            "delivering unchanged rows takes at most 0.5 of the first delivery",
        ),
        ({"copy_seconds": 0.9}, "the first delivery takes at most 8 times a bare COPY"),
    ],
)
def test_a_figure_out_of_bounds_is_a_promise_missed(changes, promise):
    assert missed(**changes) == [promise]


def test_the_page_tells_runs_promises_steps_and_the_machine():
    text = page(NIGHTS, command="make it", machine=["2 CPUs", "PostgreSQL 18"])
    assert "Written by `make it` on 2 CPUs; PostgreSQL 18." in text
    assert "1,000 customers" in text
    assert "| plain, all features |  500.0 |" in text
    assert "5.00 times by the clock, 5.00 in CPU seconds; beside the short one 0.90" in text
    assert "| start and end |   91.0 |" in text


def test_a_step_is_told_without_the_steps_inside_it(monkeypatch):
    ticks = count()
    monkeypatch.setattr(steps, "_now", lambda: Spent(next(ticks), 0))
    clock = Steps()
    with clock.timed("outer"):  # begins at 0
        for _ in range(2):
            with clock.timed("inner"):  # 1 to 2, 3 to 4
                pass
    assert clock.spent == {"outer": Spent(3, 0), "inner": Spent(2, 0)}  # ends at 5


def test_a_followed_function_does_what_it_did(monkeypatch, tmp_path):
    monkeypatch.setattr(steps, "read", steps.read)  # put back at the end
    clock = Steps()
    clock.follow("benchmarks.steps:read", "read")
    with clock.timed("write"):
        clock.write(tmp_path / "steps.json")
    assert steps.read(tmp_path / "steps.json") == {}
    assert [*clock.spent] == ["write", "read"]


@pytest.mark.parametrize("function", FOLLOWED)
def test_what_is_followed_is_there(function):
    module, _, path = function.partition(":")
    assert callable(operator.attrgetter(path)(importlib.import_module(module)))


def test_the_steps_of_the_delivery_are_followed():
    assert {*DELIVERY} <= {*FOLLOWED.values()}
