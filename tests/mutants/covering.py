"""Which tests run which line, and how long each takes: measured once, on the code as it is."""

import ast
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest
from tests.mutants.subjects import LEFT_OUT, ROOT, SOURCE, Subject


class Seconds:
    """A plugin that notes the seconds of each test, its fixtures included."""

    def __init__(self) -> None:
        self.by_test: dict[str, float] = defaultdict(float)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not _is_left_out(item)]

    def pytest_runtest_logreport(self, report) -> None:
        self.by_test[report.nodeid] += report.duration


def _is_left_out(item: pytest.Item) -> bool:
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    named = {*item.fixturenames, *(value for value in values if isinstance(value, str))}
    return not LEFT_OUT.isdisjoint(named)


@dataclass(frozen=True)
class Covering:
    """What the subject's tests run, and for how many seconds.

    Attributes:
        seconds: Per test, its fixtures included.
        tests: Per file and line, the tests that ran it; "" where an import did.
    """

    seconds: Mapping[str, float]
    tests: Mapping[tuple[Path, int], frozenset[str]] = field(default_factory=dict)

    def plan(self, path: Path, line: int) -> tuple[str, ...]:
        """The tests that can notice a change on a line, those first that surely run it, the quick
        before the slow; with them the others of their files, which share their fixtures.
        """
        lines = statement(path, line)
        sure = frozenset[str]().union(*(self.tests.get((path, at), ()) for at in lines))
        if "" in sure:
            return tuple(sorted(self.seconds, key=self.seconds.__getitem__))
        files = {test.partition("::")[0] for test in sure}
        alike = {test for test in self.seconds if test.partition("::")[0] in files} - sure
        return (
            *sorted(sure & self.seconds.keys(), key=self.seconds.__getitem__),
            *sorted(alike, key=self.seconds.__getitem__),
        )

    def everything(self) -> "Covering":
        """The same, where every test is planned for whatever line."""
        return Everything(self.seconds)


class Everything(Covering):
    """All tests run every line."""

    def plan(self, path: Path, line: int) -> tuple[str, ...]:
        """All tests."""
        return tuple(self.seconds)


def statement(path: Path, line: int) -> range:
    """The lines of the innermost statement around a line; of a function's head, all its lines."""
    best = range(line, line + 1)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        body = getattr(node, "body", None)
        is_head = isinstance(node, ast.FunctionDef) and line < node.body[0].lineno
        end = node.end_lineno or line
        if body and not is_head and line < body[0].lineno:
            end = max(node.lineno, body[0].lineno - 1)
        if body and not is_head and line >= body[0].lineno:
            continue
        best = range(node.body[0].lineno if is_head else node.lineno, end + 1)
    return best


def measured(subject: Subject, folder: Path) -> Covering:
    """What the subject's tests run, measured in a process of its own.

    Raises:
        AssertionError: If the tests fail on the code as it is.
    """
    noted, data = folder / f"{subject.name}.json", folder / f"{subject.name}.coverage"
    settings = folder / "coverage.ini"
    settings.write_text(f"[run]\nsource = {SOURCE}\ndata_file = {data}\n")
    command = [sys.executable, "-m", "tests.mutants.covering", str(noted), str(settings)]
    tests = subject.test_files
    done = subprocess.run(
        [*command, *tests], cwd=ROOT, capture_output=True, text=True, check=False, env=_plain()
    )
    assert done.returncode == 0, f"the tests fail without any mutant:\n{done.stdout[-4000:]}"
    return Covering(json.loads(noted.read_text()), _lines(subject, data))


def _plain() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{ROOT}"}


def _lines(subject: Subject, data: Path) -> dict[tuple[Path, int], frozenset[str]]:
    read = coverage.CoverageData(str(data))
    read.read()
    found: dict[tuple[Path, int], frozenset[str]] = {}
    for path in subject.files():
        for line, contexts in read.contexts_by_lineno(str(path)).items():
            found[path, line] = frozenset(name.rpartition("|")[0] for name in contexts)
    return found


def options(folder: Path) -> list[str]:
    """How pytest is run beside each mutant."""
    return [
        *("-x", "-q", "-n", "0", "--no-header", "--tb=no", "-p", "no:cacheprovider"),
        *("--hypothesis-profile=mutants", f"--basetemp={folder}"),
    ]


def _main(noted: str, settings: str, tests: Sequence[str]) -> int:
    seconds = Seconds()
    folder = Path(noted).with_suffix(".tmp")
    shown = ["--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
    code = pytest.main([*options(folder), *shown, *tests], plugins=[seconds])
    Path(noted).write_text(json.dumps(seconds.by_test))
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2], sys.argv[3:]))
