"""What each step of a process costs: its own seconds, without those of the steps inside it."""

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import reduce, wraps
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Spent:
    """The seconds of a step.

    Attributes:
        wall: On the clock.
        cpu: On all threads of the process.
    """

    wall: float
    cpu: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.wall - other.wall, self.cpu - other.cpu)


NOTHING = Spent(0.0, 0.0)


class Steps:
    """A clock for steps that may lie within each other.

    Example:
        >>> steps = Steps()
        >>> with steps.timed("deliver"):
        ...     with steps.timed("prepare"):
        ...         pass
        >>> sorted(steps.spent)
        ['deliver', 'prepare']
    """

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}
        self._inner = [NOTHING]

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add what the block costs, but for the steps within it, to a step."""
        begun = _now()
        self._inner.append(NOTHING)
        try:
            yield
        finally:
            whole = _now() - begun
            own = whole - self._inner.pop()
            self._inner[-1] += whole
            self.spent[step] = self.spent.get(step, NOTHING) + own

    def follow(self, function: str, step: str) -> None:
        """Time every call of a function of a module, or of a method, from now on.

        Args:
            function: Where it is looked up when it is called, as `package.module:name`.
            step: The step that it is.
        """
        module, _, path = function.partition(":")
        *owners, name = path.split(".")
        owner: object = reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, name, self._timing(getattr(owner, name), step))

    def write(self, path: Path) -> None:
        """Write the steps to a file, for the process that started this one."""
        path.write_text(json.dumps({step: asdict(spent) for step, spent in self.spent.items()}))

    def _timing(self, function: Callable[..., Any], step: str) -> Callable[..., Any]:
        @wraps(function)
        def timing(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
            with self.timed(step):
                return function(*args, **kwargs)

        return timing


def read(path: Path) -> Mapping[str, Spent]:
    """The steps that a process wrote."""
    return {step: Spent(**spent) for step, spent in json.loads(path.read_text()).items()}


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


def run_with_clocks(followed: Mapping[str, str]) -> None:
    """Run the command line that the arguments tell, and write its steps to the first of them.

    Args:
        followed: The functions that the steps are, where they are looked up, with the steps' names.
    """
    steps = Steps()
    with steps.timed("import"):
        from portfolio_ml.cli import app  # noqa: PLC0415 - on the clock

        for function, step in followed.items():
            steps.follow(function, step)
    code = app.run(sys.argv[2:])
    steps.write(Path(sys.argv[1]))
    sys.exit(code)
