"""The table of `make fuzz`: a part's row is written anew, those of the others stay."""

from datetime import date

import pytest
from tests.fuzz.page import PLACE, Fuzzed, written

pytestmark = pytest.mark.unit

PARTS = ("config", "csv", "models")


def fuzzed(part, tried, day=1):
    return Fuzzed(part, 3, tried, 60.4, 41.6, 0, date(2026, 11, day))


def test_a_row_is_written_anew_and_the_others_stay_in_their_order():
    page = f"Above.\n\n{PLACE.begin}\n{PLACE.end}\n\nBelow.\n"
    first = written(page, [fuzzed("models", 7), fuzzed("config", 1_234)], PARTS, "2 CPUs")
    both = written(first, [fuzzed("models", 8, day=2), fuzzed("csv", 9, day=2)], PARTS, "4 CPUs")
    assert [line for line in both.splitlines() if line.startswith("| c") or "models" in line] == [
        "| config | 3 | 1,234 | 60 | 42 | 0 | 2026-11-01 |",
        "| csv | 3 | 9 | 60 | 42 | 0 | 2026-11-02 |",
        "| models | 3 | 8 | 60 | 42 | 0 | 2026-11-02 |",
    ]
    assert "Measured on 4 CPUs." in both
    assert "2 CPUs" not in both
    assert both.startswith("Above.\n\n<!--")
    assert both.endswith("-->\n\nBelow.\n")


def test_a_page_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="no place"):
        written("Nothing here.\n", [fuzzed("csv", 1)], PARTS, "2 CPUs")
