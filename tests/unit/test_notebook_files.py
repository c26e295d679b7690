"""The notebooks as files: all listed, none with outputs, links that lead somewhere."""

import json
import re
from pathlib import Path

import pytest

import portfolio_ml as pml
from portfolio_ml import metrics

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path, kind):
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == kind]


def test_every_notebook_is_listed_in_order():
    listed = re.findall(r"\]\((\w+\.ipynb)\)", (FOLDER / "README.md").read_text("utf-8"))
    assert listed == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestANotebook:
    def test_is_committed_without_outputs(self, path):
        code = cells(path, "code")
        assert code
        assert [cell["outputs"] for cell in code] == [[]] * len(code)
        assert {cell["execution_count"] for cell in code} == {None}

    def test_reaches_into_no_private_name(self, path):
        source = "\n".join("".join(cell["source"]) for cell in cells(path, "code"))
        assert not re.findall(r"\b(?:pml|portfolio_ml)(?:\.\w+)*\._\w+", source)
        imported = set(re.findall(r"from (portfolio_ml[\w.]*) import", source))
        assert imported <= {"portfolio_ml.metrics"}

    def test_uses_only_names_that_are_there(self, path):
        """What it calls on them is seen when it runs, of most in `make test-long` alone."""
        source = "\n".join("".join(cell["source"]) for cell in cells(path, "code"))
        used = {*re.findall(r"\bpml\.(\w+)", source)}
        assert used
        assert {name for name in used if not hasattr(pml, name)} == set()
        imported = re.findall(r"from portfolio_ml\.metrics import ([\w, ]+)", source)
        names = {name.strip() for line in imported for name in line.split(",")}
        assert {name for name in names if not hasattr(metrics, name)} == set()

    def test_links_to_files_that_are_there(self, path):
        text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
        links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
        assert links
        assert [link for link in links if not (FOLDER / link).exists()] == []
