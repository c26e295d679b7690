"""One mutant, one fork: the libraries are imported once, the package anew with the change in it."""

import importlib.abc
import importlib.util
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest
from tests.mutants.covering import Covering, options
from tests.mutants.mutations import Mutant
from tests.mutants.subjects import Subject

KILLED, SURVIVED, TIMEOUT, NOT_RUN = "killed", "survived", "timeout", "not run"
SECONDS, TIMES = 20, 4  # of CPU: for the imports, and of what the tests took without a mutant
WALL = 10  # times as long on the clock, for those that wait
OURS = ("portfolio_ml", "tests", "conftest")


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Gives one module with the change in it; all others are found as always."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, fullname, path, target=None):
        if fullname != self._mutant.module:
            return None
        file = self._mutant.path
        folders = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=folders
        )

    def get_filename(self, fullname: str) -> str:
        return str(self._mutant.path)

    def get_data(self, path) -> bytes:
        return self._mutant.source.encode()


class _Plan:
    """A plugin that runs the planned tests, in their order, and no others."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._places]
        items.sort(key=lambda item: self._places[item.nodeid])


def ready(subject: Subject) -> None:
    """Import what the tests import, and forget what is ours: each fork imports that anew."""
    tests = subject.test_files
    with tempfile.TemporaryDirectory() as folder, _Quiet():
        pytest.main(["--collect-only", *options(Path(folder, "tmp")), *tests])
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        if not name.startswith("tests.mutants") and name != "tests":
            del sys.modules[name]


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant that is being tried, in a process of its own."""

    mutant: Mutant
    process: int
    folder: str


def begun(mutant: Mutant, covering: Covering) -> Trial | None:
    """The mutant's trial, running; None where no test runs the changed line."""
    tests = covering.plan(mutant.path, mutant.line)
    if not tests:
        return None
    limit = SECONDS + TIMES * int(sum(covering.seconds[test] for test in tests))
    folder = tempfile.mkdtemp(prefix="mutant-")
    Path(folder).chmod(0o755)  # a server below it runs as another user
    process = os.fork()
    if process == 0:
        _in_child(lambda: _judged(mutant, tests, Path(folder)), limit)
    return Trial(mutant, process, folder)


def ended(trials: dict[int, Trial]) -> tuple[Trial, str]:
    """The next of the running trials that ends, and what became of its mutant."""
    process, status = os.wait()
    trial = trials.pop(process)
    _stop_servers(Path(trial.folder))
    shutil.rmtree(trial.folder, ignore_errors=True)
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM}
        return trial, TIMEOUT if late else KILLED
    return trial, SURVIVED if os.WEXITSTATUS(status) == 0 else KILLED


def _stop_servers(folder: Path) -> None:
    """A trial that was ended from outside has stopped no server of its own."""
    for file in folder.glob("pg-*/data/postmaster.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)


def _in_child(work: Callable[[], int], limit: int) -> None:
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(WALL * limit)
        os.setpgid(0, 0)
        with _Quiet():
            code = work()
    finally:
        os._exit(code)


def _late(number: int, frame: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _judged(mutant: Mutant, tests: Sequence[str], folder: Path) -> int:
    sys.meta_path.insert(0, _Changed(mutant))
    tempfile.tempdir = str(folder)  # with it goes all that is left there
    files = sorted({test.partition("::")[0] for test in tests})
    return int(pytest.main([*options(folder / "tmp"), *files], plugins=[_Plan(tests)]))


class _Quiet:
    """Standard output and error into nothing, for libraries too."""

    def __enter__(self) -> None:
        sys.stdout.flush()
        self._kept = [os.dup(1), os.dup(2)]
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.close(nothing)

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        for number, kept in enumerate(self._kept, start=1):
            os.dup2(kept, number)
            os.close(kept)
