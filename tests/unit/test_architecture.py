"""The contract of order and doors holds, and catches what breaks it."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "portfolio_ml"


def _modules():
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE), ast.parse(path.read_text(encoding="utf-8"))


def _checked(folder):
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache", "--config", str(folder / ".importlinter")],
        capture_output=True,
        text=True,
        cwd=folder / "src",
        env={"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"},
        check=False,
    )


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("timeline.py", "import portfolio_ml.scoring", "imports only from modules above it"),
        ("features/feature.py", "import portfolio_ml.features.table", "The order within features"),
        ("scoring.py", "import mlflow", "One door: MLflow"),
        ("gate.py", "import duckdb", "One door: DuckDB"),
        ("pipeline/scoring.py", "import rich", "One door: the command line"),
        ("sinks/http.py", "import httpx2", "One door: HTTP"),
        ("sinks/vendors/calls.py", "import jwt", "One door: signed logins"),
        ("sinks/rows.py", "import portfolio_ml.sinks.outbox", "The order within sinks"),
    ],
)
def test_a_planted_violation_is_caught(copied, module, line, broken):
    planted = copied / "src" / "portfolio_ml" / module
    planted.write_text(planted.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    done = _checked(copied)
    assert done.returncode != 0
    told = [text for text in done.stdout.splitlines() if " BROKEN" in text]
    assert any(broken in text for text in told), done.stdout


def test_a_module_that_no_layer_names_is_caught(copied):
    (copied / "src" / "portfolio_ml" / "elsewhere.py").write_text('"""New."""\n')
    assert "elsewhere" in _checked(copied).stdout


def test_the_environment_is_read_only_by_config():
    """A library's own switches are set where its door opens; nothing else touches it."""
    readers = {
        str(path)
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    doors = {
        "registry/connecting.py",
        "registry/address.py",
        "models/trees.py",
        "engine/sessions.py",
    }
    assert readers <= {"config/loading.py", *doors}


def test_the_wall_clock_is_read_only_at_the_edges():
    readers = {
        str(path)
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "today", "utcnow", "time"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time"}
    }
    assert readers == {"cli/options.py", "given.py"}


def test_only_the_command_line_prints():
    printers = {
        path.parts[0]
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert printers <= {"cli"}
