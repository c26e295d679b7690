"""What a run of tests costs: CPU seconds by level and by file, told at its end; `make test-costs`.

A plugin, `-p tests.costs`. Counted are a test's process and the children that ended meanwhile, at
the test that waited for them: what a session or a module shares is counted where it was first
asked for or at last let go. Servers that outlive their tests are not. Under `-n` each worker
counts its own, and its collecting and importing stand in a line of their own.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from xdist.workermanage import WorkerController

FILES = 40
"""How many files are told, the dearest first."""
TESTS = 15
"""And how many single steps of tests."""
COST = "cpu_seconds"


class Costs:
    """Gathers what the reports of tests tell.

    Attributes:
        by_step: CPU seconds of each step of a test: its set-up, itself, its clearing up.
        workers: Those of whole processes.
    """

    def __init__(self) -> None:
        self.by_step: Counter[tuple[str, str]] = Counter()
        self.workers = 0.0
        self._begun = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """From here on the set-up counts."""
        self._begun = _spent()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """The test itself."""
        self._begun = _spent()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Its clearing up."""
        self._begun = _spent()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """The report carries the cost to whoever gathers, out of a worker too."""
        report: pytest.TestReport = yield
        report.user_properties.append((COST, _spent() - self._begun))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather it; that a worker has crashed is a report without a cost."""
        name = report.nodeid.partition("@")[0]  # after it, xdist tells the group
        self.by_step[name, report.when] += dict(report.user_properties).get(COST, 0.0)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A worker tells what it has cost as a whole."""
        told = getattr(session.config, "workeroutput", None)
        if told is not None:
            told[COST] = _spent()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Gather that, too."""
        self.workers += getattr(node, "workeroutput", {}).get(COST, 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The tables."""
        by_file, by_level, tests = Counter(), Counter(), Counter()
        for (name, step), seconds in self.by_step.items():
            file = name.partition("::")[0]
            level = file.split("/")[1]
            by_file[file] += seconds
            by_level[level] += seconds
            for each in (file, level):
                tests[each] += step == "call"
        beside = (self.workers or _spent()) - by_level.total()
        tell = terminalreporter.write_line
        terminalreporter.section("CPU seconds by level, by file, by step of a test")
        for each, seconds in by_level.most_common():
            tell(f"{seconds:8.1f}  {tests[each]:6} tests  {each}")
        tell(f"{beside:8.1f}  collecting, importing and what was not counted at a test\n")
        for each, seconds in by_file.most_common(FILES):
            tell(f"{seconds:8.1f}  {tests[each]:6} tests  {each}")
        tell("")
        for (name, step), seconds in self.by_step.most_common(TESTS):
            tell(f"{seconds:8.1f}  {step:8}  {name}")


def _spent() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def pytest_configure(config: pytest.Config) -> None:
    """Take it into a run."""
    config.pluginmanager.register(Costs(), "costs")
