"""Rows -> an HTML table, everything escaped; how results show themselves in a notebook."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(caption: str, names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a caption, a header and plain cells.

    Example:
        >>> html_table("A & B", ["n"], [[1]])
        '<table><caption>A &amp; B</caption><tr><th>n</th></tr><tr><td>1</td></tr></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"
