"""Commands of the package in processes forked from one that has imported what they need.

A command costs what its own work costs, so that it can be killed, starved, or run beside others
many times. Run as a program, `python -m tests.commands`, it imports once. Then it reads lines of
JSON, each a command to begin or a process to wait for, and answers each with a line of JSON.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CODE = "portfolio_ml.cli.app:main"
"""What is called there, where nothing else is asked for."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; negative where a signal ended it.
        told: What it wrote on standard error.
        printed: What it wrote on standard output.
        cpu_seconds: What it cost.
    """

    code: int
    told: str
    printed: str
    cpu_seconds: float

    @property
    def sentence(self) -> str:
        """The last line that it told."""
        return self.told.strip().rpartition("\n")[2]


@dataclass(frozen=True)
class Running:
    """A command that was begun."""

    process: int
    by: "Commands"
    log: Path

    def kill(self) -> None:
        """Kill it at once, if it still runs."""
        os.kill(self.process, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for its end."""
        code, seconds = self.by.asked({"wait": self.process})
        told, printed = (self.log.with_suffix(s).read_text("utf-8") for s in (".err", ".out"))
        return Ended(code, told, printed, seconds)


class Commands:
    """The process that forks them.

    Args:
        process: It.
        folder: Where what they write on standard output and error goes, a file each.
        temporary: Their folder for temporary files.
    """

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, temporary: Path) -> None:
        self._process, self._folder, self._count = process, folder, 0
        self.temporary = temporary
        self.temporary.mkdir(exist_ok=True)

    def begin(
        self, *words: str, at: Path, file_bytes: int = 0, calls: str = CODE, **variables: str
    ) -> Running:
        """Begin a command.

        Args:
            words: The command line, after `portfolio-ml`.
            at: The folder that it is called in.
            file_bytes: The largest file that it can write; 0 for any.
            calls: The function that is called.
            variables: Of its environment, beside those that all have.
        """
        self._count += 1
        log = self._folder / f"{self._count:04}"
        order = {
            "words": words,
            "at": str(at),
            "log": str(log),
            "file_bytes": file_bytes,
            "calls": calls,
            "variables": {"TMPDIR": str(self.temporary), **variables},
        }
        return Running(self.asked(order), self, log)

    def run(self, *words: str, at: Path, **how: Any) -> Ended:
        """The same, to its end."""
        return self.begin(*words, at=at, **how).end()

    def asked(self, order: Mapping[str, object]) -> Any:
        """What the forking process answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return json.loads(line)


@contextmanager
def commands(folder: Path, *, within: Path | None = None) -> Iterator[Commands]:
    """Such a process, ready, for the length of a `with` block.

    Args:
        folder: For what commands write on standard output and error.
        within: The folder that has that for their temporary files; the same if not given.
    """
    root = Path(__file__).parents[1]
    with (folder / "forking.err").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=root,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
        )
    try:
        yield Commands(process, folder, (within or folder) / "tmp")
    finally:
        process.kill()
        process.communicate()


def _main() -> None:
    import lightgbm  # noqa: F401, PLC0415 - what the commands need
    import mlflow.pyfunc  # noqa: PLC0415 - likewise
    import mlflow.store.model_registry.sqlalchemy_store  # noqa: PLC0415 - likewise
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401, PLC0415 - likewise
    import sklearn.cluster  # noqa: F401, PLC0415 - likewise

    from portfolio_ml import pipeline, transfer  # noqa: F401, PLC0415 - likewise
    from portfolio_ml.cli import app  # noqa: F401, PLC0415 - likewise
    from portfolio_ml.cli.show import report  # noqa: F401, PLC0415 - likewise

    for line in sys.stdin:
        order = json.loads(line)
        answer: object = _waited(order["wait"]) if "wait" in order else _begun(order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _begun(order: Mapping[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        for number, suffix in ((0, ""), (1, ".out"), (2, ".err")):
            there = Path(order["log"] + suffix) if suffix else Path(os.devnull)
            os.dup2(os.open(there, os.O_RDWR | os.O_CREAT, 0o644), number)
        code = _called(order)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _called(order: Mapping[str, Any]) -> int:
    os.chdir(order["at"])
    os.environ.update(order["variables"])
    if order["file_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    sys.argv = ["portfolio-ml", *order["words"]]
    module, _, name = order["calls"].partition(":")
    try:
        getattr(importlib.import_module(module), name)()
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # noqa: BLE001 - as any program would
        traceback.print_exc()
        return 1
    return 0


def _waited(process: int) -> tuple[int, float]:
    _, status, used = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


if __name__ == "__main__":
    _main()
