"""Mutants that no test can notice, each with its reason: `equivalent.toml`."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutations import Mutant

FILE = Path(__file__).parent / "equivalent.toml"


@dataclass(frozen=True, slots=True)
class Explained:
    """A mutant that behaves as the code does, and why.

    Attributes:
        module: Its dotted name.
        where: The function or class around the change, or "".
        before: The lines that go.
        after: The lines that come.
        reason: Why nobody can see the difference.
    """

    module: str
    where: str
    before: str
    after: str
    reason: str

    def is_of(self, mutant: Mutant) -> bool:
        """Whether this explains that mutant."""
        seen = (mutant.module, mutant.where, mutant.before, mutant.after)
        return seen == (self.module, self.where, self.before, self.after)


def explained(file: Path = FILE) -> tuple[Explained, ...]:
    """All of the file."""
    entries = tomllib.loads(file.read_text())["equivalent"]
    return tuple(
        Explained(**{key: str(value).strip() for key, value in entry.items()}) for entry in entries
    )


def gone(entries: Sequence[Explained], mutants: Iterable[Mutant]) -> tuple[Explained, ...]:
    """Those that explain no mutant any more: the code has changed, and they must go."""
    seen = {(mutant.module, mutant.where, mutant.before, mutant.after) for mutant in mutants}
    return tuple(
        entry
        for entry in entries
        if (entry.module, entry.where, entry.before, entry.after) not in seen
    )
