"""The code blocks of a page, with what the comments right above them say of them.

A comment says what is to be done with a block where its language alone does not tell:

    <!-- not run: there is no Docker where the tests run -->   with the reason
    <!-- run: in make test-long -->  as its cost is not worth it every time
    <!-- file: my_features.py -->    the block is a file of that name
    <!-- into: sales.yaml -->        its keys replace those of a config
    <!-- exit codes: 0, 78 -->       what its commands end with, where not with 0
    <!-- printed -->                 what the block before it printed
    <!-- figures: as shipped -->     what it shows is of a walk as shipped, not of a lighter one
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^\s`]*)\s*$")
NOTE = re.compile(r"^\s*<!-- *(?P<name>[a-z ]+?)(?:: *(?P<said>.+?))? *-->\s*$")
KNOWN = frozenset({"not run", "run", "file", "into", "exit codes", "printed", "figures"})


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The page.
        line: The line of its fence, from 1.
        language: As its fence says; "" where it says nothing.
        text: What stands in it.
        notes: What the comments above say, by name.
    """

    page: Path
    line: int
    language: str
    text: str
    notes: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page.name}, line {self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order; directives of the site (`{toctree}`) are none."""
    return list(_found(page, page.read_text(encoding="utf-8").splitlines()))


def _found(page: Path, lines: list[str]) -> Iterator[Block]:
    number, notes = 0, {}
    while number < len(lines):
        line = lines[number]
        if opened := FENCE.match(line):
            ends = opened["indent"] + opened["ticks"]
            last = lines.index(ends, number + 1)
            inside = [text[len(opened["indent"]) :] for text in lines[number + 1 : last]]
            if not opened["language"].startswith("{"):
                text = "\n".join(inside) + "\n"
                yield Block(page, number + 1, opened["language"], text, notes)
            number, notes = last, {}
        elif note := NOTE.match(line):
            notes = {**notes, note["name"]: note["said"] or ""}
        elif line.strip():
            notes = {}
        number += 1


@dataclass(frozen=True)
class Typed:
    """A command as a reader types it, and what the page shows beneath it.

    Attributes:
        line: The command, with lines that go on joined.
        shown: What it prints, line by line; none where the page shows nothing.
    """

    line: str
    shown: tuple[str, ...]


def typed(text: str) -> list[Typed]:
    """The commands of a console block.

    Example:
        >>> typed("$ ls\\nsales.csv\\n$ true\\n")
        [Typed(line='ls', shown=('sales.csv',)), Typed(line='true', shown=())]
    """
    joined = re.sub(r"\\\n\s*", "", text)
    first, *commands = re.split(r"^\$ ", joined, flags=re.MULTILINE)
    assert not first.strip(), f"a console block begins with $: {first}"
    found = [command.rstrip("\n").split("\n") for command in commands]
    return [Typed(line.strip(), tuple(shown)) for line, *shown in found]


def differs(shown: tuple[str, ...] | list[str], printed: str, *, figures: bool) -> str | None:
    """Why what was printed is not what is shown; None where it is.

    Blanks count as one, empty lines not at all. A line `...` stands for any lines, and `...` within
    one for anything.

    Args:
        shown: The lines of the page.
        printed: What was printed.
        figures: Whether the figures must be the same, too.

    Example:
        >>> differs(["read: 5", "..."], "read:  5\\nkept: 4\\n", figures=True)
        >>> differs(["read: 5"], "read: 4", figures=False)
    """
    lines = [_even(line, figures=figures) for line in printed.splitlines() if line.strip()]
    wanted = [line for line in shown if line.strip()]
    there = "\n".join(lines) + "\n"
    patterns = [_pattern(line, figures=figures) for line in wanted]
    if re.fullmatch("".join(patterns), there):
        return None
    for number in range(1, len(patterns) + 1):
        if not re.match("".join(patterns[:number]), there):
            return f"the page shows\n  {wanted[number - 1]}\nwhere this was printed\n{printed}"
    return f"the page shows too little of\n{printed}"


def _pattern(line: str, *, figures: bool) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*"
    parts = _even(line, figures=figures).split("...")
    return ".*".join(map(re.escape, parts)) + r"\n"


def _even(line: str, *, figures: bool) -> str:
    spaced = " ".join(re.sub("─+", "─", line).split())
    return spaced if figures else re.sub(r"[-+−]?\d[\d.,]*", "0", spaced)
