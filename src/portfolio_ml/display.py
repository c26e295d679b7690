"""Small tables that show themselves: in HTML for a notebook, in plain text for a console."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

# With an interval in brackets, or as the ends of a range, they are still numbers to the eye.
_ONE = r"[-+±]?(\d[\d,]*(\.\d+)?|nan|inf)( ?%)?"
_NUMBER = re.compile(rf"(-|{_ONE}(( to |/){_ONE})?( \({_ONE}(,| to) {_ONE}\))?)?")


@dataclass(frozen=True, slots=True)
class SmallTable:
    """A caption, column names and rows of plain cells.

    Example:
        >>> table = SmallTable.of("A & B", ["name", "n"], [["ann", 1], ["bob", 12]])
        >>> print(table.to_text())
        A & B
        name   n
        ann    1
        bob   12
    """

    caption: str
    names: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    @classmethod
    def of(
        cls, caption: str, names: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> "SmallTable":
        """A table of whatever sequences are at hand."""
        return cls(caption, tuple(names), tuple(tuple(row) for row in rows))

    def to_html(self) -> str:
        """The table in HTML, everything escaped.

        Example:
            >>> SmallTable.of("A & B", ["n"], [[1]]).to_html()
            '<table><caption>A &amp; B</caption><tr><th>n</th></tr><tr><td>1</td></tr></table>'
        """
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><caption>{escape(self.caption)}</caption><tr>{head}</tr>{body}</table>"

    def to_text(self) -> str:
        """The table in columns of plain text, numbers to the right."""
        cells = [self.names, *(tuple(map(_cell, row)) for row in self.rows)]
        columns = [_aligned(column) for column in zip(*cells, strict=True)]
        lines = ("  ".join(line).rstrip() for line in zip(*columns, strict=True))
        return "\n".join([self.caption, *lines])


def are_numbers(cells: Iterable[str]) -> bool:
    """Whether cells are numbers, to stand at the right of their column.

    Example:
        >>> are_numbers(["1,200.50", "-3", "12 %", ""]), are_numbers(["91 % likely", "2"])
        (True, False)
    """
    return all(_NUMBER.fullmatch(cell) for cell in cells)


def _aligned(column: Sequence[str]) -> list[str]:
    """A column's name and cells, as wide as the widest of them."""
    width = max(map(len, column))
    is_right = are_numbers(column[1:])
    return [cell.rjust(width) if is_right else cell.ljust(width) for cell in column]


def _cell(value: object) -> str:
    return " ".join(str(value).split())
