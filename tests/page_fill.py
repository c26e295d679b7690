"""What pages show, printed anew: `python -m tests.page_fill PAGE ...` after a change of the output.

It follows a page as shipped, as `tests/integration/test_pages.py` does, and writes what each
command printed in place of what the page shows; where a page leaves lines out (`...`), or shows
nothing, it stays as it is. Read the change before you commit it.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.page_blocks import Block
from tests.page_runs import ROOT, Reader, replaced
from tests.page_world import World, world

ASKED = ("@@",)
"""What stands in a new page where the output is to be."""


@dataclass
class Filler(Reader):
    """A reader who writes down what is printed, by the line of its block."""

    printings: list[tuple[int, str, str]] = field(default_factory=list)

    def _shows(self, block: Block, shown: tuple[str, ...], printed: str) -> None:
        if shown == ASKED or not any("..." in line for line in shown):
            lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
            before = replaced("\n".join(shown), self.there)
            self.printings.append((block.line, before, "\n".join(lines)))


def filled(page: Path, filler: Filler) -> str:
    """The page with what was printed."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    done, at = "", 0
    for number, shown, printed in filler.printings:
        begins = max(at, len("".join(lines[:number])))
        found = text.index(f"\n{shown}\n", begins - 1) + 1
        done += text[at:found] + printed
        at = found + len(shown)
    return done + text[at:]


def main(around: World) -> None:
    """Fill the pages that the command line names."""
    for name in sys.argv[1:]:
        page = (ROOT / name).resolve()
        filler = around.reader(page, Filler)
        try:
            filler.follows(page)
        except pytest.fail.Exception as fault:
            sys.stderr.write(f"{fault}\n")
        page.write_text(filled(page, filler), encoding="utf-8")


if __name__ == "__main__":
    with world() as around:
        main(around)
