"""Decisions are told in one shape, short, and each is listed with the others."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

DECISIONS = Path(__file__).parents[2] / "docs/decisions"
PAGES = sorted(set(DECISIONS.glob("*.md")) - {DECISIONS / "index.md"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_says_what_was_weighed_or_measured_and_what_follows(page):
    text = page.read_text(encoding="utf-8")
    parts = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", text, re.MULTILINE)
    assert parts[:2] == ["Context", "Decision"]
    assert parts[-1] == "Consequences"
    assert {"What was weighed", "What was measured", "What was tested"} & {*parts}
    assert len(text.splitlines()) <= 40


def test_every_decision_is_listed():
    listed = (DECISIONS / "index.md").read_text(encoding="utf-8").splitlines()
    assert {page.stem for page in PAGES} <= {*listed}
