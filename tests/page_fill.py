"""What pages show, printed anew: `python -m tests.page_fill PAGE ...` after a change of the output.

It follows a page as shipped, as `tests/integration/test_pages.py` does, and writes what each
command printed in place of what the page shows; where a page leaves lines out (`...`), or shows
nothing, it stays as it is. Read the change before you commit it.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.page_blocks import Block, Typed
from tests.page_runs import ROOT, Reader
from tests.page_world import World, world

ASKED = ("@@",)
"""What stands in a new page where the output is to be."""


@dataclass
class Filler(Reader):
    """A reader who writes down what is printed."""

    printings: dict[tuple[int, tuple[str, ...]], str] = field(default_factory=dict)

    def _shows(self, block: Block, shown: tuple[str, ...], printed: str) -> None:
        if shown == ASKED or not any("..." in line for line in shown):
            lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
            self.printings[block.line, shown] = "\n".join(lines)


def filled(page: Path, filler: Filler) -> str:
    """The page with what was printed."""
    lines = page.read_text(encoding="utf-8").split("\n")
    for (number, shown), printed in sorted(filler.printings.items(), reverse=True):
        before, after = lines[:number], "\n".join(lines[number:])
        lines = [*before, *after.replace("\n".join(shown), printed, 1).split("\n")]
    return "\n".join(lines)


def main(around: World) -> None:
    """Fill the pages that the command line names."""
    for name in sys.argv[1:]:
        page = (ROOT / name).resolve()
        filler = around.reader(page, Filler)
        try:
            filler.follows(page)
        finally:
            page.write_text(filled(page, filler), encoding="utf-8")


if __name__ == "__main__":
    with world() as around:
        main(around)
