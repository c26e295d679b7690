"""The benchmark of large portfolios: its slopes, its page, and that it goes on where it was."""

import doctest
import json
from dataclasses import asdict

import pytest
from benchmarks import sampling, scale, scale_page
from benchmarks.children import Cost
from benchmarks.scale_child import FOLLOWED
from benchmarks.scale_page import GROWTH, Size, page, paper_table, slope, whole_table
from benchmarks.steps import Spent

pytestmark = pytest.mark.unit


def size(millions: int, *, growth: float = 1.0) -> Size:
    seconds = 10.0 * millions**growth
    cost = Cost(seconds, 2 * seconds, peak_bytes=3_000_000_000, own_peak_bytes=2_000_000_000)
    steps = {
        "train": {"load and validate": Spent(seconds / 2, seconds), "fit": Spent(50.0, 80.0)},
        "score": {"deliver: write": Spent(seconds / 4, seconds / 4)},
    }
    return Size(millions, {"train": cost, "score": cost}, steps, delivered_bytes=1)


@pytest.mark.parametrize("module", [scale_page, sampling])
def test_the_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_a_cost_that_grows_as_the_lines_has_a_slope_of_one():
    assert "| slope" in whole_table([size(5), size(20)])
    assert whole_table([size(5), size(20)]).splitlines()[-1].split("|")[3].strip() == "1.00"
    found = [size(5, growth=1.5), size(20, growth=1.5), size(50, growth=1.5)]
    assert whole_table(found).splitlines()[-1].split("|")[3].strip() == "1.50"


def test_one_size_has_no_slope():
    assert slope([5], [1.0]) is None
    assert "–" in whole_table([size(5)]).splitlines()[-1]


def test_what_was_measured_is_read_and_not_measured_again(tmp_path):
    kept = tmp_path / "scale 5 million, 1GB.json"
    kept.write_text(json.dumps(asdict(size(5))))

    assert scale.measured_size(tmp_path, 5, memory_limit="1GB") == size(5)


def test_on_paper_only_what_grows_is_multiplied_and_only_the_clusters_part_divided():
    told = paper_table(size(100), millions=1_000, customers=50, cores=100)
    rows = {row.split("|")[1].strip(): row.split("|") for row in told.splitlines()}

    load = rows["train: load and validate"]  # 1,000 CPU s, ten times as much, on 100 cores
    assert [cell.strip() for cell in load[4:7]] == ["10.00", "2.8", "1.7"]
    fit = rows["train: fit"]
    assert [cell.strip() for cell in fit[4:7]] == ["–", "0.0", "0.8"]
    write = rows["score: deliver: write"]  # 250 s on the clock, ten times as long
    assert [cell.strip() for cell in write[4:7]] == ["2.50", "0.7", "41.7"]


def test_the_bottleneck_comes_first_on_paper():
    assert paper_table(size(100)).splitlines()[2].startswith("| score: deliver: write")


def test_the_page_tells_every_size_and_step():
    told = page([size(5), size(20)], command="x", memory_limit="4GB", machine=["2 CPUs"])

    for text in (
        "5 million lines",
        "20 million lines",
        "load and validate",
        "4GB",
        "## One billion",
    ):
        assert text in told


def test_every_step_is_a_function_that_is_there():
    for function in FOLLOWED:
        module, _, path = function.partition(":")
        owner = __import__(module, fromlist=["_"])
        for name in path.split("."):
            owner = getattr(owner, name)
        assert callable(owner)


def test_what_grows_is_among_the_steps():
    assert set(GROWTH) <= set(FOLLOWED.values())
